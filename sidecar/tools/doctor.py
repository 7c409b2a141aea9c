"""``speaker-sidecar doctor``: all that a bug report needs, in words or as JSON."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import statistics
import sys
import time
import timeit
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.text import Text

from protocol.wire_reports import to_wire
from sidecar import __version__
from sidecar.bundle import bundle_models_dir, is_bundle
from sidecar.config import EXIT_OK, EXIT_UNAVAILABLE, Config
from sidecar.serve_options import add_models_dir
from sidecar.store.assets import Asset
from sidecar.store.prebuilt import default_model, folders
from sidecar.tools.console import exit_code_of, facts, open_console

# fmt: off
_PACKAGES = (
    "onnxruntime", "onnx", "openvino", "torch", "torchaudio", "speechbrain", "numpy", "msgpack",
    "psutil", "soundfile", "soxr", "av", "filelock", "nvidia-ml-py", "platformdirs", "rich",
)
# fmt: on
_TIMED_RUNS = 5
_NO_MODEL = "no model is installed: run speaker-sidecar models fetch campplus-zh-en"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to ``parser``."""
    add = parser.add_argument
    add("--model", metavar="ID|DIR", help="what to try; default: the first that is installed")
    add_models_dir(parser)
    add("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Print the report; 0 if some device serves, 69 if none does."""
    return exit_code_of(lambda _progress: _report(options))


def _report(options: argparse.Namespace) -> int:
    console = open_console()
    report = examine(options.model, options.models_dir)
    if options.json:
        console.out(json.dumps(report, indent=2))
    else:
        console.print(in_words(report), overflow="ignore", crop=False)
    serves = any("embed_ms" in device for device in report.get("devices", ()))
    return EXIT_OK if serves else EXIT_UNAVAILABLE


def examine(model: str | None, models_dir: Path | None) -> dict[str, Any]:
    """Everything about this machine that decides how the sidecar serves on it.

    Where the libraries cannot be imported, or an index of models is damaged, ``fault`` says so, and
    nothing more is known. Where no model is installed, none is tried, and ``advice`` says so.
    """
    about = {
        "speaker_sidecar": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": platform.platform(),
        "frozen": is_bundle(),
        "packages": {name: _version(name) for name in _PACKAGES},
    }
    try:
        from sidecar.engine.speech_engine import SpeechEngine  # noqa: PLC0415
        from sidecar.hardware import cpu, device, machine  # noqa: PLC0415
        from sidecar.store.catalog import WHICH_MODEL  # noqa: PLC0415

        models, detector = _models(models_dir), _speech_detector(models_dir)
        segmenter = _segmenter(models_dir)
        tried = model or _first_installed(models)
        config = Config(model=tried or default_model(), models_dir=models_dir)
        SpeechEngine(config).import_libraries()
    except Exception as error:  # noqa: BLE001 - a broken installation fails in any way
        failure = f"a library cannot be imported: {type(error).__name__}: {error}"
        fault = getattr(error, "message", f"{failure}; reinstall speaker-sidecar")
        return {**about, "fault": fault}
    known = machine.facts(config)
    choice = device.choose("auto", wants_gpu=False, facts=known)
    names = ["cpu", *(f"cuda:{gpu.index}" for gpu in known.gpus)]
    return {
        **about,
        "selected": choice.selected,
        "reason": choice.reason,
        "cpu": to_wire(cpu.cpu()),
        "driver": to_wire(known.driver),
        "torch": to_wire(known.torch),
        "gpus": to_wire(known.gpus),
        "cuda_visible_devices": known.visible_devices,
        "models": models,
        "speech_detector": detector,
        "segmenter": segmenter,
        "which_model": WHICH_MODEL,
        "tried_model": tried,
        "devices": [_try_device(name, tried, models_dir) for name in names] if tried else [],
        "advice": None if tried else _NO_MODEL,
    }


def in_words(report: dict[str, Any]) -> Group:
    """The report for a person."""
    bundled = " (bundled)" if report["frozen"] else ""
    packages = ", ".join(f"{name} {v or 'absent'}" for name, v in report["packages"].items())
    rows: list[tuple[str | Text, str]] = [
        ("speaker-sidecar", f"{report['speaker_sidecar']}{bundled}"),
        ("system", report["system"]),
        ("Python", report["python"]),
        ("packages", packages),
    ]
    if "fault" in report:
        return Group(facts([*rows, (Text("FAULT", "red"), report["fault"])]))
    cpu = report["cpu"]
    rows += [
        ("CPU", f"{cpu['name']}, {cpu['cores']} physical cores in use, {cpu['simd']}"),
        ("NVIDIA driver", _driver_in_words(report["driver"])),
        ("torch", _torch_in_words(report["torch"])),
        *((f"GPU {gpu['index']}", _gpu_in_words(gpu)) for gpu in report["gpus"]),
        ("device", report["selected"]),
        ("why", report["reason"]),
    ]
    models = [
        *(
            f"  {file['state']:9}  {file['model']}: {file['path']}\n{'':13}SHA-256 {file['sha256']}"
            for file in report["models"]
        ),
        f"  which to take: {report['which_model']}",
        *(
            f"  what {does}: {_carried_in_words(report[name], is_bundled=report['frozen'])}"
            for name, does in (("speech_detector", "hears speech"), ("segmenter", "tells turns"))
        ),
    ]
    trials = [(f"  {trial['device']}", _trial_in_words(trial)) for trial in report["devices"]]
    trials += [
        (f"  {trial['device']}, beside torch", _beside_torch_in_words(trial["beside_torch"]))
        for trial in report["devices"]
        if trial.get("beside_torch")
    ]
    heading = report["advice"] or f"a second of audio with {report['tried_model']}"
    return Group(
        facts(rows),
        Text("\nmodels", "bold"),
        *models,
        Text(f"\n{heading}", "bold"),
        facts(trials),
    )


def _carried_in_words(network: dict[str, str], *, is_bundled: bool) -> str:
    advice = f"; fetched when it is first needed, or by: models fetch {network['id']}"
    if is_bundled:
        advice = "; install the program anew"
    if network["state"] in {"installed", "converted"}:
        advice = ""
    return f"{network['state']}, {network['path']}{advice}"


def _driver_in_words(driver: dict[str, Any] | None) -> str:
    if driver is None:
        return "none answers"
    cuda = "CUDA {}.{} at most".format(*driver["cuda"])
    cards = ["{} ({}.{})".format(card["name"], *card["capability"]) for card in driver["cards"]]
    return f"{driver['version']}, {cuda}; {', '.join(cards) or 'no card'}"


def _torch_in_words(torch: dict[str, Any] | None) -> str:
    if torch is None:
        return "absent"
    if torch["cuda"] is None:
        return f"{torch['version']}, a CPU-only build"
    words = f"{torch['version']}, built for CUDA {torch['cuda']}"
    oldest = torch["oldest_capability"]
    return words if oldest is None else "{} and cards since {}.{}".format(words, *oldest)


def _gpu_in_words(gpu: dict[str, Any]) -> str:
    free_gib, total_gib = (gpu[f"memory_{of}_bytes"] / 2**30 for of in ("free", "total"))
    return f"{gpu['name']}, {free_gib:.1f} of {total_gib:.1f} GiB free"


def _trial_in_words(trial: dict[str, Any]) -> str:
    if "embed_ms" not in trial:
        return f"does not serve: {trial['error']}"
    peak = trial["gpu_peak_reserved_bytes"]
    memory = "" if peak is None else f", {peak / 2**20:.0f} MiB of GPU memory"
    remarks = "".join(f"; {remark}" for remark in trial["remarks"])
    return (
        f"{trial['embed_ms']:.1f} ms with {trial['runtime']} (median of {_TIMED_RUNS}), ready "
        f"after {trial['start_s']:.1f} s, self-test cosine {trial['cosine']:.8f}{memory}{remarks}"
    )


def _beside_torch_in_words(times: dict[str, Any]) -> str:
    from sidecar.tools.beside_torch import in_words  # noqa: PLC0415

    return in_words(times)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _models(models_dir: Path | None) -> list[dict[str, str]]:
    from sidecar.store.catalog import MODELS  # noqa: PLC0415
    from sidecar.store.weights import WeightStore, default_models_dir  # noqa: PLC0415

    files: list[tuple[object, ...]] = [
        (model.id, model.weights, folder.path, model.weights_sha256, "shipped")
        for folder in folders(models_dir)
        for model in folder.models
    ]
    if not is_bundle():  # which fetches none
        store = WeightStore(models_dir or default_models_dir(), offline=True)
        files += [
            (card.id, file.name, store.path(card, file), file.sha256, store.state(card, file).value)
            for card in MODELS.values()
            for file in card.files
        ]
    keys = ("model", "file", "path", "sha256", "state")
    return [dict(zip(keys, map(str, file), strict=True)) for file in files]


def _speech_detector(models_dir: Path | None) -> dict[str, str]:
    """What hears speech, where it lies or belongs."""
    from sidecar.store.catalog import SPEECH_DETECTOR  # noqa: PLC0415

    return _carried(SPEECH_DETECTOR, models_dir)


def _carried(asset: Asset, models_dir: Path | None) -> dict[str, str]:
    from sidecar.store.weights import WeightStore, default_models_dir  # noqa: PLC0415

    [file] = asset.files
    folder = bundle_models_dir() or models_dir or default_models_dir()
    store = WeightStore(folder, offline=True)
    return {
        "id": asset.id,
        "path": str(store.path(asset, file)),
        "state": store.state(asset, file).value,
    }


def _segmenter(models_dir: Path | None) -> dict[str, str]:
    """What tells who speaks when: converted, or where its weights lie or belong."""
    from sidecar.diarization.opening import find_converted  # noqa: PLC0415
    from sidecar.store.catalog import SEGMENTATION  # noqa: PLC0415

    converted = find_converted(models_dir)
    if converted is not None:
        return {"id": SEGMENTATION.id, "path": str(converted.network), "state": "converted"}
    return _carried(SEGMENTATION, models_dir)


def _first_installed(models: list[dict[str, str]]) -> str | None:
    missing = {file["model"] for file in models if file["state"] in {"absent", "damaged"}}
    # Trying one tells what to do about a bundle that lost its models: it cannot fetch any.
    default = default_model() if is_bundle() else None
    return next((f["model"] for f in models if f["model"] not in missing), default)


def _try_device(device: str, model: str, models_dir: Path | None) -> dict[str, Any]:
    """Bring ``device`` to serve as ``serve`` would, offline, and time a second of audio on it."""
    from sidecar.audio.waveform import Waveform  # noqa: PLC0415
    from sidecar.engine.device_check import waveform  # noqa: PLC0415
    from sidecar.engine.speech_engine import SpeechEngine  # noqa: PLC0415

    config = Config(model=model, models_dir=models_dir, offline=True, device=device)
    engine = SpeechEngine(config)
    started_at = time.perf_counter()
    try:
        engine.find_model()
        encoder = engine.open(lambda _: None, lambda: False)
        start_s = time.perf_counter() - started_at
        second = [Waveform(waveform())]
        times_s = timeit.repeat(lambda: encoder.embed(second), number=1, repeat=_TIMED_RUNS)
        from sidecar.tools.beside_torch import beside_torch  # noqa: PLC0415

        beside = beside_torch(encoder, config) if device == "cpu" else None
    except Exception as error:  # noqa: BLE001 - what is wrong is what is asked
        return {"device": device, "error": getattr(error, "message", f"{error!r}")}
    assert encoder.device.self_test is not None
    return {
        "device": device,
        "start_s": round(start_s, 2),
        "embed_ms": round(1000 * statistics.median(times_s), 2),
        "runtime": encoder.device.runtime,
        "remarks": list(encoder.remarks),
        "cosine": encoder.device.self_test.cosine,
        "fingerprint": encoder.model.fingerprint,
        "gpu_peak_reserved_bytes": encoder.peak_reserved_bytes(),
        "beside_torch": beside,
    }
