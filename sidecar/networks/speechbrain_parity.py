"""Whether this project's ECAPA-TDNN computes what SpeechBrain computes from the same checkpoint.

SpeechBrain is the judge: it is imported here alone, and only when asked. Serving needs none of it.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from protocol.errors import ModelUnavailable
from sidecar.networks import ecapa
from sidecar.networks.ecapa import EcapaTdnn

MIN_COSINE = 0.99999
MAX_DIFFERENCE_DB = 1e-3
# A band this far below the loudest of its frame is faint: float32 carries its spectrum only
# roughly. On real speech SpeechBrain itself is up to 2e-3 dB off its own recipe in float64 there.
FAINT_DB = 50.0
MAX_FAINT_DIFFERENCE_DB = 1e-2
N_PROBES = 20
LONGEST_PROBE_S = 30

# What SpeechBrain's hyperparameters name beside the network, and an embedding does not need.
UNNEEDED = ("classifier", "label_encoder", "mean_var_norm_emb")

Embeddings = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ParityReport:
    """How far two computations of the same embeddings agree; the worst of all utterances.

    ``min_centred_cosine`` is taken after each set's mean was subtracted: what all embeddings share
    would hide that they differ where it counts. The differences are between the log-mel energies,
    ``max_faint_difference_db`` that of the bands 50 dB and more below the loudest of their frame.
    """

    n_utterances: int
    min_cosine: float
    min_centred_cosine: float
    max_difference_db: float
    max_faint_difference_db: float

    @property
    def passed(self) -> bool:
        """Whether all four are within their bounds; NaN never is."""
        return (
            self.min_cosine >= MIN_COSINE
            and self.min_centred_cosine >= MIN_COSINE
            and self.max_difference_db <= MAX_DIFFERENCE_DB
            and self.max_faint_difference_db <= MAX_FAINT_DIFFERENCE_DB
        )


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """What one implementation makes of some utterances.

    ``decibels``: log-mel energies, for each ``[n_frames, 80]``, their mean not yet subtracted.
    ``embeddings``: ``[n_utterances, 192]``, as the network gives them.
    """

    decibels: Sequence[Tensor]
    embeddings: Embeddings


def compare_with_speechbrain(
    folder: Path, waveforms: Sequence[Tensor] | None = None
) -> ParityReport:
    """Embed ``waveforms``, each ``[n_samples]``, both ways with the checkpoint in ``folder``.

    Without waveforms, ``probes()`` are taken: about half a minute of work on one core.

    Raises:
        ModelUnavailable: ``folder`` lacks a file, or the weights do not fit.
        ImportError: SpeechBrain cannot be imported here.
    """
    waveforms = probes() if waveforms is None else waveforms
    model = ecapa.load(folder / "embedding_model.ckpt")
    theirs = speechbrain_outputs(folder, waveforms)
    return compare(outputs(model, waveforms), theirs)


def compare(ours: Outputs, theirs: Outputs) -> ParityReport:
    """Two implementations on the same two or more utterances."""
    a, b = ours.embeddings, theirs.embeddings
    pairs = list(zip(ours.decibels, theirs.decibels, strict=True))
    difference_db = torch.cat([(x - y).abs() for x, y in pairs])
    faint = torch.cat([y < y.amax(dim=1, keepdim=True) - FAINT_DB for _, y in pairs])
    return ParityReport(
        n_utterances=len(a),
        min_cosine=float(cosines(a, b).min()),
        min_centred_cosine=float(cosines(a - a.mean(axis=0), b - b.mean(axis=0)).min()),
        max_difference_db=difference_db.where(~faint, 0).max().item(),
        max_faint_difference_db=difference_db.where(faint, 0).max().item(),
    )


def cosines(a: Embeddings, b: Embeddings) -> Embeddings:
    """Row by row, ``[n]``."""
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray((a * b).sum(axis=1) / norms)


def outputs(model: EcapaTdnn, waveforms: Sequence[Tensor]) -> Outputs:
    """This project's, one utterance after the other."""
    with torch.inference_mode():
        decibels = [model.frontend.fbank(waveform.unsqueeze(0))[0] for waveform in waveforms]
        embeddings = [model(waveform.unsqueeze(0)) for waveform in waveforms]
    return Outputs(decibels, torch.cat(embeddings).double().numpy())


def speechbrain_outputs(folder: Path, waveforms: Sequence[Tensor]) -> Outputs:
    """SpeechBrain's, one utterance after the other; errors as in ``compare_with_speechbrain``."""
    encoder = speechbrain_encoder(folder)
    fbank = encoder.mods.compute_features
    with torch.inference_mode():
        decibels = [fbank(waveform.unsqueeze(0))[0] for waveform in waveforms]
        embeddings = [encoder.encode_batch(waveform.unsqueeze(0))[0] for waveform in waveforms]
    return Outputs(decibels, torch.cat(embeddings).double().numpy())


def speechbrain_encoder(folder: Path, device: str = "cpu") -> Any:  # noqa: ANN401 - it has no types
    """SpeechBrain's own ``EncoderClassifier`` with the checkpoint in ``folder``.

    ``device`` is ``cpu`` or ``cuda:N``.

    Its hyperparameters are a program in YAML that SpeechBrain executes: the caller trusts them, or
    has checked their hash. Nothing is fetched, copied or linked.

    Raises:
        ModelUnavailable: ``folder`` lacks a file.
        ImportError: SpeechBrain cannot be imported here.
    """
    for name in ("hyperparams.yaml", "embedding_model.ckpt"):
        if not (folder / name).is_file():
            raise ModelUnavailable(
                f"{folder} has no {name}, without which SpeechBrain cannot load the model; "
                "fetch the model again",
            )
    classifiers, fetching = _import_speechbrain()
    return classifiers.EncoderClassifier.from_hparams(
        source=str(folder),
        # The published file names its repository, and SpeechBrain would go there for the weights.
        overrides={
            "pretrained_path": folder.as_posix(),
            "pretrainer": {"conditions": dict.fromkeys(UNNEEDED, False)},
        },
        # The default links the files into a folder of its own, which fails on Windows.
        local_strategy=fetching.LocalStrategy.NO_LINK,
        fetch_config=fetching.FetchConfig(allow_network=False),
        run_opts={"device": device},
    )


def _import_speechbrain() -> tuple[Any, Any]:
    matmul, cudnn = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    try:
        classifiers = importlib.import_module("speechbrain.inference.classifiers")
        fetching = importlib.import_module("speechbrain.utils.fetching")
    except OSError as error:
        # So it is where torch and the torchaudio that SpeechBrain imports are of different builds.
        raise ImportError(f"SpeechBrain cannot be imported: {error}") from error
    finally:
        # The import turns TF32 on for the whole process.
        torch.set_float32_matmul_precision(matmul)
        torch.backends.cudnn.allow_tf32 = cudnn
    return classifiers, fetching


def probes(seed: int = 0) -> list[Tensor]:
    """Noise, each of its own colour, ``[n_samples]``, from the shortest waveform to 30 s."""
    random = np.random.default_rng(seed)
    longest = LONGEST_PROBE_S * ecapa.SAMPLE_RATE_HZ
    waveforms = []
    for n_samples in np.geomspace(ecapa.MIN_SAMPLES, longest, N_PROBES).round().astype(int):
        colour = random.normal(size=32) * np.exp(-np.arange(32) / random.uniform(2, 16))
        noise = np.convolve(random.normal(size=n_samples), colour, mode="same")
        waveforms.append(torch.from_numpy(0.1 * noise / noise.std()).float())
    return waveforms
