"""Reads the entries of a harness file. ``vocabulary`` tells people what such a file may hold."""

from __future__ import annotations

from pathlib import Path
from typing import cast, get_args

import msgpack

from protocol.framing import encode_frame
from protocol.hello import JSONRPC
from protocol.params import RequestId
from protocol.reports import State
from sidecar.tools.harness.entry import (
    Action,
    Cancel,
    Close,
    Entry,
    Expectation,
    Request,
    WaitFor,
    Wanted,
    When,
    Write,
    as_answer_id,
)
from sidecar.tools.harness.expectations import equal, fields, read_matcher
from sidecar.tools.harness.located_json import BadFile, Node, read_json
from sidecar.tools.harness.values import Stored, ValueBuilder

_MAX_LENGTH = 2**32 - 1  # what a header can say; whether the child takes it is for the child to say
_COMMON = ("name", "when", "expect")
# What an entry can do, and which further fields that has.
_ACTIONS: dict[str, tuple[str, ...]] = {
    "method": ("params", "id"),
    "notification": ("params",),
    "cancel": (),
    "payload": (),
    "frame": ("id",),
    "raw": ("id",),
    "close": (),
    "wait_for": (),
}
_ANSWERED = ("method", "payload", "frame")
_OF_ANSWERS = ("result", "error", "id", "took_ms")
# The methods that embed, and whether their results have several embeddings.
_EMBEDS_MANY = {"embed": False, "embed_batch": True, "embed_windows": True}


def read_entries(path: Path) -> list[Entry]:
    """The entries of a file.

    Raises:
        BadFile: it cannot be read, or is not as it must be; the message has the place.
    """
    nodes = read_json(path)
    if not nodes:
        raise BadFile(str(path), "it has no entry")
    reader = _EntryReader(path.absolute().parent)
    return [reader.read(node) for node in nodes]


