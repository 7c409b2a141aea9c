"""Starts what was built with no variables, so no Python, and with no place to keep anything."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from build_failed import BuildFailed

from protocol.params import EmbedParams, HealthParams, PcmAudio, SpeechParams
from protocol.python import ChildGone, RemoteError, SpeakerSidecar
from sidecar.config import SAMPLE_RATE_HZ
from sidecar.engine.device_check import waveform

_LIMIT_S = 120
# Without these Windows starts no program.
_KEPT_VARIABLES = ("SYSTEMROOT", "TEMP", "TMP") if sys.platform == "win32" else ()


def try_out(bundle: Path, models: Sequence[str], runtimes: Sequence[str]) -> list[str]:
    """Have it serve each of ``models`` with each of ``runtimes``; a line each, how that went.

    Raises:
        BuildFailed: it does not serve; the message has its reason.
    """
    return [_tried(bundle, model, runtime) for model in models for runtime in runtimes]


def _tried(bundle: Path, model: str, runtime: str) -> str:
    program = bundle / f"speaker-sidecar{'.exe' if sys.platform == 'win32' else ''}"
    environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    # No folder can be made below a file, so nothing can be kept.
    environment["SPEAKER_SIDECAR_MODELS_DIR"] = str(bundle / "manifest.json")
    argv = [str(program), "--model", model, "--device", "cpu", "--runtime", runtime]
    argv += ["--log-level", "warning"]
    audio = PcmAudio(waveform().tobytes(), "f32le", SAMPLE_RATE_HZ, 1)
    with tempfile.TemporaryDirectory() as elsewhere:
        spawned_at = time.perf_counter()
        try:
            with SpeakerSidecar.start(argv, env=environment, cwd=elsewhere) as client:
                client.wait_until_ready(_LIMIT_S)
                ready_s = time.perf_counter() - spawned_at
                client.call(EmbedParams(audio))
                client.call(SpeechParams(audio))  # fails where what hears it did not come along
                health = client.call(HealthParams())
        except (ChildGone, RemoteError, OSError, TimeoutError) as error:
            reason = f"the bundle does not serve {model} with {runtime}: {error}"
            raise BuildFailed(reason) from error
    return (
        f"{health['model']['id']} with {health['device']['runtime']}: ready after {ready_s:.2f} s, "
        f"{health['process']['rss_bytes'] / 1e6:.0f} MB resident"
    )
