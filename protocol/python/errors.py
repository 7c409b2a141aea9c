"""What a call to a sidecar raises, and how a child's end is told."""

from __future__ import annotations

from protocol.messages import Failure

_EXIT_MEANINGS = {
    64: "it refused its options",
    69: "the model or the device is unavailable",
    70: "an internal or device fault",
    74: "its standard output was lost",
    76: "the frames sent to it were broken",
}


class RemoteError(Exception):
    """The child answered with an error; ``failure`` has all of the wire's fields."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.message} ({failure.code}, {failure.data.get('kind')})")
        self.failure = failure

    @property
    def code(self) -> int:
        """The wire's code, below 0."""
        return self.failure.code

    @property
    def kind(self) -> str:
        """A stable word for programs, narrower than the code."""
        return str(self.failure.data.get("kind", "unknown"))

    @property
    def retryable(self) -> bool:
        """Whether the same request, sent again later or to a new child, may succeed."""
        return self.failure.data.get("retryable") is True

    @property
    def message(self) -> str:
        """What was wrong and what to do, for people."""
        return self.failure.message


class ChildGone(Exception):
    """The child ended, or speaks another protocol, before it answered; ``reason`` says why."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"{what}: {reason}")
        self.reason = reason


def exit_reason(exit_code: int | None) -> str:
    """Why a child is gone, if nothing but its exit code tells; None: it still runs."""
    if exit_code is None:
        return "its output ended"
    meaning = _EXIT_MEANINGS.get(exit_code)
    return f"it ended with exit code {exit_code}" + (f" ({meaning})" if meaning else "")
