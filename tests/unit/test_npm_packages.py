"""``packaging/npm_packages.py``: what is in the packages, of a small bundle and a small client."""

from __future__ import annotations

import json
import shutil
import tarfile

import pytest

from sidecar import __version__

needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")


@pytest.fixture
def packages(load_script, monkeypatch, tmp_path):
    """The script, for Linux on x64; its client is a folder with hardly anything in it."""
    script = load_script("npm_packages")
    client = tmp_path / "client"
    (client / "node_modules").mkdir(parents=True)
    about = {"name": "speaker-sidecar", "version": __version__, "homepage": "https://example.org"}
    (client / "package.json").write_text(json.dumps(about))
    monkeypatch.setattr(script, "CLIENT", client)
    monkeypatch.setattr(script, "_platform", lambda: "linux-x64")
    return script


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "bundle"
    (folder / "models" / ".converted" / "a").mkdir(parents=True)
    (folder / "models" / ".converted" / "a" / "network.onnx").write_bytes(b"network")
    (folder / "speaker-sidecar").write_bytes(b"program")
    (folder / "speaker-sidecar").chmod(0o755)
    manifest = {"models": [{"id": "campplus-zh-en"}], "files": [], "links": []}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def content(tarball):
    """Of each file in a package: its mode, and what it holds."""
    with tarfile.open(tarball) as tar:
        files = [member for member in tar if member.isfile()]
        return {file.name: (file.mode, tar.extractfile(file).read()) for file in files}


def package_json(tarball):
    return json.loads(content(tarball)["package/package.json"][1])


@needs_npm
def test_a_platforms_package_has_the_whole_bundle(packages, bundle, tmp_path):
    lines = packages.write_packages(bundle, tmp_path / "npm")
    tarball = tmp_path / "npm" / f"speaker-sidecar-linux-x64-{__version__}.tgz"
    assert lines[0].endswith(f"MB  packed, {tarball}")
    files = content(tarball)
    inside = "package/speaker-sidecar/"
    assert files[f"{inside}models/.converted/a/network.onnx"][1] == b"network"
    assert {name for name in files if not name.startswith(inside)} == {
        f"package/{name}" for name in ("package.json", "README.md", "LICENSE")
    }
    assert b"`campplus-zh-en`" in files["package/README.md"][1]
    assert not any(b"\r" in files[f"package/{name}"][1] for name in ("package.json", "README.md"))
    about = package_json(tarball)
    assert about["version"] == __version__
    assert (about["os"], about["cpu"], about["libc"]) == (["linux"], ["x64"], ["glibc"])
    assert about["homepage"] == "https://example.org"
    assert about["license"] == "SEE LICENSE IN speaker-sidecar/NOTICES.txt"


@needs_npm
@pytest.mark.posix("Windows has no permission to run, and links need a privilege")
def test_files_take_the_places_of_links(packages, bundle, tmp_path):
    framework = bundle / "_internal" / "Python.framework" / "Versions" / "3.12"
    framework.mkdir(parents=True)
    (framework / "Python").write_bytes(b"library")
    (bundle / "_internal" / "Python").symlink_to("Python.framework/Versions/3.12/Python")
    packages.write_packages(bundle, tmp_path / "npm")
    [tarball] = (tmp_path / "npm").glob("speaker-sidecar-linux-x64-*.tgz")
    files = content(tarball)
    inside = "package/speaker-sidecar/"
    assert files[f"{inside}speaker-sidecar"] == (0o755, b"program")
    assert files[f"{inside}_internal/Python"][1] == b"library"
    manifest = json.loads(files[f"{inside}manifest.json"][1])
    listed = {inside + file["path"] for file in manifest["files"]}
    assert listed == {name for name in files if name.startswith(inside)} - {
        f"{inside}manifest.json"
    }
    assert manifest["links"] == []


@needs_npm
def test_what_npm_leaves_out_ends_the_build(packages, load_script, bundle, tmp_path):
    (bundle / "_internal").mkdir()
    (bundle / "_internal" / ".npmrc").touch()
    with pytest.raises(load_script("build_failed").BuildFailed, match=r"left out .*/\.npmrc"):
        packages.write_packages(bundle, tmp_path / "npm")


@needs_npm
def test_the_client_asks_for_exactly_its_own_release(packages, bundle, tmp_path):
    before = (packages.CLIENT / "package.json").read_bytes()
    packages.write_packages(bundle, tmp_path / "npm")
    about = package_json(tmp_path / "npm" / f"speaker-sidecar-{__version__}.tgz")
    assert about["optionalDependencies"] == {
        f"speaker-sidecar-{platform}": __version__
        for platform in ("darwin-arm64", "linux-x64", "win32-x64")
    }
    assert (packages.CLIENT / "package.json").read_bytes() == before


@pytest.mark.parametrize("platform", ["darwin-arm64", "linux-x64", "win32-x64"])
def test_each_platform_says_where_it_runs(packages, platform):
    about = packages.about_platform(platform, {})
    assert about["name"] == f"speaker-sidecar-{platform}"
    assert (*about["os"], *about["cpu"]) == tuple(platform.split("-"))
    # Only Linux has programs for several C libraries.
    assert ("libc" in about) == platform.startswith("linux")


@pytest.mark.parametrize(
    ("system", "machine", "name"),
    [
        ("linux", "x86_64", "linux-x64"),
        ("linux", "aarch64", "linux-arm64"),
        ("win32", "AMD64", "win32-x64"),
        ("win32", "ARM64", "win32-arm64"),
        ("darwin", "arm64", "darwin-arm64"),
    ],
)
def test_platforms_have_nodes_names(load_script, monkeypatch, system, machine, name):
    script = load_script("npm_packages")
    monkeypatch.setattr(script.sys, "platform", system)
    monkeypatch.setattr(script.platform, "machine", lambda: machine)
    assert script._platform() == name


def test_what_is_in_the_way_is_said_before_the_build(packages, load_script, monkeypatch):
    failed = load_script("build_failed").BuildFailed
    monkeypatch.setattr(packages.shutil, "which", lambda name: name)
    packages.require_npm("cpu")
    with pytest.raises(failed, match="packs the cpu edition"):
        packages.require_npm("cuda")
    monkeypatch.setattr(packages, "_platform", lambda: "linux-riscv64")
    with pytest.raises(failed, match="no package is for linux-riscv64"):
        packages.require_npm("cpu")
    monkeypatch.setattr(packages, "_platform", lambda: "win32-x64")
    (packages.CLIENT / "node_modules").rmdir()
    with pytest.raises(failed, match="npm --prefix protocol/node ci"):
        packages.require_npm("cpu")
    monkeypatch.setattr(packages.shutil, "which", lambda _: None)
    with pytest.raises(failed, match="needs npm"):
        packages.require_npm("cpu")


def test_two_releases_are_not_packed_together(packages, load_script, monkeypatch):
    monkeypatch.setattr(packages.shutil, "which", lambda name: name)
    (packages.CLIENT / "package.json").write_text('{"version": "0.0.1"}')
    with pytest.raises(load_script("build_failed").BuildFailed, match=r"is of 0\.0\.1, not"):
        packages.require_npm("cpu")
