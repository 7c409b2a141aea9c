"""Paths whatever the locale: the real program where Python would take them for ASCII."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
from raw_host import ROOT, RawHost, assert_error, assert_result, pcm

from sidecar.store.weights import default_models_dir
from sidecar.tools.program import ARGV_VARIABLE, sidecar_argv

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every name is Unicode"),
    pytest.mark.skipif(bool(os.environ.get(ARGV_VARIABLE)), reason="a bundle has no such locale"),
]

ASCII = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
UTF8 = {"LC_ALL": "C.UTF-8"}
# A folder's name, and what people are told of it.
NAMES = [("gr\u00fcn".encode(), "gr\u00fcn"), (b"gr\xfcn", r"gr\udcfcn")]
LOCALES = pytest.mark.parametrize("locale", [ASCII, UTF8], ids=["ascii", "utf-8"])


@pytest.fixture(params=NAMES, ids=["utf-8 name", "latin-1 name"])
def named(request, tmp_path):
    """A folder of such a name with a WAV of such a name in it, as bytes; and how it is told."""
    name, told = request.param
    folder = os.fsencode(tmp_path) + b"/" + name
    os.mkdir(folder)  # noqa: PTH102 - Path takes no bytes
    with open(folder + b"/" + name + b".wav", "wb") as file:  # noqa: PTH123
        soundfile.write(file, [0.1, -0.1] * 4000, 8000, format="WAV")
    return folder, f"{tmp_path}/{told}"


def on_the_wire(path):
    try:
        return path.decode()
    except UnicodeDecodeError:
        return path


@pytest.fixture(scope="module")
def hosts(campplus_weights):
    """``hosts(locale)``: a ready sidecar for each locale, which every test leaves as it was."""
    started = {}

    def host_of(locale):
        key = locale["LC_ALL"]
        if key not in started:
            argv = [*sidecar_argv(), "--model", "campplus-zh-en", "--threads", "1"]
            started[key] = RawHost(
                [*argv, "--models-dir", str(default_models_dir())],
                environment=locale,
            )
            started[key].wait_for_state("ready")
        return started[key]

    yield host_of
    for host in started.values():
        with host:
            assert host.finish() == 0


@LOCALES
def test_a_file_is_found_by_the_bytes_of_its_name(hosts, named, locale):
    host, (folder, told) = hosts(locale), named
    [name] = os.listdir(folder)  # noqa: PTH208
    path = on_the_wire(folder + b"/" + name)
    by_path = assert_result(host.call("embed", {"audio": {"path": path}}), "embedding")
    alone = Path(os.fsdecode(folder), os.fsdecode(name)).read_bytes()
    by_bytes = assert_result(host.call("embed", {"audio": {"file": alone}}), "embedding")
    assert by_path["embedding"] == by_bytes["embedding"]
    missing = host.call("embed", {"audio": {"path": on_the_wire(folder + b"/missing")}})
    assert_error(missing, -32010, "path_not_found")
    assert f"{told}/missing" in missing.message


@LOCALES
def test_a_root_holds(start, campplus_weights, named, tmp_path, locale):
    folder, told = named
    argv = [*sidecar_argv(), "--model", "campplus-zh-en", "--path-root", os.fsdecode(folder)]
    host = start(argv, environment=locale)
    [name] = os.listdir(folder)  # noqa: PTH208
    inside = on_the_wire(folder + b"/" + name)
    assert_result(host.call("embed", {"audio": {"path": inside}}), "embedding")
    (tmp_path / "a.wav").touch()
    outside = host.call("embed", {"audio": {"path": str(tmp_path / "a.wav")}})
    assert_error(outside, -32010, "path_outside_root")
    assert told in outside.message
    assert host.finish() == 0


@LOCALES
def test_a_home_with_such_a_name(start, campplus_weights, named, locale):
    """All that a start reads and makes is there, the log and the tools tell of it."""
    folder, told = named
    home = os.fsdecode(folder)
    models = Path(home, ".local/share/speaker-sidecar")
    models.mkdir(parents=True)
    (models / "models").symlink_to(default_models_dir())
    environment = {**locale, "HOME": home, "XDG_DATA_HOME": "", "SPEAKER_SIDECAR_MODELS_DIR": ""}
    argv = [*sidecar_argv(), "--model", "campplus-zh-en", "--log-format", "json"]
    host = start([*argv, "--log-level", "debug"], environment=environment)
    host.wait_for_state("ready")
    model = host.notices("health")[-1]["model"]
    assert model["source"].startswith(f"{told}/.local/share/speaker-sidecar/models/campplus")
    assert_result(host.call("embed", {"audio": pcm()}), "embedding")
    assert host.finish() == 0
    for line in host.errors.splitlines():
        json.loads(line.decode()).get("message").encode()
    done = subprocess.run(
        [*sidecar_argv(), "doctor"],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert told in done.stdout.decode().replace("\n", "")


@LOCALES
def test_a_model_of_ones_own_in_such_a_folder(start, named, locale):
    folder, told = named
    host = start([*sidecar_argv(), "--model", os.fsdecode(folder)], environment=locale)
    assert host.wait() == 69
    assert f"{told}/embedding_model.ckpt cannot be read" in host.notices("health")[-1]["reason"]


@LOCALES
def test_libraries_in_such_a_folder(start, campplus_weights, tmp_path, locale):
    """As where an app has its Python under the user's home."""
    home = tmp_path / "gr\u00fcn"
    home.mkdir()
    libraries = Path(soundfile.__file__).parent
    (home / "libraries").symlink_to(libraries)
    path = os.pathsep.join([str(ROOT), str(home / "libraries")])
    argv = [*sidecar_argv(), "--model", "campplus-zh-en"]
    host = start(argv, environment={**locale, "PYTHONPATH": path}, cwd="/")
    host.wait_for_state("ready")
    assert_result(host.call("embed", {"audio": pcm()}), "embedding")
    assert host.finish() == 0


def test_a_python_host_in_such_a_locale(campplus_weights, named):
    """What its own ``os`` tells of a folder is what it may send."""
    folder, _ = named
    code = (
        "import os, sys\n"
        "from protocol.python import SpeakerSidecar\n"
        "assert sys.getfilesystemencoding() == 'ascii'\n"
        "folder = sys.argv[1]\n"
        "[name] = os.listdir(folder)\n"
        "argv = sys.argv[2:]\n"
        "with SpeakerSidecar.start(argv) as sidecar:\n"
        "    print(len(sidecar.embed(os.path.join(folder, name)).embedding))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, folder, *sidecar_argv(), "--model", "campplus-zh-en"],
        env={**os.environ, **ASCII},
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert done.stdout == b"192\n", done.stderr.decode()