class _EntryReader:
    """Reads one entry after the other; an entry that another one refers to must stand before it."""

    def __init__(self, folder: Path) -> None:
        self._n_entries = 0
        self._named: dict[str, Entry] = {}
        self._values = ValueBuilder(folder, self._find_stored)

    def read(self, node: Node) -> Entry:
        members = node.members("an entry")
        kinds = [name for name in members if name in _ACTIONS]
        if len(kinds) != 1:
            node.members("an entry", (*_ACTIONS, "params", "id", *_COMMON))
            found = " and ".join(kinds) or "none"
            node.fail(f"an entry has exactly one of {', '.join(_ACTIONS)}, not {found}")
        [kind] = kinds
        node.members(f"an entry with {kind}", (kind, *_ACTIONS[kind], *_COMMON))
        self._n_entries += 1
        entry = Entry(
            number=self._n_entries,
            kind=kind,
            name=self._read_name(members.get("name")),
            place=node.place,
            when=_read_when(kind, members.get("when")),
            action=self._read_action(kind, members),
            expectation=self._read_expectation(kind, members.get("expect")),
        )
        if entry.name is not None:
            self._named[entry.name] = entry
        return entry

    def _read_name(self, node: Node | None) -> str | None:
        if node is None:
            return None
        name = node.text("name")
        if name in self._named:
            node.fail(f"the entry at {self._named[name].place} has the name {name!r} already")
        return name

    def _read_action(  # noqa: PLR0911 - one for each action
        self, kind: str, members: dict[str, Node]
    ) -> Action:
        node = members[kind]
        match kind:
            case "method":
                return self._read_request(node, members)
            case "notification":
                message: dict[str, object] = {"jsonrpc": JSONRPC, "method": node.text(kind)}
                if "params" in members:
                    message["params"] = self._values.build(members["params"])
                return _framed(message)
            case "cancel":
                return Cancel(self._find_cancellable(node).number)
            case "payload":
                return _framed(self._values.build(node))
            case "frame" | "raw":
                return self._read_bytes(kind, node, _read_answer_id(members.get("id")))
            case "close":
                if node.value is not True:
                    node.fail("close must be true")
                return Close()
            case _:
                return self._read_wait(node)

    def _read_request(self, node: Node, members: dict[str, Node]) -> Request:
        params = members.get("params")
        own_id = members.get("id")
        if own_id is not None and own_id.value is None:
            own_id.fail("a message without an id is a notification: write it as one")
        return Request(
            node.text("method"),
            None if params is None else self._values.build_params(params),
            None if own_id is None else self._values.build(own_id),
        )

    def _read_bytes(self, kind: str, node: Node, answer_id: RequestId | None) -> Write:
        data = self._values.build_bin(node)
        if kind == "raw":
            return Write(data, {"raw": data}, answer_id)
        if not data:
            node.fail("a frame cannot be empty; to send its header alone, use raw")
        return Write(encode_frame(data, _MAX_LENGTH), {"frame": data}, answer_id)

    def _read_wait(self, node: Node) -> WaitFor:
        if isinstance(node.value, str):
            state = node.choice("wait_for", get_args(State))
            health = fields({"method": equal("health"), "params": fields({"state": equal(state)})})
            return WaitFor(health, f"the state {state}")
        members = node.members("wait_for", ("method", "params"))
        if "method" not in members:
            node.fail("wait_for must be a state, or name the method of a notification")
        notice = read_matcher(node, self._values.build)
        return WaitFor(notice, f"the notification {members['method'].shown()}")

    def _read_expectation(self, kind: str, node: Node | None) -> Expectation:
        may_be_answered = kind in _ANSWERED or kind == "raw"
        wanted: Wanted = "result" if kind in _ANSWERED else "nothing"
        if node is None:
            return Expectation(wanted, fields({}))
        if kind == "wait_for":
            raise BadFile(node.key_place, "wait_for is an expectation itself, and has no other")
        if may_be_answered and isinstance(node.value, str):
            wanted = cast("Wanted", node.choice("expect", ("answer", "nothing")))
            return Expectation(wanted, fields({}))
        known = (*_OF_ANSWERS, "exit") if may_be_answered else ("exit",)
        members = node.members(f"expect of {kind}", known)
        if "result" in members and "error" in members:
            node.fail("an answer has a result or an error: only one of them can be expected")
        matchers = {
            name: read_matcher(member, self._values.build) for name, member in members.items()
        }
        exit_code = matchers.pop("exit", None)
        if "error" in matchers:
            wanted = "error"
        elif "result" in matchers:
            wanted = "result"
        elif matchers and kind == "raw":
            wanted = "answer"
        return Expectation(wanted, fields(matchers), exit_code)

    def _find_cancellable(self, node: Node) -> Entry:
        entry = self._find(node)
        match entry.action:
            case Request(id=own_id):
                has_id = own_id is None or as_answer_id(own_id) is not None
            case Write(id=own_id):
                has_id = own_id is not None
            case _:
                has_id = False
        if not has_id:
            node.fail(f"the entry at {entry.place} has no id by which it could be cancelled")
        return entry

    def _find_stored(self, node: Node) -> Stored:
        members = node.members("a stored embedding")
        entry = self._find(members["from"])
        method = entry.action.method if isinstance(entry.action, Request) else ""
        if method not in _EMBEDS_MANY:
            members["from"].fail(f"the entry at {entry.place} does not embed")
        if _EMBEDS_MANY[method] and "item" not in members:
            node.fail(f"the result of {method} has several embeddings: say which item, from 0 on")
        if not _EMBEDS_MANY[method] and "item" in members:
            members["item"].fail(f"the result of {method} has only one embedding")
        item = members["item"].integer("item") if "item" in members else None
        return Stored(entry.number, item)

    def _find(self, node: Node) -> Entry:
        name = node.text("an entry's name")
        if name not in self._named:
            node.fail(f"no entry before this one has the name {name!r}")
        return self._named[name]


def _read_when(kind: str, node: Node | None) -> When:
    if node is None:
        return "now" if kind == "wait_for" else "ready"
    return cast("When", node.choice("when", get_args(When)))


def _read_answer_id(node: Node | None) -> RequestId | None:
    if node is None:
        return None
    answer_id = as_answer_id(node.value)
    if answer_id is None:
        node.fail("it must be the id inside the bytes, one that an answer can carry")
    return answer_id


def _framed(message: object) -> Write:
    request_id = message.get("id") if isinstance(message, dict) else None
    payload = cast("bytes", msgpack.packb(message))
    return Write(encode_frame(payload, _MAX_LENGTH), {"message": message}, as_answer_id(request_id))
