"""What is in a bundle's folder, as its users get it.

``SIDECAR_ARGV=dist/speaker-sidecar-cpu/speaker-sidecar pytest tests/e2e``: everything else in this
folder runs against it too.
"""

from __future__ import annotations

import contextlib
import hashlib
import marshal
import re
from pathlib import Path

import pytest
from bundle_under_test import BUNDLE, EDITION, MANIFEST, NO_BUNDLE, PROGRAM

from sidecar import __version__

pytestmark = pytest.mark.skipif(BUNDLE is None, reason=NO_BUNDLE)

# Serving needs none of them, in any edition.
UNWANTED_PACKAGES = {
    *("speechbrain", "torchaudio", "scipy", "matplotlib", "onnx", "huggingface_hub", "triton"),
    *("pytest", "pip", "setuptools", "tkinter", "openvino", "sentencepiece"),
}
TORCH_PACKAGES = {"torch", "sympy", "nvidia", "networkx"}
UNWANTED_FILES = re.compile(
    r".*\.(h|hpp|cuh|cmake|pc|a|lib|pdb|wav|flac|mp3|ogg)"  # headers, linkers' files, test audio
    r"|(.*/)?(tests?|include|cmake|__pycache__)/.*"
    r"|.*/numpy/_?core/_\w+_tests\..*|.*\.dist-info/(RECORD|licenses/.*)"
    r"|.*onnxruntime/(backend|datasets|quantization|tools|transformers)/.*",
    re.IGNORECASE,
)
# What NOTICES.txt has around each title.
RULE = "=" * 78
# (the models that are inside, the most bytes on disk)
LIMITS_BYTES = [({"campplus-zh-en"}, 165_000_000), ({"ecapa-voxceleb"}, 220_000_000)]


def files():
    paths = (path for path in BUNDLE.rglob("*") if path.is_file() and not path.is_symlink())
    return {path.relative_to(BUNDLE).as_posix(): path for path in paths}


def frozen_modules():
    """The names of the modules inside of the program: the index of its archive is not packed."""
    content = (BUNDLE / PROGRAM).read_bytes()
    start = content.index(b"PYZ\0")
    index = start + int.from_bytes(content[start + 8 : start + 12], "big")
    return {entry[0] for entry in marshal.loads(content[index:])}


def test_nothing_is_there_that_serving_does_not_need():
    assert [name for name in files() if UNWANTED_FILES.fullmatch(name)] == []


@pytest.mark.windows("its programs carry an icon, a version and a manifest")
def test_the_program_has_its_resources():
    pefile = pytest.importorskip("pefile")
    with contextlib.closing(pefile.PE(str(BUNDLE / PROGRAM), fast_load=True)) as program:
        directory = pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_RESOURCE"]
        program.parse_data_directories([directory])
        kinds = {entry.id for entry in program.DIRECTORY_ENTRY_RESOURCE.entries}
        [about] = program.VS_FIXEDFILEINFO
    names = ("RT_GROUP_ICON", "RT_VERSION", "RT_MANIFEST")
    assert {pefile.RESOURCE_TYPE[name] for name in names} <= kinds
    version = [about.FileVersionMS >> 16, about.FileVersionMS & 0xFFFF, about.FileVersionLS >> 16]
    assert ".".join(map(str, version)) == __version__
    assert b"longPathAware" in (BUNDLE / PROGRAM).read_bytes()


def test_no_module_is_there_that_serving_does_not_need():
    unwanted = UNWANTED_PACKAGES | (TORCH_PACKAGES if EDITION == "cpu" else set())
    modules = frozen_modules()
    assert "sidecar.requests.server" in modules  # it is the right index
    assert {name for name in modules if name.split(".")[0] in unwanted} == set()
    packages = {path.name.partition(".")[0] for path in (BUNDLE / "_internal").iterdir()}
    assert "onnxruntime" in packages
    assert packages & unwanted == set()


def test_every_link_stays_within():
    for path in BUNDLE.rglob("*"):
        if path.is_symlink():
            assert path.resolve().is_relative_to(BUNDLE.resolve()), path


@pytest.mark.linux("a framework, which only macOS has, is made of links")
def test_there_are_no_links():
    """A package of npm would lose them."""
    assert [path for path in BUNDLE.rglob("*") if path.is_symlink()] == []


def test_the_manifest_says_what_is_there():
    listed = {file["path"]: file for file in MANIFEST["files"]}
    found = files()
    assert set(listed) == set(found) - {"manifest.json"}
    for name, file in listed.items():
        content = found[name].read_bytes()
        assert len(content) == file["n_bytes"], name
        assert hashlib.sha256(content).hexdigest() == file["sha256"], name
    links = {path for path in BUNDLE.rglob("*") if path.is_symlink()}
    told = {BUNDLE / link["path"]: Path(link["target"]) for link in MANIFEST["links"]}
    assert told == {path: path.readlink() for path in links}
    assert MANIFEST["n_bytes"] == sum(file["n_bytes"] for file in MANIFEST["files"])


def test_it_is_small():
    if EDITION != "cpu":
        pytest.skip("the cuda edition has no limit of its own")
    models = {model["id"] for model in MANIFEST["models"]}
    limits = [limit for inside, limit in LIMITS_BYTES if models == inside]
    if not limits:
        pytest.skip(f"no limit is set for a bundle with {', '.join(models)}")
    assert sum(path.stat().st_size for path in files().values()) <= limits[0]


def test_everything_has_its_notice():
    notices = (BUNDLE / "NOTICES.txt").read_text("utf-8")
    for name, version in MANIFEST["packages"].items():
        # The title and some facts, between two lines, and then a text.
        head = rf"^{RULE}\n{re.escape(f'{name} {version}')}\n(?:.+\n)*?{RULE}\n\n--- "
        assert re.search(head, notices, re.MULTILINE), name
    for model in MANIFEST["models"]:
        assert f"\nmodel {model['id']}: " in notices
        assert model["weights_sha256"] in notices
    for known in (
        "Apache License",
        "PYTHON SOFTWARE FOUNDATION",
        "GNU LESSER GENERAL PUBLIC",
        # Of libsndfile's decoders, and of pynvml: their wheels name no text.
        "Neither the name of the Xiph.org Foundation",
        "Neither the name of the NVIDIA Corporation",
    ):
        assert known.lower() in notices.lower()
