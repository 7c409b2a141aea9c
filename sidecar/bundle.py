"""Whether this program is a bundle's, which has no Python beside it and brings its models along."""

from __future__ import annotations

import sys
from pathlib import Path

MODELS_FOLDER = "models"


def is_bundle() -> bool:
    """Whether this program is a bundle's, and runs without a Python beside it."""
    return bool(getattr(sys, "frozen", False))


def bundle_models_dir() -> Path | None:
    """Where this bundle's own models lie; None where this is no bundle."""
    return Path(sys.executable).resolve().parent / MODELS_FOLDER if is_bundle() else None
