"""The models of a bundle: converted, verified, and laid out for ``sidecar.store.prebuilt``.

Beside them lies what hears speech, as it was published, and what tells turns, converted.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from build_failed import BuildFailed

from sidecar.engine import device_check, segmentation
from sidecar.engine.loading import (
    ONNX_VERSION,
    converted_origin,
    converted_root,
    references_dir,
)
from sidecar.store import converted_files
from sidecar.store.catalog import MODELS, SEGMENTATION, SPEECH_DETECTOR
from sidecar.store.checksummed_file import write_checksummed
from sidecar.store.converted_files import Converted, Origin
from sidecar.store.installed import (
    InstalledModel,
    find_card,
    fingerprint,
    install,
)
from sidecar.store.prebuilt import PrebuiltFolder, PrebuiltModel, write_index
from sidecar.store.weights import WeightStore, default_models_dir


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """A model that can be shipped: its weights, and the network converted from them."""

    installed: InstalledModel
    converted: Converted
    origin: Origin

    @property
    def entry(self) -> PrebuiltModel:
        """Its entry in the index."""
        card = self.installed.card
        return PrebuiltModel(
            id=card.id,
            # A folder's own card says where it lies on this machine.
            title=card.title if card.files else f"ECAPA-TDNN {card.id}",
            licence=card.licence,
            homepage=card.homepage,
            network=card.network,
            weights=f"{card.id}/{self.installed.weights.name}",
            weights_sha256=self.installed.weights_sha256,
        )


def require_distinct(models: Sequence[str]) -> None:
    """See that each of ``models``, ids and folders, can be told from the others by its id.

    Raises:
        BuildFailed: two have one id, or a folder has one of the catalog's; it says which.
        ModelUnavailable: there is no such model.
    """
    seen: dict[str, str] = {}
    for model in models:
        model_id = find_card(model).id
        if model_id in MODELS and model not in MODELS:
            raise BuildFailed(
                f"--model {model}: {model_id} is a model of the catalog, and under its id no other "
                "serves: give the id itself, or rename the folder"
            )
        # Folders are named by them, and some systems do not tell a from A.
        key = model_id.casefold()
        if key in seen:
            raise BuildFailed(
                f"--model {seen[key]} and --model {model} would both be {model_id}: name each "
                "once, or rename one's folder"
            )
        seen[key] = model


def prepare(model: str, models_dir: Path | None, work: Path) -> PreparedModel:
    """Install ``model`` if need be, and convert it below ``work``; that verifies it against torch.

    Raises:
        ModelUnavailable: there is no such model, or its weights are unavailable.
        DeviceError: what ONNX Runtime computes is not what torch does.
    """
    from sidecar.engine.conversion import convert  # noqa: PLC0415 - it imports torch

    card = find_card(model)
    installed = install(model, card, WeightStore(models_dir or default_models_dir()))
    made_by = fingerprint(card, installed.weights_sha256, card.recipe)

    def show(done: int, total: int) -> None:
        print(f"{card.id}: converting, {done} of {total} steps", flush=True)

    origin = converted_origin(made_by, "onnxruntime", ONNX_VERSION)
    return PreparedModel(installed, convert(installed, work, origin, show), origin)


def ship_detector(folder: Path, models_dir: Path | None) -> None:
    """Lay what hears speech into ``folder``, fetched if need be; raises ``ModelUnavailable``."""
    paths = WeightStore(models_dir or default_models_dir()).ensure(SPEECH_DETECTOR)
    target = folder / SPEECH_DETECTOR.id
    target.mkdir()
    for name, path in paths.items():
        shutil.copyfile(path, target / name)


def ship_segmenter(folder: Path, models_dir: Path | None, work: Path) -> None:
    """Lay what tells turns into ``folder``, converted below ``work``.

    Raises:
        ModelUnavailable: its weights are not there, and cannot be fetched.
        DeviceError: what ONNX Runtime computes is not what torch does.
    """
    from sidecar.engine.segmentation_conversion import convert  # noqa: PLC0415 - it imports torch

    [weights] = WeightStore(models_dir or default_models_dir()).ensure(SEGMENTATION).values()
    origin = segmentation.converted_origin(segmentation.fingerprint())
    _lay(convert(weights, work, origin, lambda *_: None), origin, folder)


def _lay(converted: Converted, origin: Origin, folder: Path) -> None:
    target = converted_root(folder) / converted.folder.name
    target.mkdir(parents=True, exist_ok=True)  # two ids may have the same weights
    for name in (*origin.files, converted_files.MANIFEST):
        shutil.copyfile(converted.folder / name, target / name)


def fill(folder: Path, models: list[PreparedModel], *, with_weights: bool) -> None:
    """Lay ``models`` into ``folder``, which is made; the weights are for torch alone."""
    folder.mkdir(parents=True)
    for model in models:
        _lay(model.converted, model.origin, folder)
        if with_weights:
            weights = folder / model.entry.weights
            weights.parent.mkdir()
            shutil.copyfile(model.installed.weights, weights)
            name = device_check.reference_name(model.origin.fingerprint)
            write_checksummed(references_dir(folder) / name, model.converted.references().tobytes())
    write_index(PrebuiltFolder(folder, tuple(model.entry for model in models)))
