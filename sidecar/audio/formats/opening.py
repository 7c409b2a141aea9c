"""From the bytes of a file to what decodes it: the one place that knows all formats."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator

from protocol.errors import BadAudio
from sidecar.audio.formats import magic
from sidecar.audio.formats.aiff_chunks import read_aiff
from sidecar.audio.formats.audio_bytes import AudioBytes
from sidecar.audio.formats.caf_chunks import read_caf
from sidecar.audio.formats.containers import ADVICE, open_container
from sidecar.audio.formats.findings import Findings
from sidecar.audio.formats.flac_file import DECODED_BITS, FlacFile
from sidecar.audio.formats.libsndfile import damaged
from sidecar.audio.formats.magic import Kind, identify
from sidecar.audio.formats.mp3_file import open_mp3
from sidecar.audio.formats.ogg_file import open_ogg
from sidecar.audio.formats.plain_headers import read_au, read_sphere, read_w64
from sidecar.audio.formats.recording import Recording
from sidecar.audio.formats.sample_data import SampleData
from sidecar.audio.formats.sample_file import CodedFile, SampleFile, present, tell_odd_ends
from sidecar.audio.formats.tags import tags_end
from sidecar.audio.formats.wav_chunks import read_wav

_READERS: dict[Kind, Callable[[AudioBytes], SampleData]] = {
    magic.AIFF: read_aiff,
    magic.CAF: read_caf,
    magic.AU: read_au,
    magic.SPHERE: read_sphere,
    magic.W64: read_w64,
}
# Formats in front of which a tag is usual.
_TAGGED = (magic.MP3, Kind("AAC", "aac"))


def open_recording(
    file: io.BufferedIOBase, is_given_up: Callable[[], bool], findings: Findings
) -> Generator[None, None, Recording]:
    """Open an audio file, step by step.

    Args:
        file: the bytes of the file, at any position; stays open.
        is_given_up: whether nobody wants it any more; asked at every read.
        findings: takes what is odd about it, or refuses it for that.

    Raises:
        BadAudio: ``empty``, ``unsupported_format``, ``corrupt``, ``truncated``, ``decode_timeout``.
        OSError: the file cannot be read.
    """
    whole = AudioBytes(file, is_given_up)
    if whole.n_bytes == 0:
        raise BadAudio("the audio file is empty (0 bytes)", kind="empty")
    start = tags_end(whole)
    source = whole if start == 0 else whole.shown(range(start, whole.n_bytes))
    kind = identify(source)
    if kind is None and start > 0:
        raise damaged("MP3", "there are no frames behind its tag")
    if kind is None:
        # Nothing of what it holds is told: a host could read any file by its path.
        raise BadAudio(
            f"the audio file's format is not recognised: send WAV, FLAC, OGG, MP3 or PCM; {ADVICE}",
            kind="unsupported_format",
        )
    if start > 0 and kind not in _TAGGED:
        findings.tell(
            "skipped_bytes",
            f"a tag of {start} bytes in front of the {kind.name} file was left out",
            n_bytes=start,
        )
    return (yield from _open_kind(source, kind, findings))


def _open_kind(
    source: AudioBytes, kind: Kind, findings: Findings
) -> Generator[None, None, Recording]:
    recording: Recording | None = None
    if kind == magic.MP3:
        recording = yield from open_mp3(source, findings)
    elif kind == magic.OGG:
        recording, source = yield from open_ogg(source, findings)
    elif kind == magic.FLAC:
        recording = FlacFile(source, findings)
    elif kind == magic.WAV:
        data, is_mpeg = read_wav(source)
        if is_mpeg:
            shown = source.shown(present(data, source))
            recording = yield from open_mp3(shown, findings, data.format_name)
            duration_s = recording.n_frames / recording.sample_rate_hz
            tell_odd_ends(data, source, findings, duration_s)
        else:
            recording = _samples(source, kind, data, findings)
    elif kind in _READERS:
        recording = _samples(source, kind, _READERS[kind](source), findings)
    if recording is None or _has_odd_samples(recording):
        return open_container(source, kind, findings)
    return recording


def _has_odd_samples(recording: Recording) -> bool:
    """Whether it is a FLAC of such samples as libsndfile does not decode."""
    return isinstance(recording, FlacFile) and recording.bits not in DECODED_BITS


def _samples(source: AudioBytes, kind: Kind, data: SampleData, findings: Findings) -> Recording:
    if data.coding.raw is not None:
        return SampleFile(source, data, findings)
    try:
        return CodedFile(source, data, findings)
    except BadAudio as error:
        if error.kind != "corrupt":
            raise
    coded = Kind(f"{data.format_name} of {data.coding.name}", kind.demuxer)
    recording = open_container(source, coded, findings)
    duration_s = (recording.n_frames or 0) / recording.sample_rate_hz
    tell_odd_ends(data, source, findings, duration_s)
    return recording
