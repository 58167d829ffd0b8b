"""What a daemon takes of memory, and what `kopru check` says that it may take."""

import json
from pathlib import Path

from support.daemon import Kopru, run_kopru


def peak_bytes(pid: int) -> int:
    """The largest resident size so far."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def memory_bound(daemon: Kopru, largest: int) -> int:
    """The figure of kopru check, of which the largest message of the test takes the place of the
    broker's largest.
    """
    memory = json.loads(run_kopru("check", "--offline", "--output", "json", "-c",
                                  str(daemon.config_path)).stdout)["memory"]
    return memory["total_bytes"] - 3 * memory["queues"] * (memory["largest_message_bytes"]
                                                           - largest)
