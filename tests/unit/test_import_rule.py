"""Imports run one way: each room's docstring says what may come in, and here it is held to it.

The last lines of a room's ``__init__`` name the rooms and the libraries that its modules may
import. Together they must leave no circle, neither between rooms nor between a room's modules.
"""

from __future__ import annotations

import ast
import graphlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Modules beside the rooms, and what each may import. ``__main__`` starts everything.
LOOSE = {
    "": set(),
    "bundle": set(),
    "config": {"protocol"},
    "long_path": set(),
    "serve_options": {"config", "long_path", "store"},
    "background": {"wire"},
    "search_path": set(),
    "utf8_mode": {"bundle"},
    "__main__": {
        "background",
        "bundle",
        "config",
        "diarization",
        "engine",
        "protocol",
        "requests",
        "search_path",
        "speech",
        "serve_options",
        "tools",
        "utf8_mode",
        "wire",
    },
}
JUDGES = {"speechbrain", "torchaudio"}
MAY_IMPORT_JUDGES = {"networks.speechbrain_parity"}
HEAVY = {"numpy", "psutil", "soundfile", "soxr", "torch", "onnxruntime", "openvino"}
BEFORE_READING = (
    "__main__",
    "background",
    "config",
    "bundle",
    "serve_options",
    "utf8_mode",
    "audio.waveform",
    "engine.batch_limits",
    "diarization.engine",
    "diarization.opening",
    "engine.lazy_loader",
    "engine.speech_engine",
    "requests.outbox",
    "requests.pipeline",
    "requests.server",
    "speech.engine",
    "speech.opening",
    "scores.calibration",
    "scores.decision",
    "wire.greeting",
    "wire.log",
    "wire.reader",
    "wire.streams",
    "wire.writer",
)


def sources(package):
    """Module names below ``package``, with their files."""
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT / package).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), path


SIDECAR = dict(sources("sidecar"))
# ``vectors`` generates files, ``node`` is the npm package, ``python`` a host with threads.
PROTOCOL = {
    name: path
    for name, path in sources("protocol")
    if not name.startswith(("vectors", "node", "python"))
}
ROOMS = sorted(path.parent.name for path in (ROOT / "sidecar").glob("*/__init__.py"))


def named_in(room, what):
    """The names in ``what: a, b.`` of a room's docstring, which may go over several lines.

    ``none`` stands for no name.
    """
    docstring = ast.get_docstring(ast.parse((ROOT / "sidecar" / room / "__init__.py").read_text()))
    line = re.search(rf"^{what}: ([^.]*)\.", docstring, re.MULTILINE)
    assert line, f"sidecar/{room}/__init__.py has no line {what!r}"
    return set(re.split(r",\s+", line[1])) - {"none"}


MAY_ENTER = {room: named_in(room, "Rooms") for room in ROOMS} | LOOSE


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


def modules_in(path, **options):
    """The modules of ``sidecar`` that a file imports, by their names below it."""
    found = set()
    for name in imports(path, **options):
        if name == "sidecar" or name.startswith("sidecar."):
            below = name.removeprefix("sidecar").removeprefix(".")
            # The last part may be a name inside of the module.
            found.add(below if below in SIDECAR else below.rpartition(".")[0])
    return found


def tops(path, **options):
    return {name.split(".")[0] for name in imports(path, **options)}


def room_of(module):
    return module.split(".")[0]


by_module = pytest.mark.parametrize("module", SIDECAR)


@by_module
def test_only_rooms_come_in_that_the_docstring_names(module):
    room = room_of(module)
    entering = {room_of(name) for name in modules_in(SIDECAR[module])} - {room, ""}
    if "protocol" in tops(SIDECAR[module]):
        entering.add("protocol")
    assert entering <= MAY_ENTER[room]


@by_module
def test_only_libraries_come_in_that_the_docstring_names(module):
    room = room_of(module)
    libraries = tops(SIDECAR[module]) - sys.stdlib_module_names - {"sidecar", "protocol"}
    if module in MAY_IMPORT_JUDGES:
        libraries -= JUDGES
    assert libraries <= (set() if room in LOOSE else named_in(room, "Libraries"))


@pytest.mark.parametrize("room", ROOMS)
def test_a_docstring_names_nothing_that_does_not_come_in(room):
    inside = [path for module, path in SIDECAR.items() if room_of(module) == room]
    rooms = {room_of(name) for path in inside for name in modules_in(path)}
    libraries = set().union(*(tops(path) for path in inside))
    assert named_in(room, "Rooms") <= rooms | libraries
    assert named_in(room, "Libraries") <= libraries


def test_the_rooms_have_an_order():
    tuple(graphlib.TopologicalSorter(MAY_ENTER).static_order())


@pytest.mark.parametrize("room", ROOMS)
def test_the_modules_of_a_room_have_an_order(room):
    inside = {
        module: modules_in(path) for module, path in SIDECAR.items() if room_of(module) == room
    }
    graph = {module: names & set(inside) - {module} for module, names in inside.items()}
    tuple(graphlib.TopologicalSorter(graph).static_order())


def test_every_module_is_in_a_room():
    assert {room_of(module) for module in SIDECAR} == {*ROOMS, *LOOSE}


@pytest.mark.parametrize("module", PROTOCOL)
def test_the_protocol_is_pure(module):
    path = PROTOCOL[module]
    assert tops(path) <= {*sys.stdlib_module_names, "msgpack", "protocol"}
    # No input or output, and nothing that runs beside.
    assert not tops(path) & {"asyncio", "io", "os", "pathlib", "socket", "subprocess", "threading"}


@pytest.mark.parametrize("path", sorted((ROOT / "protocol" / "python").glob("*.py")), ids=str)
def test_the_python_host_needs_nothing_of_the_sidecar(path):
    assert tops(path) <= {*sys.stdlib_module_names, "msgpack", "protocol"}


@by_module
def test_only_the_rooms_that_compute_import_torch(module):
    if room_of(module) not in {"networks", "engine", "hardware"}:
        assert "torch" not in tops(SIDECAR[module])


@by_module
def test_nothing_that_serves_imports_the_judges(module):
    if module not in MAY_IMPORT_JUDGES:
        assert not tops(SIDECAR[module]) & JUDGES


@pytest.mark.parametrize("module", BEFORE_READING)
def test_nothing_heavy_is_imported_before_the_reader_starts(module):
    """Statically: what may be imported later, inside of functions, too."""
    assert not tops(SIDECAR[module], also_late=False) & {*HEAVY, *JUDGES}


def test_what_is_imported_before_the_reader_starts():
    modules = ", ".join(f"sidecar.{module}" for module in BEFORE_READING)
    code = f"import sys, {modules}; print(*sorted(set(sys.modules) & {HEAVY}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_serving_needs_no_judge():
    """What the server imports once it works: torch, but neither SpeechBrain nor torchaudio."""
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed")
    code = "import sys, sidecar.engine.encoder, sidecar.networks.campplus; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "torch" in loaded
    assert not loaded & JUDGES
