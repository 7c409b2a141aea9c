"""What became of one entry: its answer, and where that differs from what was expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from protocol.messages import Failure, Result
from protocol.params import RequestId
from sidecar.tools.harness.entry import Entry
from sidecar.tools.harness.values import Stored

_BYTES_PER_NUMBER = 4


class NoEmbedding(Exception):
    """An earlier entry's result does not hold the embedding that was asked of it."""


@dataclass(slots=True)
class Course:
    """The course of an entry; at the end it matched if there are no ``differences``."""

    entry: Entry
    is_played: bool = False
    answer_id: RequestId | None = None
    sent_at: float | None = None
    took_ms: float | None = None
    answer: Result | Failure | None = None
    differences: list[str] = field(default_factory=list)

    def is_waiting(self) -> bool:
        """Whether an answer is still to come."""
        is_answered = self.entry.expectation.wanted == "nothing" or self.answer is not None
        return self.sent_at is not None and not is_answered

    def check_answer(self) -> None:
        """Compare the answer, which has come, with what was expected."""
        wanted = self.entry.expectation.wanted
        seen: dict[str, object] = {"took_ms": self.took_ms}
        match self.answer:
            case Failure(code=code, message=message, data=data):
                if wanted == "result":
                    told = f"{code} ({data.get('kind')}) {message}"
                    self.differences.append(f"an error came, not a result: {told}")
                    return
                seen |= {"id": self.answer.id, "error": _flat(code, message, data)}
            case Result(result=result):
                if wanted == "error":
                    self.differences.append("a result came, not an error")
                    return
                seen |= {"id": self.answer.id, "result": _with_flat_errors(result)}
        self.differences += self.entry.expectation.answer(seen, "")

    def check_exit(self, exit_code: int) -> None:
        """Compare the child's exit code with what was expected."""
        if self.entry.expectation.exit_code is not None:
            self.differences += self.entry.expectation.exit_code(exit_code, "the exit code")


def _flat(code: object, message: object, data: dict[str, object]) -> dict[str, object]:
    # So that an expectation need not tell that ``kind`` stands one level below ``code``.
    return {**data, "code": code, "message": message, "data": data}


def _with_flat_errors(result: dict[str, object]) -> dict[str, object]:
    items = result.get("results")
    if not isinstance(items, list):
        return result
    return {**result, "results": [_with_flat_error(item) for item in items]}


def _with_flat_error(item: object) -> object:
    match item:
        case {"error": {"code": code, "message": message, "data": dict(data)}}:
            return {"error": _flat(code, message, data)}
    return item


def put_stored(params: object, courses: Sequence[Course]) -> object:
    """``params`` with the embeddings that its ``Stored`` stand for.

    Raises:
        NoEmbedding: an entry did not yield one.
    """
    if isinstance(params, Stored):
        return _embedding_of(courses[params.number - 1], params.item)
    if isinstance(params, dict):
        return {name: put_stored(value, courses) for name, value in params.items()}
    if isinstance(params, list):
        return [put_stored(value, courses) for value in params]
    return params


def find_stored(params: object) -> list[int]:
    """The numbers of the entries whose embeddings ``params`` needs."""
    if isinstance(params, Stored):
        return [params.number]
    inner = list(params.values()) if isinstance(params, dict) else params
    return [n for value in inner for n in find_stored(value)] if isinstance(inner, list) else []


def _embedding_of(course: Course, item: int | None) -> dict[str, object]:
    result: object = course.answer.result if isinstance(course.answer, Result) else None
    match result:
        case {"embedding": bytes(embedding), "fingerprint": str(fingerprint)} if item is None:
            return {"embedding": embedding, "fingerprint": fingerprint}
        case {"results": list(results)} if item is not None and item < len(results):
            match results[item]:
                case {"result": {"embedding": bytes(embedding), "fingerprint": str(fingerprint)}}:
                    return {"embedding": embedding, "fingerprint": fingerprint}
        case {
            "embeddings": bytes(embeddings),
            "dim": int(dim),
            "fingerprint": str(fingerprint),
        } if item is not None and (item + 1) * dim * _BYTES_PER_NUMBER <= len(embeddings):
            n_bytes = dim * _BYTES_PER_NUMBER
            embedding = embeddings[item * n_bytes : (item + 1) * n_bytes]
            return {"embedding": embedding, "fingerprint": fingerprint}
    which = "" if item is None else f" at item {item}"
    raise NoEmbedding(f"{course.entry.title} has no embedding{which}")
