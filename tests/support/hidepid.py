"""Daemons of different users that cannot see each other's processes, as two units with DynamicUser
and ProtectProc=invisible cannot.

    if hidepid.why_impossible() is None:
        kopru = Kopru(settings, prefix=hidepid.as_user_that_sees_only_itself(64001))
"""

import subprocess

FIRST_UID = 64001

_MOUNT = 'mount -t proc -o hidepid=2 proc /proc && exec "$@"'
_NAMESPACE = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", _MOUNT, "sh"]


def as_user_that_sees_only_itself(uid: int) -> list[str]:
    """A prefix. The capability is for the configuration, which belongs to the user of the tests; it
    opens nothing that hidepid hides.
    """
    return [*_NAMESPACE, "setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups",
            "--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override",
            "--pdeathsig=KILL", "--"]


def why_impossible() -> str | None:
    """What keeps this machine from it, which needs root; None if nothing does."""
    try:
        probe = subprocess.run([*as_user_that_sees_only_itself(FIRST_UID), "true"],
                               capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        return str(error)
    if probe.returncode == 0:
        return None
    return f"no /proc that hides processes can be mounted here: {probe.stderr.strip()}"
