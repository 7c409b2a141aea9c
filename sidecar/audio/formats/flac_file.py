"""FLAC files: what libsndfile is shown of them, and how far it is asked.

The frames are found before they are decoded, so that a wrong count in the header, another stream
behind the first, or bytes that belong to nothing cost no sample, and no sample is missed.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace

import numpy as np

from protocol.errors import BadAudio
from sidecar.audio.formats.audio_bytes import AudioBytes
from sidecar.audio.formats.findings import Findings
from sidecar.audio.formats.flac_frames import read_metadata
from sidecar.audio.formats.flac_runs import FlacRun, next_run
from sidecar.audio.formats.flac_search import FlacSearch
from sidecar.audio.formats.joined import as_first
from sidecar.audio.formats.libsndfile import Sound, damaged
from sidecar.audio.formats.recording import BLOCK_VALUES, Block, Recording

# How many bits of a sample libsndfile decodes.
DECODED_BITS = (8, 16, 24)


class FlacFile(Recording):
    """A FLAC file, or what is left of one.

    Args:
        source: the file; a tag in front is left out.
        findings: takes what is odd.

    Raises:
        BadAudio: ``corrupt``: there is no frame.
        OSError: the file cannot be read.
    """

    format_name, codec = "FLAC", "FLAC"

    def __init__(self, source: AudioBytes, findings: Findings) -> None:
        self._source = source
        self.findings = findings
        metadata = read_metadata(source, 0)
        self._run = None if metadata is None else FlacRun.at(source, metadata[1], metadata[0])
        self.n_frames: int | None = None
        if self._run is not None:
            self.n_frames = self._run.info.n_samples or None
        elif metadata is not None and source.n_bytes <= metadata[1] and not metadata[0].n_samples:
            raise BadAudio("the audio is empty: it has no samples", kind="empty")
        else:
            self._run = self._first_run()
        info = self._run.info
        self.sample_rate_hz, self.channels, self.bits = (
            info.sample_rate_hz,
            info.channels,
            info.bits,
        )
        self._first_frame = 0
        self._is_cut = False
        self._sound: Sound | None = None

    def _first_run(self) -> FlacRun:
        """The first frames behind a header that is missing, or followed by something else."""
        run = next((run for run in next_run(self._source, 0, None) if run is not None), None)
        if run is None:
            raise damaged("FLAC", "there is no frame in it")
        self.findings.tell(
            "skipped_bytes",
            f"the FLAC file's first {run.offset} bytes are damaged, or its beginning is missing: "
            "it was decoded from the first sound frame on",
            n_bytes=run.offset,
        )
        return run

    def measure(self) -> Generator[None, None, None]:
        """See ``Recording``."""
        n_seconds = 0.0
        assert self._run is not None
        run: FlacRun | None = self._run
        while run is not None:
            while not run.is_done:
                run.advance()
                yield
            self._is_cut = run.is_cut()
            n_run = (run.last_sample if self._is_cut else run.end) - run.first_sample
            n_seconds += n_run / run.info.sample_rate_hz
            self._tell_missing(run, n_run)
            last, run = run, None
            for following in self._following(last):
                run = following
                yield
        self.n_frames = round(n_seconds * self.sample_rate_hz)
        self._tell_trailing(last)

    def skip_to(self, frame: int) -> int:
        """See ``Recording``."""
        run = self._run
        assert run is not None
        if self.n_frames is None or frame <= 0 or run.first_sample != 0:
            return 0
        frame = min(frame, self.n_frames - 1)
        found = FlacSearch(self._source, run.info, run.offset).entry(frame)
        entered = (
            None
            if found is None
            else FlacRun.at(self._source, found.offset, run.info, is_entry=True)
        )
        if found is not None and entered is not None and found.sample > 0:
            self._run, self._first_frame = entered, found.sample
        return self._first_frame

    def blocks(self) -> Iterator[Block]:
        """See ``Recording``."""
        assert self._run is not None
        run: FlacRun | None = self._run
        frame = self._first_frame
        while run is not None:
            n_run = yield from self._decoded(run, frame)
            frame += n_run
            last, run = run, None
            for following in self._following(last):
                run = following
                yield np.empty((0, self.channels), np.float32)
        self._tell_trailing(last)

    def close(self) -> None:
        """See ``Recording``."""
        if self._sound is not None:
            self._sound.close()

    def _decoded(self, run: FlacRun, frame: int) -> Generator[Block, None, int]:
        """The blocks of ``run``, which begins at ``frame`` of the file; how many frames it has."""
        info = run.info
        if info.bits not in DECODED_BITS:
            raise damaged("FLAC", f"its samples have {info.bits} bits")
        header = replace(info, n_samples=0).as_header()
        self.close()
        self._sound = Sound(
            self._source.shown(header, range(run.offset, self._source.n_bytes)), "FLAC"
        )
        raw = self._asked(run, self._sound, frame)
        is_first = run is self._run
        if is_first or (info.sample_rate_hz, info.channels) == (self.sample_rate_hz, self.channels):
            return (yield from raw)
        counted = _Counted(raw)
        yield from as_first(counted, info.sample_rate_hz, self.sample_rate_hz, self.channels)
        return counted.n_read

    def _asked(self, run: FlacRun, sound: Sound, frame: int) -> Generator[Block, None, int]:
        """The blocks of ``run``, of which no more is asked than has been found of it."""
        block_frames = max(1, BLOCK_VALUES // run.info.channels)
        at, base = run.first_sample, frame - run.first_sample
        while True:
            wanted = at + block_frames - (base + at) % block_frames
            while not run.is_done and run.last_sample < wanted:
                run.advance()
            end = min(wanted, run.last_sample)
            if end <= at:
                break
            block = sound.read(end - at)
            if len(block) < end - at:
                raise damaged("FLAC", "a frame is missing")
            at = end
            yield block
        # The last frame may be cut, or damaged: nothing follows that would show where it ends.
        try:
            last = sound.read(run.end - at)
        except BadAudio as error:
            if error.kind != "corrupt":
                raise
            last = None
        n_run = at - run.first_sample
        if last is not None and len(last) == run.end - at:
            yield last
            n_run += len(last)
        self._is_cut = n_run < run.end - run.first_sample
        self._tell_missing(run, n_run)
        return n_run

    def _following(self, run: FlacRun) -> Iterator[FlacRun | None]:
        """The run behind ``run`` as ``next_run``; raises ``BadAudio`` if frames are missing."""
        for following in next_run(self._source, run.last_offset + 1, run):
            if following is not None and following.continues(run):
                missing = f"samples from {run.end} to {following.first_sample} are missing"
                raise damaged("FLAC", missing)
            yield following

    def _tell_missing(self, run: FlacRun, n_run: int) -> None:
        promised = run.info.n_samples
        there = run.first_sample + n_run
        if there < promised:
            self._is_cut = True
            self.findings.tell(
                "missing_end",
                f"the FLAC file is truncated: its header promises {promised} samples, but {there} "
                "can be decoded",
                promised_samples=promised,
                present_samples=there,
            )
        elif self._is_cut:
            self.findings.tell(
                "missing_end",
                f"the FLAC file is truncated: its last frame is cut, and {there} samples can be "
                "decoded",
                present_samples=there,
            )

    def _tell_trailing(self, run: FlacRun) -> None:
        if not self._is_cut and run.has_trailing():
            self.findings.tell(
                "trailing_data",
                "bytes behind the last frame of the FLAC file belong to nothing, and were left out",
            )


class _Counted:
    """Blocks that are counted as they pass."""

    def __init__(self, blocks: Iterator[Block]) -> None:
        self._blocks = blocks
        self.n_read = 0

    def __iter__(self) -> Iterator[Block]:
        for block in self._blocks:
            self.n_read += len(block)
            yield block
