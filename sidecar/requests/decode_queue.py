"""Which audio is decoded next, and for how long not: pure.

Live and long work, samples and files have a line each. In a line the audios take turns, so that a
short one never waits for the end of a long one. A line whose audio takes too much memory already
pauses until the device has run some of it; only what needs no more of it goes on. Aside of the line
is what waits for something else first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from sidecar.requests.jobs import Item, Lane, Source, Stage
from sidecar.requests.turns import Turns


class DecodeQueue:
    """The audios that wait for a decoder.

    Args:
        max_bytes: of samples in each line that are held while they are decoded, or wait for the
            device. A line passes it by what one step brings, or by one audio alone.
    """

    def __init__(self, max_bytes: int) -> None:
        self._lines = {
            (lane, is_live): _Line(max_bytes) for lane in Lane for is_live in (True, False)
        }
        self._turns = {lane: Turns() for lane in Lane}

    def __len__(self) -> int:
        # One that is cut waits for the device, if for anything: what is told of it is extra.
        return sum(not source.is_cut for source in self)

    def __iter__(self) -> Iterator[Source]:
        for line in self._lines.values():
            yield from (*line.waiting, *line.aside)

    def has_work(self, lane: Lane) -> bool:
        """Whether a decoder of that lane has something to do."""
        return any(self._lines[lane, is_live].next() is not None for is_live in (True, False))

    def take(self, lane: Lane) -> Source | None:
        """The audio whose turn it is, or None while none may be decoded."""
        live, long = (self._lines[lane, is_live].next() for is_live in (True, False))
        if live is None and long is None:
            return None
        is_live = self._turns[lane].is_live(has_live=live is not None, has_long=long is not None)
        source = live if is_live else long
        assert source is not None
        line = self._line(source)
        del line.waiting[source]
        line.n_in_work += 1
        source.stage = Stage.WORKED_ON
        return source

    def put(self, source: Source) -> None:
        """``source`` waits for its first turn, or for its next one, or for what it needs first."""
        source.stage = Stage.WAITING
        line = self._line(source)
        if source.until is None or source.until():
            line.waiting[source] = None
        else:
            line.aside[source] = None

    def look_again(self) -> None:
        """What is aside may have what it needs."""
        for line in self._lines.values():
            aside, line.aside = line.aside, {}
            for source in aside:
                self.put(source)

    def turn_ends(self, source: Source) -> None:
        """A decoder has let go of ``source``."""
        self._line(source).n_in_work -= 1

    def remove(self, source: Source) -> None:
        """``source`` waits no more."""
        line = self._line(source)
        del (line.waiting if source in line.waiting else line.aside)[source]

    def holds(self, source: Source, n_bytes: int) -> None:
        """So much is held while ``source`` is decoded."""
        self._line(source).n_bytes += n_bytes - source.held_bytes
        source.held_bytes = n_bytes

    def item_waits(self, item: Item) -> None:
        """``item`` waits for the device."""
        line = self._line(item.source)
        line.n_ready += 1
        line.n_bytes += item.n_bytes

    def item_waits_no_more(self, item: Item) -> None:
        """``item`` is run, or given up."""
        line = self._line(item.source)
        line.n_ready -= 1
        line.n_bytes -= item.n_bytes

    def _line(self, source: Source) -> _Line:
        return self._lines[source.lane, source.job.is_live]


class _Line:
    """Audios of one kind: ``n_bytes`` of samples are held, ``n_ready`` items wait to be run."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self.waiting: OrderedDict[Source, None] = OrderedDict()
        self.aside: dict[Source, None] = {}
        self.n_in_work = 0
        self.n_ready = 0
        self.n_bytes = 0

    def next(self) -> Source | None:
        """The audio that may be decoded next."""
        if self.n_bytes < self._max_bytes:
            return next(iter(self.waiting), None)
        # What is only told of holds its samples until then.
        cut = next((source for source in self.waiting if source.is_cut), None)
        if cut is not None or self.n_ready or self.n_in_work:
            return cut  # or what comes of those makes room
        begun = (source for source in self.waiting if source.steps is not None)
        return min(begun, key=lambda source: source.number, default=None)
