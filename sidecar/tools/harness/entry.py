"""One entry of a harness file: what is sent, when, and what is expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from protocol.errors import InvalidRequest
from protocol.params import RequestId, read_request_id
from sidecar.tools.harness.expectations import Matcher
from sidecar.tools.harness.located_json import Place

# ready: the child serves, and fewer than --jobs entries wait for their answers. idle: none does.
When: TypeAlias = Literal["ready", "now", "idle"]
Wanted: TypeAlias = Literal["result", "error", "answer", "nothing"]


@dataclass(frozen=True, slots=True)
class Request:
    """A request. ``id`` is None where the harness chooses it."""

    method: str
    params: object
    id: object


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes for the stream, and how to print them; ``id`` is the one in them, if any."""

    data: bytes
    shown: dict[str, object]
    id: RequestId | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """The notification that withdraws the entry ``number``."""

    number: int


@dataclass(frozen=True, slots=True)
class Close:
    """The end of the child's input."""


@dataclass(frozen=True, slots=True)
class WaitFor:
    """A notification that has come, or comes now; ``notice`` matches its method and params."""

    notice: Matcher
    described: str


Action: TypeAlias = Request | Write | Cancel | Close | WaitFor


@dataclass(frozen=True, slots=True)
class Expectation:
    """What comes of an entry.

    ``answer`` matches the fields ``id``, ``took_ms`` and ``result`` or ``error``. ``exit_code`` is
    None where the process may live on.
    """

    wanted: Wanted
    answer: Matcher
    exit_code: Matcher | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One step of a file; ``number`` counts from 1, ``kind`` is the field that names the action."""

    number: int
    kind: str
    name: str | None
    place: Place
    when: When
    action: Action
    expectation: Expectation

    @property
    def title(self) -> str:
        """What it is called in the report."""
        fallback = self.action.method if isinstance(self.action, Request) else self.kind
        return f"#{self.number} {self.name or fallback}"


def as_answer_id(value: object) -> RequestId | None:
    """``value`` if an answer can carry it as its id; else the answer has the id nil."""
    try:
        return read_request_id(value)
    except InvalidRequest:
        return None
