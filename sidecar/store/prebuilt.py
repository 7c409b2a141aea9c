"""Models that come ready to serve in a folder, which is only ever read.

A bundle carries such a folder beside its program; ``--models-dir`` may name another, to replace a
model without the program. Its index, ``models.json``, says which weights each converted network was
made of, so that the weights themselves need not be there. ``packaging/build.py`` makes it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from protocol.errors import ModelUnavailable
from sidecar.bundle import bundle_models_dir
from sidecar.config import DEFAULT_MODEL

INDEX = "models.json"


@dataclass(frozen=True, slots=True)
class PrebuiltModel:
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
class PrebuiltFolder:
    """A folder with an index, and the models in it, the default one first."""

    path: Path
    models: tuple[PrebuiltModel, ...]

    def find(self, model_id: str) -> PrebuiltModel | None:
        """The model of this id, if it is here."""
        return next((model for model in self.models if model.id == model_id), None)


def folders(models_dir: Path | None) -> tuple[PrebuiltFolder, ...]:
    """The folders with an index: ``models_dir``, and behind it the bundle's own.

    Raises:
        ModelUnavailable: an index is there, but cannot be read or is damaged.
    """
    places = (models_dir, bundle_models_dir())
    found = (read_folder(place) for place in places if place is not None)
    return tuple(folder for folder in found if folder is not None)


def read_folder(path: Path) -> PrebuiltFolder | None:
    """What the index in ``path`` says; None where there is none.

    Raises:
        ModelUnavailable: it is there, but cannot be read or is damaged. To go on without it would
            serve another model than the one that was asked for.
    """
    index = path / INDEX
    try:
        content = index.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ModelUnavailable(
            f"{index} cannot be read ({error.strerror})", kind="not_readable", path=str(index)
        ) from error
    try:
        models = tuple(_read_entry(entry) for entry in json.loads(content)["models"])
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ModelUnavailable(
            f"{index} is damaged: install anew what it came with", kind="damaged", path=str(index)
        ) from error
    return PrebuiltFolder(path, models)


def _read_entry(entry: Any) -> PrebuiltModel:  # noqa: ANN401 - JSON, not yet looked at
    if not isinstance(entry, dict) or not all(isinstance(text, str) for text in entry.values()):
        raise TypeError("a model's fields are texts")
    return PrebuiltModel(**entry)


def write_index(folder: PrebuiltFolder) -> None:
    """Write the index of ``folder``; its files are the caller's."""
    index = {"models": [asdict(model) for model in folder.models]}
    (folder.path / INDEX).write_text(json.dumps(index, indent=2) + "\n", "utf-8")


def model_ids(models_dir: Path | None) -> list[str]:
    """The models that lie ready in ``models_dir`` or in this bundle; raises like ``folders``."""
    return [model.id for folder in folders(models_dir) for model in folder.models]


def default_model(models_dir: Path | None = None) -> str:
    """What serves where no model was named: the first that ``models_dir`` or this bundle carries.

    It never fails: an index that is damaged is told of by whoever then looks for the model.
    """
    try:
        return next(iter(model_ids(models_dir)), DEFAULT_MODEL)
    except ModelUnavailable:
        return DEFAULT_MODEL
