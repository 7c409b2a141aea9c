"""Live work goes first, and long work never starves: pure."""

from __future__ import annotations

# One turn in so many is long work's, while live work keeps coming.
LONG_SHARE = 4


class Turns:
    """Whose turn it is: live work's, but one turn in ``LONG_SHARE`` is long work's."""

    def __init__(self) -> None:
        self._n_live_in_a_row = 0

    def is_live(self, *, has_live: bool, has_long: bool) -> bool:
        """Whether it is live work's; counts the turns for which long work waits."""
        is_longs = has_long and (not has_live or self._n_live_in_a_row >= LONG_SHARE - 1)
        self._n_live_in_a_row = self._n_live_in_a_row + 1 if has_long and not is_longs else 0
        return not is_longs
