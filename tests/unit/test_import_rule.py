"""Imports run one way, and only two rooms know torch.

``protocol <- audio, scheduler, device <- models, runtimes <- encoder <- backend, server <-
__main__``; the tools stand above all of it.
"""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Each may import from its own rank and from lower ones. Names are those below ``sidecar``.
RANKS = [
    {
        "",
        "config",
        "shipped",
        "windows",
        "containers",
        "windowing",
        "log",
        "host_watch",
        "kept_file",
        "jobs",
    },
    {"audio", "audio_file", "audio_path", "batching", "scheduler", "device", "stdio", "hello"},
    {
        "models",
        "runtimes",
        "conversion",
        "meter",
        "pipeline",
        "responses",
        "status",
        "self_test",
        "ending",
        "interface",
    },
    {"encoder", "start"},
    {"server", "backend"},
    {"__main__", "tools"},
]
ONLY_ROOMS_WITH_TORCH = {"models", "runtimes"}
# What the bench compares with runs in processes of its own, which never serve.
BENCH_ENGINES = "tools.bench.engines."
JUDGES = {"speechbrain", "torchaudio"}
MAY_IMPORT_JUDGES = {"tools", "models.parity"}
HEAVY = ["numpy", "psutil", "soundfile", "soxr", "torch"]


def sources(package):
    """Module names below ``package``, with their files."""
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT / package).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), path


SIDECAR = list(sources("sidecar"))
# ``vectors`` generates files, ``node`` is the npm package.
PROTOCOL = [pair for pair in sources("protocol") if not pair[0].startswith(("vectors", "node"))]


def imports(path, *, also_late=True):
    """The absolute names that a file imports; those inside of functions too, if ``also_late``."""
    tree = ast.parse(path.read_text("utf-8"), path)
    found = set()
    for node in ast.walk(tree) if also_late else _at_import(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _at_import(node):
    """The nodes that run when the module is imported."""
    for child in ast.iter_child_nodes(node):
        is_typing = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
        if not is_typing and not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield child
            yield from _at_import(child)


def tops(path, **options):
    return {name.split(".")[0] for name in imports(path, **options)}


def room_of(module):
    return module.split(".")[0]


def rank_of(room):
    [rank] = [number for number, rooms in enumerate(RANKS) if room in rooms]
    return rank


@pytest.mark.parametrize(("module", "path"), SIDECAR, ids=lambda value: str(value)[-40:])
def test_sidecar_imports_run_one_way(module, path):
    own_rank = rank_of(room_of(module))
    for name in imports(path):
        top, _, rest = name.partition(".")
        if top == "sidecar":
            room = rest.split(".")[0]
            if (
                not (ROOT / "sidecar" / room).is_dir()
                and not (ROOT / "sidecar" / f"{room}.py").is_file()
            ):
                room = ""  # a name of the package itself
            assert rank_of(room) <= own_rank, f"{module} must not import {name}"


def test_every_module_has_one_rank():
    rooms = {room_of(module) for module, _ in SIDECAR}
    ranked = [room for rank in RANKS for room in rank]
    assert len(ranked) == len(set(ranked))
    assert set(ranked) == rooms


@pytest.mark.parametrize(("module", "path"), PROTOCOL, ids=lambda value: str(value)[-40:])
def test_the_protocol_is_pure(module, path):
    assert tops(path) <= {*sys.stdlib_module_names, "msgpack", "protocol"}
    # No input or output, and nothing that runs beside.
    assert not tops(path) & {"asyncio", "io", "os", "pathlib", "socket", "subprocess", "threading"}


@pytest.mark.parametrize(("module", "path"), SIDECAR, ids=lambda value: str(value)[-40:])
def test_only_models_and_runtimes_import_torch(module, path):
    if room_of(module) not in ONLY_ROOMS_WITH_TORCH and not module.startswith(BENCH_ENGINES):
        assert "torch" not in tops(path)


@pytest.mark.parametrize(("module", "path"), SIDECAR, ids=lambda value: str(value)[-40:])
def test_nothing_that_serves_imports_the_judges(module, path):
    if not {module, room_of(module)} & MAY_IMPORT_JUDGES:
        assert not tops(path) & JUDGES


@pytest.mark.parametrize("module", ["__main__", "config", "stdio", "log", "server", "backend"])
def test_nothing_heavy_is_imported_before_hello(module):
    """Statically: psutil and all that ``sidecar`` may import later, inside of functions."""
    path = ROOT / "sidecar" / f"{module}.py"
    assert not tops(path, also_late=False) & {*HEAVY, *JUDGES}


def test_what_is_imported_before_hello():
    modules = "sidecar.__main__, sidecar.stdio, sidecar.log, sidecar.server, sidecar.backend"
    code = f"import sys, {modules}; print(*sorted(set(sys.modules) & set({HEAVY})))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_serving_needs_no_judge():
    """What the server imports once it works: torch, but neither SpeechBrain nor torchaudio."""
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed")
    code = "import sys, sidecar.encoder, sidecar.models.campplus; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "torch" in loaded
    assert not loaded & JUDGES
