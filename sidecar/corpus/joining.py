"""What Ray has to find in the environment when it is imported. Imports no Ray."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

# Nothing leaves the machine unasked; an actor sees GPUs only by asking.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Else it warns in every run of what holds only where this process, which has it, is gone.
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    # Else it lists its logs ten times a second, of which we show none.
    "RAY_LOG_MONITOR_MANY_FILES_THRESHOLD": "0",
}
_MODE = "RAY_AUTH_MODE"
_ANSWERS_WITHIN_S = 10.0
# Of which Python's start is the most.
_CHECKED_WITHIN_S = 60.0


def set_environment(address: str | None) -> None:
    """Prepare for a Ray of our own, or, with an address, for the one that runs there.

    Whether that asks for a token it does not tell those who would join, and they must know: one
    that asks refuses who has none, and with one that does not, who has one waits in vain.

    Raises:
        ConnectionError: nothing answers there, or it lets nobody in.
    """
    os.environ.update(_ENVIRONMENT)
    if address is None:
        return
    scheme, _, place = address.rpartition("://")
    host, _, port = place.rpartition(":")
    if not port.isdigit():
        return  # such as ``auto``: Ray knows
    try:
        # Ray itself would try for minutes.
        socket.create_connection((host.strip("[]"), int(port)), _ANSWERS_WITHIN_S).close()
    except OSError as error:
        raise ConnectionError(f"nothing answers there: {error}") from error
    if not scheme and _MODE not in os.environ:
        _choose_mode(address)


def _choose_mode(address: str) -> None:
    for mode in ("disabled", "token"):
        refusal = _refusal(address, mode)
        if not refusal:
            os.environ[_MODE] = mode
            return
    if "AuthenticationError" in refusal:
        raise ConnectionError(
            "it asks for a token: copy the file ~/.ray/auth_token of the machine where it was "
            "started to this one"
        )


def _refusal(address: str, mode: str) -> str:
    """What Ray says if nobody with this mode is let in; nothing: they are."""
    check = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        done = subprocess.run(
            check,
            env=os.environ | {_MODE: mode},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_CHECKED_WITHIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ConnectionError("what answers there is no Ray") from error
    return done.stderr if done.returncode else ""
