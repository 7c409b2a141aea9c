"""OpenVINO, imported in the one way in which it serves: from here, never by its own name."""

from __future__ import annotations

import os
import sys

# Importing OpenVINO tells its makers over the network, unless the user has opted out. Without this
# package it cannot: nothing here may use the network unasked.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
# Its convolutions' code is compiled for each new length, and every length is new. oneDNN would keep
# 1,024 of them; it reads this once, when it is first used.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16")

import openvino as ov  # noqa: E402

__all__ = ["VERSION", "ov"]

VERSION: str = ov.__version__
