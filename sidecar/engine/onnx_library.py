"""ONNX Runtime, imported in the one way in which it serves: from here, never by its own name."""

from __future__ import annotations

import os

# Its makers' builds report to them over the network, and keep a name for this machine on its disk,
# unless they are told not to before they are loaded. Nothing here may use the network unasked.
# (Releases before the first that had the one name knew the other.)
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
os.environ["ORT_TELEMETRY_DISABLED"] = "1"

import onnxruntime as ort

__all__ = ["VERSION", "ort"]

VERSION: str = ort.__version__
