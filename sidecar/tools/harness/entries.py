"""The entries of a harness file. ``examples/README.txt`` tells people what such a file may hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import msgpack

from protocol.errors import InvalidRequest
from protocol.hello import JSONRPC
from protocol.params import RequestId
from protocol.reports import State
from protocol.wire_params import read_request_id
from sidecar.tools.harness.json_file import BadFile, Json, Node, Shape, read_nodes
from sidecar.tools.harness.matching import check_expected, differences
from sidecar.tools.harness.values import ValueBuilder

_STEP: dict[str, Shape] = {"name": "string", "when": ("ready", "now", "idle")}
_SENT: dict[str, Shape] = {**_STEP, "expect": None}
# What an entry can do, and the fields that it has for that.
_KINDS: dict[str, dict[str, Shape]] = {
    "method": {"method": "string", "params": None, "id": None, **_SENT},
    "notification": {"notification": "string", "params": None, **_SENT},
    "cancel": {"cancel": "string", **_SENT},
    "payload": {"payload": None, **_SENT},
    "frame": {"frame": None, "id": None, **_SENT},
    "raw": {"raw": None, "id": None, **_SENT},
    "close": {"close": (True,), **_SENT},
    "wait_for": {"wait_for": None, **_STEP},
}
_ANSWERED = ("method", "payload", "frame")


@dataclass(slots=True, eq=False)
class Entry:
    """One step of a file, and what became of it: it matched if there are no ``differences``.

    ``kind`` names the field that says what is done, and ``body`` is what for: a message or any
    value, bytes, or the notification that is waited for. ``expect`` has some of result, error, id,
    took_ms and exit.
    """

    number: int
    kind: str
    place: str
    title: str
    when: str  # ready, now or idle
    body: Json
    answer_id: RequestId | None
    wanted: str  # result, error, answer or nothing
    expect: dict[str, Json]
    is_played: bool = False
    sent_at: float = 0.0
    took_ms: float | None = None
    answer: dict[str, Json] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    def take_answer(self, payload: bytes, at: float) -> None:
        """Compare the answer, which came ``at`` (monotonic seconds), with what was expected."""
        self.took_ms = 1000 * (at - self.sent_at)
        self.answer = {**msgpack.unpackb(payload, object_hook=_flatten), "took_ms": self.took_ms}
        if self.wanted == "answer" or self.wanted in self.answer:
            of_answer = {name: self.expect[name] for name in self.expect if name != "exit"}
            self.differences += differences(of_answer, self.answer)
        elif self.wanted == "error":
            self.differences.append("a result came, not an error")
        else:
            error = {"kind": None, **self.answer["error"]}
            self.differences.append("the error {code} ({kind}) came: {message}".format_map(error))


def _flatten(fields: dict[str, Json]) -> dict[str, Json]:
    """If these are an error's: its data beside its code, as an expectation has it."""
    is_error = {"code", "message"} <= fields.keys()
    return {**(fields.get("data") or {}), **fields} if is_error else fields


@dataclass(frozen=True, slots=True)
class Stored:
    """In params, in place of the embedding that the answer to ``entry`` has, or its ``item``."""

    entry: Entry
    item: int | None
    speech_s: float | None = None

    def value(self) -> dict[str, Json]:
        """The embedding, its fingerprint, and of how much speech it is, if that is known.

        Raises:
            LookupError: the answer has none; so does ``TypeError``.
        """
        result = self.entry.answer.get("result", {})
        if self.item is not None and "embeddings" in result:
            n_bytes = 4 * result["dim"]
            embedding = result["embeddings"][self.item * n_bytes : (self.item + 1) * n_bytes]
            result = {**result, "embedding": embedding} if embedding else {}
        elif self.item is not None:
            result = result["results"][self.item]["result"]
        speech_s = self.speech_s
        if speech_s is None:
            speech_s = (result.get("quality") or {}).get("speech_s")
        stored = {name: result[name] for name in ("embedding", "fingerprint")}
        return stored if speech_s is None else {**stored, "speech_s": speech_s}

    def __str__(self) -> str:
        return "embedding" + ("" if self.item is None else f" at item {self.item}")


