"""From what ``--model`` names to weights on disk: the catalog's, or those of a folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from protocol.errors import ModelUnavailable
from sidecar.models.catalog import MODELS, ModelCard
from sidecar.models.store import WeightStore

FOLDER_WEIGHTS = "embedding_model.ckpt"


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model whose weights are there; ``weights_sha256`` is what they have."""

    card: ModelCard
    weights: Path
    weights_sha256: str


def find_card(model: str) -> ModelCard:
    """The card of the model that ``--model`` names.

    Raises:
        ModelUnavailable: no such id and no such folder (kind ``unknown_model``).
    """
    if model in MODELS:
        return MODELS[model]
    folder = Path(model)
    if not folder.is_dir():
        raise ModelUnavailable(
            f"there is no model {model!r:.200}: it is neither one of the catalog "
            f"({', '.join(MODELS)}) nor a folder",
            kind="unknown_model",
        )
    return ModelCard(
        id=folder.resolve().name,
        title=f"ECAPA-TDNN in {folder}",
        licence="",
        homepage="",
        files=(),
        network="ecapa",
        embedding_dim=192,
        sample_rate_hz=16_000,
        min_duration_s=0.04,
        max_duration_s=120.0,
    )


def install(model: str, card: ModelCard, store: WeightStore) -> InstalledModel:
    """See that the weights of ``card``, found for ``model``, are there; fetch them if need be.

    Raises:
        ModelUnavailable: they are not, and cannot be had.
    """
    if card.files:
        weights = card.files[0]  # all that serving reads
        paths = store.ensure(replace(card, files=(weights,)))
        return InstalledModel(card, paths[weights.name], weights.sha256)
    path = Path(model).resolve() / FOLDER_WEIGHTS
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelUnavailable(
            f"{path} cannot be read ({error.strerror}): a folder given as --model must hold an "
            f"ECAPA-TDNN in SpeechBrain's layout, its weights in {FOLDER_WEIGHTS}",
            kind="not_readable",
            path=str(path),
        ) from error
    return InstalledModel(card, path, digest)


def fingerprint(card: ModelCard, weights_sha256: str, recipe: str) -> str:
    """What embeddings must have in common to be compared: the weights, frontend and network."""
    digest = hashlib.sha256(f"{weights_sha256}\n{recipe}".encode()).hexdigest()
    return f"{card.network}.{digest[:16]}"
