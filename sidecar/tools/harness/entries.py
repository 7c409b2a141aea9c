"""The entries of a harness file. ``vocabulary`` tells people what such a file may hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import msgpack

from protocol.errors import InvalidRequest
from protocol.hello import JSONRPC
from protocol.params import RequestId, read_request_id
from protocol.reports import State
from sidecar.tools.harness.json_file import BadFile, Json, Node, Shape, read_nodes, shown
from sidecar.tools.harness.matching import check_expected, differences
from sidecar.tools.harness.values import Stored, ValueBuilder

# ready: the child serves, and fewer than --jobs entries wait for their answers. idle: none does.
_COMMON: dict[str, Shape] = {"name": "string", "when": ("ready", "now", "idle"), "expect": None}
# What an entry can do, and the fields that it has for that.
_KINDS: dict[str, dict[str, Shape]] = {
    "method": {"method": "string", "params": None, "id": None, **_COMMON},
    "notification": {"notification": "string", "params": None, **_COMMON},
    "cancel": {"cancel": "string", **_COMMON},
    "payload": {"payload": None, **_COMMON},
    "frame": {"frame": None, "id": None, **_COMMON},
    "raw": {"raw": None, "id": None, **_COMMON},
    "close": {"close": "boolean", **_COMMON},
    "wait_for": {"wait_for": None, "name": "string", "when": _COMMON["when"]},
}
_ANSWERED = ("method", "payload", "frame")
# The methods that embed, and whether their results have several embeddings.
_EMBEDS_MANY = {"embed": False, "embed_batch": True, "embed_windows": True}


@dataclass(slots=True)
class Entry:
    """One step of a file, and what became of it: it matched if there are no ``differences``.

    ``kind`` names the field that says what is done, and ``body`` is what for: a message (without an
    id where the harness chooses it), any value, bytes, the entry that is cancelled, or the
    notification that is waited for. ``expect`` has some of result, error, id, took_ms and exit.
    """

    number: int
    kind: str
    place: str
    name: str | None
    when: str
    body: Json
    answer_id: RequestId | None
    wanted: str  # result, error, answer or nothing
    expect: dict[str, Json]
    is_played: bool = False
    sent_at: float | None = None
    took_ms: float | None = None
    answer: dict[str, Json] | None = None
    differences: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        """What it is called in the report."""
        fallback = self.body["method"] if self.kind == "method" else self.kind
        return f"#{self.number} {self.name or fallback}"

    @property
    def awaited(self) -> str:
        """What a ``wait_for`` waits for."""
        match self.body:
            case {"method": "health", "params": {"state": str(state)}}:
                return f"the state {state}"
        return f"the notification {shown(self.body['method'])}"

    @property
    def is_waiting(self) -> bool:
        """Whether an answer is still to come."""
        return self.sent_at is not None and self.wanted != "nothing" and self.answer is None

    def take_answer(self, answer: dict[str, Json], at: float) -> None:
        """Compare ``answer``, which came ``at`` (monotonic seconds), with what was expected."""
        assert self.sent_at is not None
        self.answer, self.took_ms = answer, 1000 * (at - self.sent_at)
        seen = {**_with_flat_errors(answer), "took_ms": self.took_ms}
        if self.wanted == "result" and "error" in seen:
            error = {"kind": None, **seen["error"]}
            told = "an error came, not a result: {code} ({kind}) {message}".format_map(error)
            self.differences.append(told)
        elif self.wanted == "error" and "result" in seen:
            self.differences.append("a result came, not an error")
        else:
            of_answer = {name: self.expect[name] for name in self.expect if name != "exit"}
            self.differences += differences(of_answer, seen)


def _with_flat_errors(value: Json) -> Json:
    """``value`` with the data of each error beside its code, as an expectation has it."""
    if isinstance(value, list):
        return [_with_flat_errors(item) for item in value]
    if not isinstance(value, dict):
        return value
    flat = {name: _with_flat_errors(inner) for name, inner in value.items()}
    return {**(flat.get("data") or {}), **flat} if {"code", "message"} <= flat.keys() else flat


def read_entries(file: Path) -> list[Entry]:
    """The entries of a file.

    Raises:
        BadFile: it cannot be read, or is not as it must be; the message begins with the place.
    """
    reader = _EntryReader(file.absolute().parent)
    for node in read_nodes(file):
        reader.entries.append(reader.read(node))
    if not reader.entries:
        raise BadFile(f"{file}: it has no entry")
    return reader.entries


class _EntryReader:
    """Reads one entry after the other; an entry that another one refers to must stand before it."""

    def __init__(self, folder: Path) -> None:
        self.entries: list[Entry] = []
        self._values = ValueBuilder(folder, self._find_stored)

    def read(self, node: Node) -> Entry:
        kind = node.only_one_of(_KINDS)
        given = node.fields(_KINDS[kind])
        try:
            body = self._read_body(kind, node)
            msgpack.packb(body, default=_as_nil)
            wanted, expect = self._read_expectation(kind, node)
        except (ValueError, OverflowError) as error:
            node.fail(f"cannot be packed: {error}")
        given_id = body.get("id") if isinstance(body, dict) else None
        if kind in {"frame", "raw"} and "id" in given:
            given_id = given["id"]
            if _as_answer_id(given_id) is None:
                node["id"].fail("must be the id inside the bytes, one that an answer can carry")
        return Entry(
            number=len(self.entries) + 1,
            kind=kind,
            place=str(node),
            name=self._read_name(node["name"]) if "name" in given else None,
            when=given.get("when", "now" if kind == "wait_for" else "ready"),
            body=body,
            answer_id=_as_answer_id(given_id),
            wanted=wanted,
            expect=expect,
        )

    def _read_name(self, node: Node) -> str:
        name: str = node.value or node.fail("must not be empty")
        for entry in self.entries:
            if entry.name == name:
                node.fail(f"is that of {entry.place} already")
        return name

    def _read_body(self, kind: str, node: Node) -> Json:
        match kind:
            case "method" | "notification":
                return self._read_message(kind, node)
            case "payload":
                return self._values.build(node[kind])
            case "frame" | "raw":
                data = self._values.build(node[kind])
                if not isinstance(data, bytes):
                    node[kind].fail('must be bytes, such as {"$hex": ...}')
                if kind == "frame" and not data:
                    node[kind].fail("must not be empty; to send its header alone, use raw")
                return data
            case "cancel":
                entry = self._find(node[kind])
                is_given_an_id = entry.kind == "method" and "id" not in entry.body
                if entry.answer_id is None and not is_given_an_id:
                    node[kind].fail(f"is that of {entry.place}, which has no id to cancel it by")
                return entry
            case "wait_for":
                return self._read_notice(node[kind])
        return node[kind].value is True or node[kind].fail("must be true")

    def _read_message(self, kind: str, node: Node) -> dict[str, Json]:
        message = {"jsonrpc": JSONRPC, "method": node.value[kind]}
        if "id" in node.value:
            message["id"] = self._values.build(node["id"])
            if message["id"] is None:
                node["id"].fail("must not be null: without an id it is a notification")
        if "params" in node.value:
            build = self._values.build_params if kind == "method" else self._values.build
            message["params"] = build(node["params"])
        return message

    def _read_notice(self, node: Node) -> dict[str, Json]:
        if isinstance(node.value, str):
            return {"method": "health", "params": {"state": node.check(get_args(State))}}
        if "method" not in node.fields({"method": None, "params": None}):
            node.fail("must be a state, or name the method of a notification")
        check_expected(node)
        notice: dict[str, Json] = self._values.build(node)
        return notice

    def _read_expectation(self, kind: str, entry_node: Node) -> tuple[str, dict[str, Json]]:
        """Which answer is wanted, and what is expected of that and of the child's exit code."""
        wanted = "result" if kind in _ANSWERED else "nothing"
        if "expect" not in entry_node.value:
            return wanted, {}
        node = entry_node["expect"]
        of_answer = ("result", "error", "id", "took_ms") if kind in (*_ANSWERED, "raw") else ()
        if of_answer and isinstance(node.value, str):
            return node.check(("answer", "nothing")), {}
        given = node.fields(dict.fromkeys((*of_answer, "exit")))
        found = [name for name in of_answer if name in given]
        if found[:2] == ["result", "error"]:
            node.fail("has result and error, but an answer has only one of them")
        check_expected(node)
        if found:
            wanted = found[0] if found[0] in {"result", "error"} else wanted
            wanted = "answer" if wanted == "nothing" else wanted
        return wanted, self._values.build(node)

    def _find_stored(self, node: Node) -> Stored:
        entry = self._find(node["from"])
        method = entry.body["method"] if entry.kind == "method" else None
        if method not in _EMBEDS_MANY:
            node["from"].fail(f"is that of {entry.place}, which does not embed")
        if _EMBEDS_MANY[method] and "item" not in node.value:
            node.fail(f"must say which item: the result of {method} has several embeddings")
        if not _EMBEDS_MANY[method] and "item" in node.value:
            node["item"].fail(f"is not for {method}, whose result has only one embedding")
        return Stored(entry.number, node.value.get("item"))

    def _find(self, node: Node) -> Entry:
        found = [entry for entry in self.entries if entry.name == node.value]
        return found[0] if found else node.fail("is a name that no entry before this one has")


def _as_answer_id(value: object) -> RequestId | None:
    """``value`` if an answer can carry it as its id; else the answer has the id nil."""
    try:
        return read_request_id(value)
    except InvalidRequest:
        return None


def _as_nil(value: object) -> None:
    """What msgpack gets for an embedding that is still to come."""
    if isinstance(value, int):
        raise OverflowError("an integer of more than 64 bits")
