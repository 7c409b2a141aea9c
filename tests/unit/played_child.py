"""A child whose part a test plays, and what such a child says."""

from __future__ import annotations

import msgpack

from protocol.framing import FrameDecoder


class PlayedChild:
    """Says ``first``, then to each message what ``answer(message)`` yields: maps, or an exit code.

    Once its input is closed it ends with 0.
    """

    def __init__(self, answer, first, take):
        self.process = self
        self.received = []
        self._answer = answer
        self._take = take
        self._decoder = FrameDecoder()
        self._exit_code = None
        for said in first:
            self.say(said)

    def say(self, said):
        if self._exit_code is not None:
            return
        if isinstance(said, int):
            self._exit_code = said
            self._take(None)
        else:
            self._take(said if isinstance(said, bytes) else msgpack.packb(said))

    def write(self, data):
        if data[:3] == b"GET":
            said = self._answer(data)
        else:
            payloads = [msgpack.unpackb(payload) for payload in self._decoder.feed(data)]
            self.received += payloads
            said = [one for payload in payloads for one in self._answer(payload)]
        for one in said:
            self.say(one)

    def close_input(self):
        self.say(0)

    def wait(self, timeout=None):
        return self._exit_code


class Witness:
    def __init__(self):
        self.lines = []

    def sent(self, entry, body):
        self.lines.append(("sent", entry.number))

    def received(self, at, message, entry=None):
        self.lines.append(("received", entry and entry.number))


def result(message, **values):
    return {"jsonrpc": "2.0", "id": message["id"], "result": values}


def error(request_id, /, code=-32600, kind="invalid_request", **data):
    failure = {"code": code, "message": "m", "data": {"kind": kind, **data}}
    return {"jsonrpc": "2.0", "id": request_id, "error": failure}


def obey(message):
    return [result(message)] if message.get("id") is not None else []
