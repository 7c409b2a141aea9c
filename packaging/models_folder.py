"""The models of a bundle: converted, verified, and laid out as ``sidecar.shipped`` reads them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from protocol.reports import Progress
from sidecar import self_test
from sidecar.conversion import ConversionFailed, convert_apart
from sidecar.kept_file import keep
from sidecar.models import converted
from sidecar.models.converted import Converted
from sidecar.models.installed import InstalledModel, find_card, fingerprint, install
from sidecar.models.store import WeightStore, default_models_dir
from sidecar.runtimes.openvino_library import VERSION
from sidecar.shipped import ShippedFolder, ShippedModel, write_index
from sidecar.start import converted_origin, converted_root, references_dir


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """A model that can be shipped: its weights, and the network converted from them."""

    installed: InstalledModel
    converted: Converted
    fingerprint: str

    @property
    def shipped(self) -> ShippedModel:
        """Its entry in the index."""
        card = self.installed.card
        return ShippedModel(
            id=card.id,
            title=card.title,
            licence=card.licence,
            homepage=card.homepage,
            network=card.network,
            weights=f"{card.id}/{self.installed.weights.name}",
            weights_sha256=self.installed.weights_sha256,
        )


def prepare(model: str, models_dir: Path | None) -> PreparedModel:
    """Install ``model`` if need be, and have it converted; the conversion verifies it with torch.

    Raises:
        ModelUnavailable: there is no such model, or its weights cannot be had.
        ConversionFailed: what OpenVINO computes is not what torch does, say.
    """
    models_dir = models_dir or default_models_dir()
    card = find_card(model)
    installed = install(model, card, WeightStore(models_dir))
    made_by = fingerprint(card, installed.weights_sha256, card.recipe)
    convert_apart(model, models_dir, lambda progress: _show(card.id, progress), lambda: False)
    found = converted.find(converted_root(models_dir), converted_origin(made_by, VERSION))
    if found is None:
        raise ConversionFailed(f"the converted {model} did not last in {models_dir}")
    return PreparedModel(installed, found, made_by)


def fill(folder: Path, models: list[PreparedModel], *, with_weights: bool) -> None:
    """Lay ``models`` into ``folder``, which is made; the weights are for torch alone."""
    folder.mkdir(parents=True)
    for model in models:
        target = converted_root(folder) / model.converted.folder.name
        target.mkdir(parents=True)
        for name in (*converted.FILES, converted.MANIFEST):
            shutil.copyfile(model.converted.folder / name, target / name)
        if with_weights:
            weights = folder / model.shipped.weights
            weights.parent.mkdir()
            shutil.copyfile(model.installed.weights, weights)
            name = self_test.reference_name(model.fingerprint, self_test.waveform())
            keep(references_dir(folder) / name, model.converted.reference().tobytes())
    write_index(ShippedFolder(folder, tuple(model.shipped for model in models)))


def _show(model_id: str, progress: Progress) -> None:
    print(f"{model_id}: converting, {progress.done} of {progress.total} steps", flush=True)
