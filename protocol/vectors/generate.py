"""Writes the golden vectors: ``python -m protocol.vectors.generate``.

README.md beside this file says how to read them. To change one is to change the protocol: a test
regenerates them all and compares.
"""

from __future__ import annotations

import json
from pathlib import Path

from protocol.vectors.diarization import (
    diarize_replies,
    diarize_requests,
    refused_diarize_requests,
)
from protocol.vectors.malformed import refused_requests, streams
from protocol.vectors.people import people_requests, refused_people_requests
from protocol.vectors.people_replies import people_replies
from protocol.vectors.replies import child_messages
from protocol.vectors.requests import failing_requests, valid_requests
from protocol.vectors.speech import refused_speech_requests, speech_requests
from protocol.vectors.streams import (
    refused_stream_requests,
    stream_replies,
    stream_requests,
)
from protocol.vectors.vector import Vector

FOLDER = Path(__file__).parent


def vectors() -> list[Vector]:
    """All of them."""
    groups = (
        *(valid_requests, failing_requests, refused_requests, streams, child_messages),
        *(speech_requests, refused_speech_requests, people_requests, refused_people_requests),
        *(people_replies, diarize_requests, refused_diarize_requests, diarize_replies),
        *(stream_requests, refused_stream_requests, stream_replies),
    )
    return [vector for group in groups for vector in group()]


def contents() -> dict[str, bytes]:
    """Every file of the folder by name."""
    files: dict[str, bytes] = {}
    for vector in vectors():
        text = json.dumps(vector.meaning(), ensure_ascii=False, indent=2)
        files[f"{vector.name}.bin"] = vector.stream
        files[f"{vector.name}.json"] = text.encode() + b"\n"
    return files


if __name__ == "__main__":
    for name, content in contents().items():
        (FOLDER / name).write_bytes(content)
