"""The manifest: what a bundle is, and what each of its files is."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import space
from models_folder import PreparedModel

from protocol.hello import PROTOCOL, PROTOCOL_MINOR
from sidecar import __version__
from sidecar.bundle import MODELS_FOLDER
from sidecar.store.assets import sha256_of

MANIFEST = "manifest.json"


def write_manifest(
    bundle: Path, edition: str, models: Sequence[PreparedModel], packages: Mapping[str, str]
) -> None:
    """Write it, last of all: it has the hash of every other file, and where each link points.

    ``packages`` are the distributions that were frozen, with their releases.
    """
    manifest = {
        "name": "speaker-sidecar",
        "version": __version__,
        "edition": edition,
        "protocol": f"{PROTOCOL}.{PROTOCOL_MINOR}",
        "system": f"{sys.platform} {platform.machine()}",
        "python": platform.python_version(),
        "packages": dict(sorted(packages.items())),
        "models": [
            {
                **asdict(model.entry),
                "fingerprint": model.origin.fingerprint,
                "has_weights": (bundle / MODELS_FOLDER / model.entry.weights).exists(),
            }
            for model in models
        ],
        **_listing(bundle),
    }
    _write(bundle, manifest)


def list_anew(bundle: Path) -> dict[str, Any]:
    """Bring the manifest of a copy, in which files took the place of links, up to date; it."""
    manifest = json.loads((bundle / MANIFEST).read_text("utf-8")) | _listing(bundle)
    _write(bundle, manifest)
    return manifest


def _listing(bundle: Path) -> dict[str, Any]:
    """What is in a bundle, beside the manifest itself."""
    paths = [path for path in space.files_of(bundle) if path != bundle / MANIFEST]
    files = [
        {
            "path": path.relative_to(bundle).as_posix(),
            "n_bytes": path.stat().st_size,
            "sha256": sha256_of(path),
        }
        for path in paths
    ]
    links = [
        {"path": path.relative_to(bundle).as_posix(), "target": path.readlink().as_posix()}
        for path in sorted(bundle.rglob("*"))
        if path.is_symlink()
    ]
    return {
        "n_bytes": sum(path.stat().st_size for path in paths),
        "files": files,
        "links": links,
    }


def _write(bundle: Path, manifest: Mapping[str, Any]) -> None:
    (bundle / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
