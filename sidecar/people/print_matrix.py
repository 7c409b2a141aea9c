"""All prints of one model in memory, as rows of one matrix: one product compares with everybody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidecar.people.records import PrintColumns
from sidecar.people.voices import Vector

_GROWTH = 1.5
_LEAST_ROWS = 64


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """Of each person the enrolled print that is most alike; shapes (n_people,), in people's order.

    Attributes:
        people: their numbers.
        cosines: -1 to 1.
        speech_s: how much speech those prints were made of.
        adapted: the adapted prints of some of them, shapes (n_adapted,).
    """

    people: NDArray[np.int64]
    cosines: NDArray[np.float64]
    speech_s: NDArray[np.float64]
    adapted: Nearest | None = None

    def without(self, person: int) -> Nearest:
        """Everybody else, as they were enrolled."""
        others = self.people != person
        return Nearest(self.people[others], self.cosines[others], self.speech_s[others])


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    """Which rows are whose: ``people`` have the ``enrolled`` rows; ``places`` are theirs in it."""

    people: NDArray[np.int64]
    enrolled: NDArray[np.intp]
    places: NDArray[np.intp]
    adapted: NDArray[np.intp]


class PrintMatrix:
    """Rows of unit vectors, float32, with the person, the number and the seconds of each print.

    It grows by half at a time, so that an enrolment seldom copies it. ``room``: rows to begin with.
    """

    def __init__(self, dim: int, room: int = 0) -> None:
        room = max(room, _LEAST_ROWS)
        self._count = 0
        self._units: Vector = np.empty((room, dim), np.float32)
        self._people: NDArray[np.int64] = np.empty(room, np.int64)
        self._numbers: NDArray[np.int64] = np.empty(room, np.int64)
        self._speech_s: NDArray[np.float64] = np.empty(room, np.float64)
        self._adapted: NDArray[np.bool_] = np.empty(room, np.bool_)
        # Made again after a change.
        self._layout: _Layout | None = None

    def __len__(self) -> int:
        return self._count

    @property
    def dim(self) -> int:
        """How many numbers an embedding has."""
        return int(self._units.shape[1])

    def put(self, prints: PrintColumns) -> None:
        """Add these, each in the place of what it was before.

        Raises:
            ValueError: they have another dim.
        """
        held = self._numbers[: self._count]
        is_new = ~np.isin(prints.numbers, held)
        n_rows = self._count + int(is_new.sum())
        self._grow(n_rows)
        rows = np.empty(len(prints.numbers), np.intp)
        rows[is_new] = np.arange(self._count, n_rows)
        for place in np.flatnonzero(~is_new):
            rows[place] = np.flatnonzero(held == prints.numbers[place])[0]
        lengths = np.linalg.norm(prints.totals, axis=1, keepdims=True)
        self._units[rows] = prints.totals / np.maximum(lengths, np.finfo(np.float32).tiny)
        self._people[rows] = prints.people
        self._numbers[rows] = prints.numbers
        self._speech_s[rows] = prints.speech_s
        self._adapted[rows] = prints.adapted
        self._count = n_rows
        self._layout = None

    def nearest(self, unit: Vector) -> Nearest:
        """How alike a unit vector, shape (dim,), is to each person."""
        if self._layout is None:
            self._layout = self._lay_out()
        layout = self._layout
        cosines = np.clip(self._units[: self._count] @ unit, -1, 1)
        enrolled = cosines[layout.enrolled]
        best = np.full(len(layout.people), -np.inf, np.float32)
        np.maximum.at(best, layout.places, enrolled)
        # Of equally good prints of one person, the last one.
        found = np.flatnonzero(enrolled == best[layout.places])
        rows = np.empty(len(layout.people), np.intp)
        rows[layout.places[found]] = layout.enrolled[found]
        adapted = layout.adapted
        return Nearest(
            layout.people,
            best.astype(np.float64),
            self._speech_s[rows],
            Nearest(
                self._people[adapted], cosines[adapted].astype(np.float64), self._speech_s[adapted]
            ),
        )

    def _lay_out(self) -> _Layout:
        is_adapted = self._adapted[: self._count]
        enrolled = np.flatnonzero(~is_adapted)
        people, places = np.unique(self._people[enrolled], return_inverse=True)
        # Where what was enrolled is gone, nothing holds what was adapted in its place.
        adapted = np.flatnonzero(is_adapted & np.isin(self._people[: self._count], people))
        return _Layout(people, enrolled, places, adapted)

    def _grow(self, n_rows: int) -> None:
        """Make room for so many."""
        if n_rows > len(self._units):
            room = max(n_rows, int(_GROWTH * len(self._units)))
            self._units = _longer(self._units, room)
            self._people = _longer(self._people, room)
            self._numbers = _longer(self._numbers, room)
            self._speech_s = _longer(self._speech_s, room)
            self._adapted = _longer(self._adapted, room)


def _longer(rows: NDArray[Any], room: int) -> NDArray[Any]:
    longer = np.empty((room, *rows.shape[1:]), rows.dtype)
    longer[: len(rows)] = rows
    return longer
