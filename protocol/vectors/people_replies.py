"""Vectors of what a host receives since 1.2: speech, quality, what a cosine means, people."""

from __future__ import annotations

from collections.abc import Iterator

from protocol.vectors.vector import FINGERPRINT, Vector, told

_QUALITY: dict[str, object] = {
    "speech_s": 3.5,
    "level_dbfs": -24.5,
    "snr_db": 18.25,
    "clipped_share": 0.0,
    "bandwidth_hz": 7900.0,
    "channel_correlation": None,
    "flags": [],
}
_POOR = {
    "speech_s": 0.0,
    "level_dbfs": None,
    "snr_db": None,
    "clipped_share": 0.0,
    "bandwidth_hz": None,
    "channel_correlation": None,
    "flags": ["silent", "little_speech", "later"],
}
_ADA = {"id": "p-1", "name": "Ada"}
_ZOE = {"id": "p-2", "name": "Zoë"}
_TIMES = {"created_at": "2026-03-01T09:30:00Z", "updated_at": "2026-03-02T17:05:12Z"}
_MEANING = {
    "llr": 6.5,
    "probability": 0.9985,
    "same": True,
    "threshold": 1.25,
    "at": "far 1 %",
}


def people_replies() -> Iterator[Vector]:
    """A result of each new method, where they differ several, and an error with its details."""
    person = {
        **_ADA,
        "prints": 1,
        "speech_s": 7.25,
        "needed_s": 0.0,
        "progress": 1.0,
        **_TIMES,
    }
    pending = {
        **_ZOE,
        "prints": 0,
        "speech_s": 1.5,
        "needed_s": 1.5,
        "progress": 0.5,
        **_TIMES,
    }
    kept = {"id": "r-1", "speech_s": 7.25, "audios": 2, "fingerprint": FINGERPRINT, **_TIMES}
    told_of = {"speech_s": 3.5, "fingerprint": FINGERPRINT, "quality": _QUALITY}
    alike = {"warnings": [{"kind": "sounds_like", "message": "it sounds like Ada", **_ADA}]}
    matches = [
        {**_ADA, "cosine": 0.75, "llr": 6.5, "probability": 0.998},
        {**_ZOE, "cosine": 0.125, "llr": -4.0, "probability": 0.0005},
    ]
    point = {"threshold": 1.95, "at": "far 1 %"}
    results: list[tuple[str, str, dict[str, object]]] = [
        (
            "speech_result",
            "two segments of speech; a segment's end may be an integer",
            {"segments": [[0.5, 2], [2.75, 4.75]], "speech_s": 3.5, "duration_s": 6.0},
        ),
        (
            "score_result_with_meaning",
            "a cosine, what it means, and the quality of one of the two",
            {"cosine": 0.75, "fingerprint": FINGERPRINT, **_MEANING, "quality_b": _QUALITY},
        ),
        (
            "enroll_result",
            "a new person, of whom there is not enough speech yet, who sounds like another",
            {
                **_ZOE,
                "created": True,
                "used": True,
                "progress": 0.5,
                "speech_s": 1.5,
                "needed_s": 1.5,
                "agreement": None,
                "prints": 0,
                "quality": _QUALITY,
                **alike,
            },
        ),
        (
            "enroll_more_result",
            "more of a person: the print is there",
            {
                **_ADA,
                "created": False,
                "used": True,
                "progress": 1,
                "speech_s": 7.25,
                "needed_s": 0,
                "agreement": 0.875,
                "prints": 1,
                "quality": _QUALITY,
            },
        ),
        ("people_result", "a person with a print, and one without", {"people": [person, pending]}),
        (
            "people_result_page",
            "one of the people; there are more behind p-1",
            {"people": [person], "next": "p-1"},
        ),
        (
            "person_result",
            "a person, and the prints: the second was made by identify, of another model",
            {
                "person": person,
                "prints": [
                    {**kept, "usable": True, "adapted": False},
                    {**kept, "id": "r-2", "fingerprint": "f", "usable": False, "adapted": True},
                ],
            },
        ),
        ("rename_result", "a person with another name", {**person, "name": "Ada Lovelace"}),
        ("forget_result", "a person who is gone, with one print", {**_ADA, "prints": 1}),
        (
            "verify_result",
            "it is the person",
            {**_ADA, "cosine": 0.75, **_MEANING, **told_of},
        ),
        (
            "verify_result_without_calibration",
            "a cosine; nobody knows what it means",
            {**_ADA, "cosine": 0.75, **dict.fromkeys(_MEANING), **told_of},
        ),
        (
            "identify_result",
            "a person of the gallery, to whom the audio was added",
            {"decision": "known", "person": _ADA, "matches": matches}
            | {**point, **told_of, "adapted": "r-2"},
        ),
        (
            "identify_result_unknown",
            "nobody of the gallery; prints of another model were left out",
            {"decision": "unknown", "person": None, "matches": [matches[1]]}
            | {**point, **told_of}
            | {"warnings": [{"kind": "other_model", "message": "of another model", "prints": 3}]},
        ),
        (
            "export_result",
            "some people; there are more behind p-2",
            {"data": b"\x00people\xff", "people": 2, "next": "p-2"},
        ),
        ("export_result_last", "the last of them", {"data": b"\x01", "people": 1}),
        ("import_result", "what became of them", {"added": 2, "replaced": 0, "kept": 1}),
    ]
    for name, what, fields in results:
        yield told(name, what, {"id": 12, "result": fields})
    data = {"kind": "no_speech", "retryable": False, "speech_s": 0.25, "needed_s": 0.5}
    refusal = {"code": -32010, "message": "there is too little speech in it", "data": data}
    yield told("error_no_speech", "error -32010, too little speech", {"id": 8, "error": refusal})
    yield told(
        "batch_result_with_quality",
        "an entry of a batch: an embedding of silence, with what is known of its quality",
        {
            "id": "b-2",
            "result": {
                "results": [
                    {
                        "result": {
                            "embedding": bytes(16),
                            "dim": 4,
                            "model": "campplus-zh-en",
                            "fingerprint": FINGERPRINT,
                            "normalized": True,
                            "duration_s": 1,
                            "device": "cpu",
                            "batch_size": 1,
                            "quality": _POOR,
                            "timings": {"decode_ms": 0.1, "queue_ms": 0, "compute_ms": 9.5},
                        }
                    }
                ]
            },
        },
    )
