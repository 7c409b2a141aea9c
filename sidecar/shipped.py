"""Models that come ready to serve in a folder, which is only ever read.

A bundle carries such a folder beside its program; ``--models-dir`` may name another, to replace a
model without the program. Its index, ``models.json``, says which weights each converted network was
made of, so that the weights themselves need not be there. ``packaging/build.py`` makes it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from sidecar.config import DEFAULT_MODEL

INDEX = "models.json"
MODELS_FOLDER = "models"


@dataclass(frozen=True, slots=True)
class ShippedModel:
    """One model of the index; ``licence`` is an SPDX id, or empty where only its maker knows.

    ``weights``: their file, relative to the folder; it lies there only if the bundle has torch.
    """

    id: str
    title: str
    licence: str
    homepage: str
    network: str
    weights: str
    weights_sha256: str


@dataclass(frozen=True, slots=True)
class ShippedFolder:
    """A folder with an index, and the models in it, the default one first."""

    path: Path
    models: tuple[ShippedModel, ...]

    def find(self, model_id: str) -> ShippedModel | None:
        """The model of this id, if it is here."""
        return next((model for model in self.models if model.id == model_id), None)


def is_bundle() -> bool:
    """Whether this program is a bundle's, and runs without a Python beside it."""
    return bool(getattr(sys, "frozen", False))


def bundle_models_dir() -> Path | None:
    """Where this bundle's own models lie; None where this is no bundle."""
    return Path(sys.executable).resolve().parent / MODELS_FOLDER if is_bundle() else None


def folders(models_dir: Path | None) -> tuple[ShippedFolder, ...]:
    """The folders with an index: ``models_dir``, and behind it the bundle's own."""
    places = (models_dir, bundle_models_dir())
    found = (read_folder(place) for place in places if place is not None)
    return tuple(folder for folder in found if folder is not None)


def read_folder(path: Path) -> ShippedFolder | None:
    """What the index in ``path`` says; None where there is none that can be read."""
    try:
        index = json.loads((path / INDEX).read_text("utf-8"))
        return ShippedFolder(path, tuple(ShippedModel(**entry) for entry in index["models"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def write_index(folder: ShippedFolder) -> None:
    """Write the index of ``folder``; its files are the caller's."""
    index = {"models": [asdict(model) for model in folder.models]}
    (folder.path / INDEX).write_text(json.dumps(index, indent=2) + "\n", "utf-8")


def default_model() -> str:
    """What serves where no model was named: in a bundle the first that it carries."""
    own = bundle_models_dir()
    carried = read_folder(own) if own is not None else None
    return carried.models[0].id if carried is not None and carried.models else DEFAULT_MODEL
