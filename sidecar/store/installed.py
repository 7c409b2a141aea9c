"""From what ``--model`` names to a model on disk: the catalog's, a folder's, or a prebuilt one."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass, replace
from pathlib import Path

from protocol.errors import ModelUnavailable
from sidecar.bundle import is_bundle
from sidecar.long_path import of_any_length
from sidecar.store import prebuilt
from sidecar.store.assets import sha256_of
from sidecar.store.catalog import MODELS, ModelCard
from sidecar.store.weights import WeightStore

FOLDER_WEIGHTS = "embedding_model.ckpt"


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model that is there; ``weights_sha256`` is what its weights have.

    ``prebuilt_in``: the folder that it came ready to serve in, see ``prebuilt``. There, and only
    there, the file ``weights`` may be missing: none but torch reads it.
    """

    card: ModelCard
    weights: Path
    weights_sha256: str
    prebuilt_in: Path | None = None

    @property
    def source(self) -> Path:
        """What it is served from: its weights, or the folder that it came in."""
        return self.prebuilt_in or self.weights


def find_card(model: str, models_dir: Path | None = None) -> ModelCard:
    """The card of the model that ``--model`` names; it may lie ready in ``models_dir``.

    Raises:
        ModelUnavailable: no such id and no such folder (kind ``unknown_model``), or an index that
            may name it is damaged.
    """
    if model in MODELS:
        return MODELS[model]
    found = _find_prebuilt(model, models_dir)
    if found is not None:
        _folder, entry = found
        return _ecapa_card(entry.id, entry.title)
    folder = Path(of_any_length(model))
    if not folder.is_dir():
        known = dict.fromkeys([*MODELS, *prebuilt.model_ids(models_dir)])
        raise ModelUnavailable(
            f"there is no model {model!r:.200}: it is neither one of the catalog "
            f"({', '.join(known)}) nor a folder",
            kind="unknown_model",
        )
    return _ecapa_card(folder.resolve().name, f"ECAPA-TDNN in {folder}")


def _ecapa_card(model_id: str, title: str) -> ModelCard:
    """That of an ECAPA-TDNN of the user's own."""
    return ModelCard(
        id=model_id,
        title=title,
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
        ModelUnavailable: they are not, and cannot be fetched.
    """
    if card.files:
        weights = card.files[0]  # all that serving reads
        paths = store.ensure(replace(card, files=(weights,)))
        return InstalledModel(card, paths[weights.name], weights.sha256)
    path = Path(of_any_length(model)).resolve() / FOLDER_WEIGHTS
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


def find_prebuilt(model: str, card: ModelCard, models_dir: Path | None) -> InstalledModel | None:
    """The model as it lies ready, in ``models_dir`` or in this bundle; None where it was not.

    Raises:
        ModelUnavailable: its weights, or an index that may name it, are there, but damaged.
    """
    found = _find_prebuilt(model, models_dir)
    if found is None:
        return None
    folder, entry = found
    weights = folder / entry.weights
    if weights.exists() and sha256_of(weights) != entry.weights_sha256:
        raise ModelUnavailable(
            f"{weights} is damaged: install the program anew", kind="damaged", path=str(weights)
        )
    return InstalledModel(card, weights, entry.weights_sha256, folder)


def require_servable(card: ModelCard, models_dir: Path | None) -> None:
    """Raise ModelUnavailable in a bundle that could not serve the weights if they were fetched."""
    if is_bundle() and importlib.util.find_spec("torch") is None:
        carried = ", ".join(prebuilt.model_ids(models_dir))
        if not carried:
            raise ModelUnavailable("this bundle's models are missing: install the program anew")
        raise ModelUnavailable(
            f"{card.id} is not in this bundle, which serves what it carries ({carried}) and has no "
            f"torch for weights of others: packaging/build.py --model {card.id} builds one that "
            "has it",
            kind="unknown_model",
        )


def _find_prebuilt(
    model: str, models_dir: Path | None
) -> tuple[Path, prebuilt.PrebuiltModel] | None:
    for folder in prebuilt.folders(models_dir):
        entry = folder.find(model)
        # Under an id of the catalog, only ever the catalog's model.
        if entry and (model not in MODELS or entry.weights_sha256 == MODELS[model].files[0].sha256):
            return folder.path, entry
    return None


def fingerprint(card: ModelCard, weights_sha256: str, recipe: str) -> str:
    """What embeddings must have in common to be compared: the weights, frontend and network."""
    digest = hashlib.sha256(f"{weights_sha256}\n{recipe}".encode()).hexdigest()
    return f"{card.network}.{digest[:16]}"
