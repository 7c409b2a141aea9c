"""The one error tree: every way in which a request can fail, each with its wire code.

Code that refuses a request raises one of these, wherever it stands; the server turns it into the
``error`` of the response. ``SidecarError`` is abstract: raise the class that names the fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

ErrorDetail = str | int | float | bool | None | list[str]


class SidecarError(Exception):
    """A request's failure, as the wire tells it.

    Args:
        message: what was wrong and what to do, with the numbers; shown to people.
        kind: a stable word for programs, narrower than the code; the class has a default.
        details: further fields of ``error.data`` (limits, sizes, a request's id ...).
    """

    code: ClassVar[int]
    default_kind: ClassVar[str]
    # True: the same request, sent again to this process later or to its successor, may succeed.
    retryable: bool = False
    # Kinds for which that is so, where it is not for the whole class.
    retryable_kinds: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, message: str, kind: str | None = None, **details: ErrorDetail) -> None:
        if type(self) is SidecarError:
            raise TypeError("SidecarError is abstract: raise the subclass that names the fault")
        super().__init__(message)
        self.message = message
        self.kind = kind or self.default_kind
        self.retryable = self.retryable or self.kind in self.retryable_kinds
        self.details: Mapping[str, ErrorDetail] = details

    def data(self) -> dict[str, ErrorDetail]:
        """The wire's ``error.data`` map."""
        return {"kind": self.kind, "retryable": self.retryable, **self.details}


class ParseError(SidecarError):
    """The payload is not one well-formed msgpack value of this protocol."""

    code = -32700
    default_kind = "malformed"


class InvalidRequest(SidecarError):
    """A well-formed payload that is not a request."""

    code = -32600
    default_kind = "invalid_request"


class MethodNotFound(SidecarError):
    """A request for a method that this protocol version does not have."""

    code = -32601
    default_kind = "method_not_found"


class InvalidParams(SidecarError):
    """Params that are missing, unknown, of the wrong type, or beyond this child's limits."""

    code = -32602
    default_kind = "invalid_params"


class InternalError(SidecarError):
    """A fault of the child's own."""

    code = -32603
    default_kind = "internal"


class Overloaded(SidecarError):
    """The bounded queue is full; nothing of the request was kept."""

    code = -32001
    default_kind = "overloaded"
    retryable = True


class Draining(SidecarError):
    """The child is shutting down and admits no more work."""

    code = -32003
    default_kind = "draining"
    retryable = True


class DeadlineExceeded(SidecarError):
    """The request's ``deadline_ms`` passed before its result was there."""

    code = -32004
    default_kind = "deadline_exceeded"


class Cancelled(SidecarError):
    """The host cancelled the request, or closed the connection while it waited."""

    code = -32800
    default_kind = "cancelled"


class BadAudio(SidecarError):
    """Audio that cannot be decoded, or that the model cannot embed. ``kind`` says which way."""

    code = -32010
    default_kind = "bad_audio"


class ModelUnavailable(SidecarError):
    """The model's weights are absent, incomplete or damaged, and could not be fetched."""

    code = -32011
    default_kind = "model_unavailable"
    retryable_kinds = frozenset({"download_failed", "disk_full"})


class IncompatibleEmbeddings(SidecarError):
    """Two embeddings whose fingerprints differ: they lie in different spaces."""

    code = -32012
    default_kind = "incompatible_embeddings"


class UnknownPerson(SidecarError):
    """Nobody of that id is in the gallery, or no print of that id is that person's."""

    code = -32013
    default_kind = "unknown_person"


class GalleryUnavailable(SidecarError):
    """The gallery's file cannot be read or written, or is none."""

    code = -32014
    default_kind = "gallery_unavailable"
    retryable_kinds = frozenset({"gallery_locked", "disk_full"})


class UnknownStream(SidecarError):
    """No stream of that name is open."""

    code = -32015
    default_kind = "unknown_stream"


class DeviceError(SidecarError):
    """The compute device failed; the process ends, and its successor may do better.

    ``hearing_hangs`` is about a stream alone: the process goes on.
    """

    code = -32020
    default_kind = "device_error"
    retryable = True


class OutOfMemory(SidecarError):
    """The device has too little memory for this request alone."""

    code = -32021
    default_kind = "out_of_memory"


class FramingError(ParseError):
    """A length prefix that cannot be: the stream is lost, and so is the connection."""

    default_kind = "frame_length"
