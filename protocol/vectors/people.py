"""Vectors of the gallery of people; of 1.2.

A child may have any gallery here, also an empty one in memory: what is asked for holds for each.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from protocol.vectors.speech import SILENCE
from protocol.vectors.vector import (
    FINGERPRINT,
    Vector,
    fulfilled,
    pcm_f32,
    refused_params,
    request,
    tone,
    unfulfilled,
)

_STORED = {
    "embedding": struct.pack("<4f", 1, 0, 0, 0),
    "fingerprint": FINGERPRINT,
    "speech_s": 4.0,
}
_NOBODY = "00000000-nobody"


def people_requests() -> Iterator[Vector]:
    """Requests to the gallery, and those that it cannot fulfil."""
    audio = pcm_f32(tone())
    whole = {"audio": audio, "speech": "all"}
    fulfilled_cases: list[tuple[str, str, str, object, tuple[str, ...]]] = [
        (
            "enroll_audio",
            "enroll",
            "an audio that is too short for a print: what is missing is told",
            {"name": "Zoë", **whole, "deadline_ms": 60_000},
            ("name", "created", "used", "progress", "speech_s", "needed_s", "prints"),
        ),
        ("people", "people", "everybody", {}, ("people",)),
        (
            "identify",
            "identify",
            "among whoever is there, with all options",
            {**whole, "top": 3, "far": 0.001, "adapt": False, "deadline_ms": 60_000},
            ("decision", "matches", "speech_s", "fingerprint"),
        ),
        (
            "identify_prior",
            "identify",
            "with a prior in place of a share of strangers",
            {**whole, "prior": 0.1},
            ("decision", "matches"),
        ),
        ("export_people", "export_people", "all of them", None, ("data", "people")),
    ]
    for case in fulfilled_cases:
        yield fulfilled(*case)
    unknown: list[tuple[str, str, object]] = [
        ("enroll_more", "enroll", {"id": _NOBODY, **whole}),
        ("enroll_more_of_a_name", "enroll", {"id": _NOBODY, "name": "Zoë", **whole}),
        ("person", "person", {"id": _NOBODY}),
        ("rename_person", "rename_person", {"id": _NOBODY, "name": "Zoë Müller"}),
        ("forget_person", "forget_person", {"id": _NOBODY}),
        ("forget_print", "forget_person", {"id": _NOBODY, "print": "1"}),
        ("verify", "verify", {"id": _NOBODY, **whole, "far": 0.001}),
        ("verify_prior", "verify", {"id": _NOBODY, **whole, "prior": 0.5}),
        ("export_of_nobody", "export_people", {"ids": [_NOBODY]}),
    ]
    for name, method, params in unknown:
        yield unfulfilled(
            name, "of nobody who is there", request(3, method, params), -32013, "unknown_person"
        )
    for name, method, params in (
        ("enroll_no_speech", "enroll", {"name": "Zoë", "audio": SILENCE}),
        ("identify_no_speech", "identify", {"audio": SILENCE}),
    ):
        yield unfulfilled(name, "nobody speaks", request(3, method, params), -32010, "no_speech")
    other_model: list[tuple[str, str, object]] = [
        ("enroll_other_model", "enroll", {"name": "Zoë", "embeddings": [_STORED, _STORED]}),
        ("identify_other_model", "identify", {"audio": _STORED}),
    ]
    for name, method, params in other_model:
        kind = "incompatible_embeddings"
        yield unfulfilled(
            name, "an embedding of no model here", request(3, method, params), -32012, kind
        )
    yield unfulfilled(
        "import_rubbish",
        "bytes that no export gave: nothing of them is taken",
        request(3, "import_people", {"data": b"no export", "replace": True}),
        -32602,
        "invalid_params",
    )


def refused_people_requests() -> Iterator[Vector]:
    """Requests to the gallery with params that cannot be."""
    audio = pcm_f32(tone(0.05))
    bare = {name: _STORED[name] for name in ("embedding", "fingerprint")}
    cases: list[tuple[str, str, str, object, str]] = [
        ("enroll_nothing", "no voice", "enroll", {"name": "Zoë"}, "invalid_params"),
        (
            "enroll_both",
            "audio and embeddings at once",
            "enroll",
            {"name": "Zoë", "audio": audio, "embeddings": [_STORED]},
            "invalid_params",
        ),
        ("enroll_nameless", "no name, no id", "enroll", {"audio": audio}, "invalid_params"),
        (
            "enroll_two_lines",
            "a name with a newline",
            "enroll",
            {"name": "Zoë\nMüller", "audio": audio},
            "invalid_params",
        ),
        (
            "enroll_blank",
            "a name of blanks",
            "enroll",
            {"name": "  ", "audio": audio},
            "invalid_params",
        ),
        (
            "enroll_long_name",
            "a name of 257 bytes",
            "enroll",
            {"name": "é" * 128 + "e", "audio": audio},
            "invalid_params",
        ),
        (
            "enroll_no_embeddings",
            "an array of no embeddings",
            "enroll",
            {"name": "Zoë", "embeddings": []},
            "invalid_params",
        ),
        (
            "enroll_many_embeddings",
            "257 embeddings",
            "enroll",
            {"name": "Zoë", "embeddings": [_STORED] * 257},
            "invalid_params",
        ),
        (
            "enroll_without_speech_s",
            "an embedding of which nobody knows how much speech there was",
            "enroll",
            {"name": "Zoë", "embeddings": [_STORED, bare]},
            "missing_field",
        ),
        (
            "enroll_speech_of_embeddings",
            "speech of what is no audio",
            "enroll",
            {"name": "Zoë", "embeddings": [_STORED], "speech": "all"},
            "unknown_field",
        ),
        ("person_of_no_id", "an empty id", "person", {"id": ""}, "invalid_params"),
        ("person_number", "an id that is no string", "person", {"id": 7}, "invalid_params"),
        ("people_of_an_id", "people is of everybody", "people", {"id": "7"}, "unknown_field"),
        ("rename_nameless", "no new name", "rename_person", {"id": "7"}, "missing_field"),
        (
            "forget_long_id",
            "an id of 65 bytes",
            "forget_person",
            {"id": "7" * 65},
            "invalid_params",
        ),
        ("verify_nobody", "no id", "verify", {"audio": audio}, "missing_field"),
        (
            "verify_far_and_prior",
            "an operating point that is given twice",
            "verify",
            {"id": "7", "audio": audio, "far": 0.01, "prior": 0.5},
            "invalid_params",
        ),
        (
            "verify_top",
            "verify is of one person",
            "verify",
            {"id": "7", "audio": audio, "top": 1},
            "unknown_field",
        ),
        ("identify_top_0", "no match", "identify", {"audio": audio, "top": 0}, "invalid_params"),
        (
            "identify_top_1001",
            "more matches than can be told",
            "identify",
            {"audio": audio, "top": 1001},
            "invalid_params",
        ),
        (
            "identify_adapt_word",
            "adapt is a boolean",
            "identify",
            {"audio": audio, "adapt": "yes"},
            "invalid_params",
        ),
        ("export_no_ids", "an export of nobody", "export_people", {"ids": []}, "invalid_params"),
        ("import_nothing", "no data", "import_people", {}, "missing_field"),
        ("import_text", "data as a string", "import_people", {"data": "x"}, "invalid_params"),
    ]
    for case in cases:
        yield refused_params(*case)
