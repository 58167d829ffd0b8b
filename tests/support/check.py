"""`kopru check --output json`, and its report as objects."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from support import libconfig
from support.daemon import merged, run_kopru


@dataclass(frozen=True)
class Finding:
    area: str
    what: str
    subject: str
    why: str
    hint: str
    status: int


@dataclass(frozen=True)
class Report:
    status: int
    results: dict[str, str]
    problems: list[Finding]
    warnings: list[Finding]
    memory: dict[str, int] | None
    text: str

    def only_problem(self) -> Finding:
        assert len(self.problems) == 1, self.text
        return self.problems[0]


Check = Callable[..., Report]


def _parse(stdout: bytes) -> Report:
    output = json.loads(stdout)
    return Report(output["status"], {area["area"]: area["result"] for area in output["areas"]},
                  [Finding(**problem) for problem in output["problems"]],
                  [Finding(**warning, status=0) for warning in output["warnings"]],
                  output.get("memory"), stdout.decode())


def check_of(settings: Mapping[str, object], directory: Path) -> Check:
    """Make a function that runs the command with changes to these settings (daemon.merged)."""

    def run(*arguments: str, env: dict[str, str] | None = None, **changes: object) -> Report:
        path = directory / "kopru.cfg"
        path.touch(mode=0o600)
        path.write_text(libconfig.to_text(merged(settings, changes)), encoding="utf-8")
        done = run_kopru("check", "-c", str(path), "--output", "json", *arguments, env=env)
        assert done.stderr == b""
        report = _parse(done.stdout)
        assert done.returncode == report.status
        for finding in report.problems + report.warnings:
            assert finding.what
            assert finding.subject or finding.why
        return report

    return run
