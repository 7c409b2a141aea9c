"""Who spoke when, as other programs read it: RTTM, WebVTT, JSON."""

from __future__ import annotations

import base64
import html
import json
import re

from sidecar.tools.diarized_files import DiarizedFile


def as_rttm(recording: DiarizedFile) -> str:
    """A ``SPEAKER`` line for each turn: see ``sidecar.tools.recording`` for the fields."""
    return "".join(
        f"SPEAKER {_word(recording.path.stem)} 1 {turn.start_s:.3f} "
        f"{turn.end_s - turn.start_s:.3f} <NA> <NA> {_word(turn.name)} <NA> <NA>\n"
        for turn in recording.turns
    )


def as_vtt(recording: DiarizedFile) -> str:
    """A cue for each turn, with the speaker as its voice: https://www.w3.org/TR/webvtt1."""
    cues = (
        f"\n{_clock(turn.start_s)} --> {_clock(turn.end_s)}\n"
        f"<v {_text(turn.name)}>{_text(turn.name)}</v>\n"
        for turn in recording.turns
    )
    return "".join(("WEBVTT\n", *cues))


def as_json(recording: DiarizedFile) -> str:
    """The whole answer; an embedding is ``{"$bin": base64}``, as in the protocol's pages."""
    answer = {"file": recording.path.name, **recording.result}
    return json.dumps(answer, indent=2, ensure_ascii=False, default=_bin) + "\n"


def _bin(value: bytes) -> dict[str, str]:
    return {"$bin": base64.b64encode(value).decode()}


def _word(text: str) -> str:
    """RTTM's fields are parted by blanks."""
    return re.sub(r"\s+", "_", text) or "_"


def _text(text: str) -> str:
    return html.escape(" ".join(text.split()), quote=False)


def _clock(seconds: float) -> str:
    minutes, milliseconds = divmod(round(1000 * seconds), 60_000)
    hours, minutes = divmod(minutes, 60)
    whole, milliseconds = divmod(milliseconds, 1000)
    return f"{hours:02}:{minutes:02}:{whole:02}.{milliseconds:03}"