@dataclass(frozen=True, slots=True)
class ResultField:
    """In params, in place of what the answer to ``entry`` has as ``field``: ``people.0.id``."""

    entry: Entry
    field: str

    def value(self) -> Json:
        """The value; raises ``LookupError`` or ``TypeError`` if the answer has none."""
        value = self.entry.answer["result"]
        for step in self.field.split("."):
            value = value[int(step) if isinstance(value, list) and step.isdigit() else step]
        return value

    def __str__(self) -> str:
        return f"field {self.field}"


def read_entries(file: Path) -> list[Entry]:
    """The entries of a file.

    Raises:
        BadFile: it cannot be read, or is not as it must be; the message begins with the place.
    """
    reader = _EntryReader(file.absolute().parent)
    entries = [reader.read(n, node) for n, node in enumerate(read_nodes(file), start=1)]
    if not entries:
        raise BadFile(f"{file}: it has no entry")
    return entries


class _EntryReader:
    """Reads one entry after the other; an entry that another one refers to must stand before it."""

    def __init__(self, folder: Path) -> None:
        self._named: dict[str, Entry] = {}
        self._values = ValueBuilder(folder, self._find_earlier)

    def read(self, number: int, node: Node) -> Entry:
        kind = node.kind(_KINDS)
        name = node.value.get("name")
        try:
            body = self._read_body(kind, node)
            if kind == "method" and body.get("id") is None:
                body["id"] = f"#{number}"
            wanted, expect = self._read_expectation(kind, node)
            # msgpack asks about what is still to come, and about too large integers.
            msgpack.packb(body, default=lambda held: held if isinstance(held, int) else None)
        except (ValueError, OverflowError, RecursionError) as error:
            node.fail(f"cannot be used: {error}")
        entry = Entry(
            number=number,
            kind=kind,
            place=str(node),
            title=f"#{number} {name or node.value.get('method', kind)}",
            when=node.value.get("when", "now" if kind == "wait_for" else "ready"),
            body=body,
            answer_id=_read_answer_id(body if kind in {"method", "payload"} else node.value),
            wanted=wanted,
            expect=expect,
        )
        if name and self._named.setdefault(name, entry) is not entry:
            node["name"].fail(f"is that of {self._named[name].place} already")
        return entry

    def _read_body(self, kind: str, node: Node) -> Json:
        match kind:
            case "method" | "notification":
                given = [name for name in ("id", "params") if name in node.value]
                fields = {name: self._values.build(node[name]) for name in given}
                return {"jsonrpc": JSONRPC, "method": node.value[kind], **fields}
            case "cancel":
                entry = self._find(node[kind])
                if entry.answer_id is None:
                    node[kind].fail(f"is that of {entry.place}, which has no id to cancel it by")
                return {"jsonrpc": JSONRPC, "method": "cancel", "params": {"id": entry.answer_id}}
            case "wait_for":
                return self._read_notice(node[kind])
        body = self._values.build(node[kind])
        if kind in {"frame", "raw"} and not isinstance(body, bytes):
            node[kind].fail('must be bytes, such as {"$hex": ...}')
        return body

    def _read_notice(self, node: Node) -> Json:
        if isinstance(node.value, str):
            return {"method": "health", "params": {"state": node.check(get_args(State))}}
        node.fields({"method": None, "params": None})
        check_expected(node)
        return self._values.build(node)

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
        check_expected(node)
        if "result" in given or "error" in given:
            wanted = "error" if "error" in given else "result"
        elif wanted == "nothing" and given.keys() - {"exit"}:
            wanted = "answer"
        return wanted, self._values.build(node)

    def _find_earlier(self, node: Node) -> Stored | ResultField:
        given = node.value
        if "from" in given:
            return Stored(self._find(node["from"]), given.get("item"), given.get("speech_s"))
        if "field" not in given:
            node.fail("must say which field of that result")
        return ResultField(self._find(node["$result"]), given["field"])

    def _find(self, node: Node) -> Entry:
        return self._named.get(node.value) or node.fail("is a name that no entry before it has")


def _read_answer_id(message: Json) -> RequestId | None:
    """The id that the answer to ``message`` will have; None is nil."""
    try:
        return read_request_id(message.get("id")) if isinstance(message, dict) else None
    except InvalidRequest:
        return None
