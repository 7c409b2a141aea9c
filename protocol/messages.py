"""The envelope: JSON-RPC 2.0 messages as payloads, in both directions.

``decode_from_host`` never raises: what cannot be read comes back as a ``Refusal`` that says whom to
answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from protocol.errors import InvalidRequest, MethodNotFound, ParseError, SidecarError
from protocol.fields import as_fields
from protocol.hello import JSONRPC
from protocol.methods import Params
from protocol.params import CancelParams, RequestId
from protocol.payload import pack, unpack
from protocol.reports import Health, Progress, RequestProgress
from protocol.streams import StreamNotification
from protocol.wire_params import (
    METHODS,
    read_cancel,
    read_params,
    read_request_id,
    write_params,
)
from protocol.wire_reports import to_wire


@dataclass(frozen=True, slots=True)
class Request:
    """A host's request, its params checked."""

    id: RequestId
    params: Params


@dataclass(frozen=True, slots=True)
class Refusal:
    """A payload that is no valid request: answer ``id`` (None: unknown) with ``error``."""

    id: RequestId | None
    error: SidecarError


@dataclass(frozen=True, slots=True)
class Ignored:
    """A notification that this version cannot use. It is never answered; the log may say why."""

    reason: str


FromHost: TypeAlias = Request | CancelParams | Refusal | Ignored


@dataclass(frozen=True, slots=True)
class Result:
    """The child's answer to the request ``id``."""

    id: RequestId
    result: dict[str, object]


@dataclass(frozen=True, slots=True)
class Failure:
    """The child's refusal of the request ``id``; None where it could not tell which."""

    id: RequestId | None
    code: int
    message: str
    data: dict[str, object]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that the child tells unasked."""

    method: str
    params: dict[str, object]


Notification: TypeAlias = Health | Progress | RequestProgress | StreamNotification
FromChild: TypeAlias = Result | Failure | Notice


def decode_from_host(payload: bytes) -> FromHost:
    """What the host said in ``payload``."""
    request_id: RequestId | None = None
    is_notification = False
    try:
        message = unpack(payload)
        is_notification = message.get("id") is None and isinstance(message.get("method"), str)
        if not is_notification:
            request_id = read_request_id(message.get("id"))
        _check_envelope(message)
        method = message["method"]
        params = as_fields(_present(message.get("params")), "params")
        if is_notification:
            if method == CancelParams.method:
                return read_cancel(params)
            return Ignored(
                f"a notification {method!r:.60}: the only one that a host sends is cancel"
            )
        assert request_id is not None
        if method == CancelParams.method:
            raise InvalidRequest("cancel is a notification: send it without an id of its own")
        if method not in METHODS:
            raise MethodNotFound(f"there is no method {method!r:.60}", methods=list(METHODS))
        return Request(request_id, read_params(str(method), params))
    except SidecarError as error:
        if is_notification:
            return Ignored(error.message)
        return Refusal(request_id, error)


def _present(params: object) -> object:
    return {} if params is None else params


def _check_envelope(message: dict[str, object]) -> None:
    if message.get("jsonrpc") != JSONRPC:
        raise InvalidRequest(f'jsonrpc must be "2.0", not {message.get("jsonrpc")!r:.60}')
    if not isinstance(message.get("method"), str):
        raise InvalidRequest(f"method must be a string, not {message.get('method')!r:.60}")
    unknown = sorted(set(message) - {"jsonrpc", "id", "method", "params"})
    if unknown:
        raise InvalidRequest(f"the request has unknown fields: {', '.join(unknown)[:200]}")


def encode_request(request_id: RequestId, params: Params) -> bytes:
    """The payload with which a host asks for ``params``."""
    return pack(
        {
            "jsonrpc": JSONRPC,
            "id": request_id,
            "method": params.method,
            "params": write_params(params),
        }
    )


def encode_cancel(request_id: RequestId) -> bytes:
    """The payload with which a host withdraws the request ``request_id``."""
    params = CancelParams(request_id)
    return pack({"jsonrpc": JSONRPC, "method": params.method, "params": write_params(params)})


def encode_result(request_id: RequestId, result: object) -> bytes:
    """The payload that answers ``request_id`` with a result of ``reports`` (or a map of them)."""
    message = {"jsonrpc": JSONRPC, "id": request_id, "result": to_wire(result)}
    return pack(message, for_people=True)


def encode_error(request_id: RequestId | None, error: SidecarError) -> bytes:
    """The payload that answers ``request_id`` with ``error``."""
    message = {"jsonrpc": JSONRPC, "id": request_id, "error": error_map(error)}
    return pack(message, for_people=True)


def error_map(error: SidecarError) -> dict[str, object]:
    """``error`` as it stands in a response and in an item of a batch."""
    return {"code": error.code, "message": error.message, "data": error.data()}


def encode_notification(notification: Notification) -> bytes:
    """The payload of what the child tells unasked, once it has said hello."""
    params = to_wire(notification)
    message = {"jsonrpc": JSONRPC, "method": notification.method, "params": params}
    return pack(message, for_people=True)


def decode_from_child(payload: bytes) -> FromChild:
    """What the child said in ``payload``, for a host; unknown fields are ignored.

    Raises:
        SidecarError: the payload is nothing that a child of this protocol sends.
    """
    message = unpack(payload)
    if message.get("jsonrpc") != JSONRPC:
        raise ParseError(f'jsonrpc must be "2.0", not {message.get("jsonrpc")!r:.60}')
    match message:
        case {"method": str(method)}:
            return Notice(method, _read_map(message.get("params"), "params"))
        case {"error": {"code": int(code), "message": str(text), **rest}}:
            request_id = None if message.get("id") is None else read_request_id(message["id"])
            return Failure(request_id, code, text, _read_map(rest.get("data"), "data"))
        case {"result": dict(result)}:
            return Result(read_request_id(message.get("id")), result)
    raise ParseError(f"neither a result nor an error nor a notification: {sorted(message)!r:.200}")


def _read_map(value: object, name: str) -> dict[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ParseError(f"{name} must be a map, not {value!r:.60}")
    return value
