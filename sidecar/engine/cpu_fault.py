"""What an error of a runtime on the CPU means to whoever asked."""

from __future__ import annotations

from protocol.errors import DeviceError, OutOfMemory


def fault(title: str, error: Exception) -> DeviceError | OutOfMemory:
    """The error to raise for one of the library called ``title``."""
    if isinstance(error, MemoryError) or "alloc" in str(error):
        return OutOfMemory("cpu has too little memory for this audio: send a shorter one")
    return DeviceError(
        f"{title} failed on the CPU: {first_line(error)}; --runtime torch does without it"
    )


def first_line(error: Exception) -> str:
    """The first line of its text: libraries append where they were."""
    return str(error).strip().split("\n", 1)[0]
