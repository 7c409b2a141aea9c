"""What is odd about a file that is decoded all the same: told to the host, or refused for it."""

from __future__ import annotations

from protocol.errors import BadAudio
from protocol.reports import AudioWarning

# What a strict host is told instead, by the kind of the warning.
_REFUSED_AS = {
    "missing_end": "truncated",
    "skipped_bytes": "corrupt",
    "trailing_data": "corrupt",
}


class Findings:
    """Collects what was found about one file, one of each kind.

    Args:
        strict: refuse instead.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self._strict = strict
        self._warnings: dict[str, AudioWarning] = {}

    @property
    def warnings(self) -> tuple[AudioWarning, ...]:
        """What was found so far."""
        return tuple(self._warnings.values())

    def check_samples(self, n_frames: int) -> None:
        """Raise ``BadAudio`` if what is odd has left no sample at all."""
        if n_frames == 0 and self._warnings:
            first = next(iter(self._warnings.values()))
            raise BadAudio(
                f"{first.message}; nothing is left that can be decoded",
                kind=_REFUSED_AS[first.kind],
                **first.details,
            )

    def tell(self, kind: str, message: str, **details: int) -> None:
        """Add a warning; the first of a kind stays.

        Raises:
            BadAudio: it is refused.
        """
        if self._strict:
            raise BadAudio(
                f"{message}; without strict it would be decoded, with a warning",
                kind=_REFUSED_AS[kind],
                **details,
            )
        self._warnings.setdefault(kind, AudioWarning(kind, message, details))
