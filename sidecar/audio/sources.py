"""Audio of any kind as blocks of samples, before any conversion."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace

from protocol.params import Audio, FileAudio, PathAudio, PcmAudio
from protocol.reports import ProbeResult
from sidecar.audio.channels import check_channel, picked
from sidecar.audio.formats.findings import Findings
from sidecar.audio.formats.opening import open_recording
from sidecar.audio.formats.recording import Recording
from sidecar.audio.paths import open_audio_path, translate_os_error
from sidecar.audio.pcm import check_layout, pcm_blocks, pcm_frames, sample_type
from sidecar.audio.resampling import FloatArray
from sidecar.config import PathRoot


@dataclass(frozen=True, slots=True)
class Source:
    """Audio before any conversion.

    Attributes:
        sample_rate_hz: in range.
        channels: those that are wanted of it.
        blocks: each of the shape (n_frames, channels).
        n_stated_frames: how many frames the whole audio has by its header; None: it does not say.
        keeps_its_word: an audio that has fewer tells it at its end.
        findings: takes what is odd about it.
        first_frame: the frame of the audio at which ``blocks`` begins.
    """

    sample_rate_hz: int
    channels: int
    blocks: Iterator[FloatArray]
    n_stated_frames: int | None
    keeps_its_word: bool
    findings: Findings
    first_frame: int = 0

    @property
    def mixed_channels(self) -> int:
        """How many remain of them until a part is complete: see ``channels``."""
        return 2 if self.channels == 2 else 1


def frame_at(time_s: float, rate_hz: int) -> int:
    """The frame that is nearest to a time; a time without an end has one beyond any audio."""
    return round(min(time_s * rate_hz, float(1 << 62)))


def open_source(
    audio: Audio,
    path_root: PathRoot,
    is_given_up: Callable[[], bool],
    closing: contextlib.ExitStack,
    start_s: float = 0.0,
) -> Generator[None, None, Source]:
    """Open ``audio``, step by step.

    Args:
        audio: raw samples, the bytes of a file, or its path.
        path_root: which paths may be named.
        is_given_up: asked while a file is read; True gives it up.
        closing: closes it, and translates what goes wrong with a path until then.
        start_s: what lies before it is not wanted, and skipped as far as ``audio`` allows.

    Raises:
        BadAudio: here or where its blocks are read: it cannot be decoded; ``kind`` tells why.
    """
    findings = Findings(strict=audio.strict)
    if isinstance(audio, PcmAudio):
        source = _pcm_source(audio, start_s, findings)
    else:
        recording = yield from _open_file(audio, path_root, is_given_up, closing, findings)
        check_layout(recording.sample_rate_hz, recording.channels)
        first_frame = recording.skip_to(frame_at(start_s, recording.sample_rate_hz))
        source = Source(
            recording.sample_rate_hz,
            recording.channels,
            _checked(recording.blocks(), first_frame, findings),
            recording.n_frames,
            recording.keeps_its_word,
            findings,
            first_frame,
        )
    check_channel(audio.channel, source.channels)
    if not isinstance(audio.channel, int):
        return source
    blocks = (picked(block, audio.channel) for block in source.blocks)
    return replace(source, channels=1, blocks=blocks)


def probe(
    audio: Audio,
    path_root: PathRoot,
    is_given_up: Callable[[], bool],
    closing: contextlib.ExitStack,
) -> Generator[None, None, ProbeResult]:
    """What ``audio`` is, step by step, without decoding all of it; else as ``open_source``."""
    findings = Findings(strict=audio.strict)
    if isinstance(audio, PcmAudio):
        source = _pcm_source(audio, 0.0, findings)
        assert source.n_stated_frames is not None
        bits = 8 * sample_type(audio.encoding).itemsize
        duration_s = source.n_stated_frames / source.sample_rate_hz
        return ProbeResult(
            "PCM", audio.encoding, duration_s, source.sample_rate_hz, source.channels, bits
        )
    recording = yield from _open_file(audio, path_root, is_given_up, closing, findings)
    yield from recording.measure()
    return ProbeResult(
        recording.format_name,
        recording.codec,
        (recording.n_frames or 0) / recording.sample_rate_hz,
        recording.sample_rate_hz,
        recording.channels,
        recording.bits,
        findings.warnings,
    )


def _open_file(
    audio: FileAudio | PathAudio,
    path_root: PathRoot,
    is_given_up: Callable[[], bool],
    closing: contextlib.ExitStack,
    findings: Findings,
) -> Generator[None, None, Recording]:
    file: io.BufferedIOBase
    if isinstance(audio, FileAudio):
        file = io.BytesIO(audio.file)
    else:
        closing.enter_context(_translated(audio.path))
        file = closing.enter_context(open_audio_path(audio.path, path_root))
    recording = yield from open_recording(file, is_given_up, findings)
    closing.callback(recording.close)
    return recording


def _checked(
    blocks: Iterator[FloatArray], first_frame: int, findings: Findings
) -> Iterator[FloatArray]:
    """``blocks``; raises ``BadAudio`` if there is no sample in them for a reason that is known."""
    n_frames = first_frame
    for block in blocks:
        n_frames += len(block)
        yield block
    findings.check_samples(n_frames)


@contextlib.contextmanager
def _translated(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise translate_os_error(path, error) from error


def _pcm_source(audio: PcmAudio, start_s: float, findings: Findings) -> Source:
    sample_type(audio.encoding)
    check_layout(audio.sample_rate_hz, audio.channels)
    frames = pcm_frames(audio.pcm, audio.encoding, audio.channels)
    first_frame = min(frame_at(start_s, audio.sample_rate_hz), len(frames))
    return Source(
        audio.sample_rate_hz,
        audio.channels,
        pcm_blocks(frames[first_frame:]),
        len(frames),
        keeps_its_word=True,
        findings=findings,
        first_frame=first_frame,
    )
