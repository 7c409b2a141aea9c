"""The notices of a bundle: every library and model in it has the text that its owner asks for."""

from __future__ import annotations

import importlib.metadata
import re

import pytest
from unit.packaging_files import PACKAGING, touch


@pytest.fixture
def notices(load_script, monkeypatch, tmp_path):
    """The module, which finds nothing installed but pyinstaller, and no dpkg."""
    notices = load_script("notices")
    found = importlib.metadata.distributions
    monkeypatch.setattr(
        notices.importlib.metadata, "distributions", lambda: found(path=[str(tmp_path / "site")])
    )
    monkeypatch.setattr(
        notices.importlib.metadata,
        "distribution",
        lambda name: next(d for d in notices.importlib.metadata.distributions() if d.name == name),
    )
    monkeypatch.setattr(notices.shutil, "which", lambda _: None)
    for name in ("pyinstaller", "pyinstaller-hooks-contrib"):
        install(tmp_path, name, "LICENSE")
    (tmp_path / "bundle").mkdir()
    return notices


def install(tmp_path, name, *licences):
    """A package of one module below ``site``, with licences of its own; the module's entry."""
    module = f"{name.replace('-', '_')}.py"
    about = tmp_path / "site" / f"{name.replace('-', '_')}-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Name: {name}\nVersion: 1\n", "utf-8")
    for licence in licences:
        (about / licence).write_text(f"what {name} asks for", "utf-8")
    files = [module, *(f"{about.name}/{file}" for file in ("METADATA", *licences))]
    (about / "RECORD").write_text("".join(f"{file},,\n" for file in files), "utf-8")
    touch(tmp_path / "site", module)
    return (name, str(tmp_path / "site" / module))


def texts_of(bundle):
    """What NOTICES.txt has under each title."""
    rule = "=" * 78
    blocks = (bundle / "NOTICES.txt").read_text("utf-8").split(f"\n\n{rule}\n")
    heads = (block.removeprefix(f"{rule}\n").split(f"\n{rule}\n") for block in blocks)
    return {head.split("\n", 1)[0]: "".join(text) for head, *text in heads}


def test_each_package_has_its_notice(notices, tmp_path):
    contents = [install(tmp_path, "some-library", "LICENSE"), install(tmp_path, "nvidia-ml-py")]
    install(tmp_path, "not-inside")
    packages = notices.write_notices(tmp_path / "bundle", contents, [])
    texts = texts_of(tmp_path / "bundle")
    assert packages.keys() == {
        *("some-library", "nvidia-ml-py", "pyinstaller", "pyinstaller-hooks-contrib")
    }
    assert "Apache License" in texts["speaker-sidecar"]
    assert "what some-library asks for" in texts["some-library 1"]
    # Its wheel has no such file.
    assert "NVIDIA Corporation nor the names of its" in texts["nvidia-ml-py 1"]
    assert "not-inside 1" not in texts


def test_a_model_of_the_users_has_the_licence_of_its_folder(notices, prepared, tmp_path):
    model = prepared("mine", b"w")
    notices.write_notices(tmp_path / "bundle", [], [model])
    assert texts_of(tmp_path / "bundle")["model mine: ECAPA-TDNN mine"] == ""
    (tmp_path / "mine" / "LICENSE.md").write_text("what its owner asks for", "utf-8")
    notices.write_notices(tmp_path / "bundle", [], [model])
    assert "what its owner asks" in texts_of(tmp_path / "bundle")["model mine: ECAPA-TDNN mine"]


def test_a_package_without_a_licence_ends_the_build(notices, load_script, tmp_path):
    contents = [install(tmp_path, "some-library")]
    with pytest.raises(
        load_script("build_failed").BuildFailed, match="known of some-library 1: see"
    ):
        notices.write_notices(tmp_path / "bundle", contents, [])


def test_a_library_of_nobody_ends_the_build(notices, load_script, tmp_path):
    touch(tmp_path, "lib/libunheard.so.1")
    contents = [("libunheard.so.1", str(tmp_path / "lib" / "libunheard.so.1"))]
    with pytest.raises(
        load_script("build_failed").BuildFailed, match=r"known of libunheard\.so\.1: see"
    ):
        notices.write_notices(tmp_path / "bundle", contents, [])


def test_libraries_without_a_package_are_known_by_their_names(notices, tmp_path):
    touch(tmp_path, "lib/libssl.so.3")
    # The last was put there when everything was frozen.
    touch(tmp_path / "bundle" / "_internal", "libssl.so.3", "MSVCP140.dll")
    contents = [("libssl.so.3", str(tmp_path / "lib" / "libssl.so.3"))]
    notices.write_notices(tmp_path / "bundle", contents, [])
    texts = texts_of(tmp_path / "bundle")
    assert "OpenSSL" in texts["openssl"]
    assert "Microsoft" in texts["microsoft-visual-cpp"]


def test_of_a_library_of_debian_its_own_file_is_taken(notices, monkeypatch, tmp_path):
    touch(tmp_path, "lib/libssl.so.3.0.19")
    touch(tmp_path / "bundle", "libssl.so.3")
    (tmp_path / "copyright").write_text("what Debian says", "utf-8")
    monkeypatch.setattr(notices.shutil, "which", lambda name: name)
    monkeypatch.setattr(notices, "_dpkg_owner", lambda _dpkg, _library: "libssl3")
    monkeypatch.setattr(notices, "_debian_copyright", lambda _: tmp_path / "copyright")
    contents = [("libssl.so.3", str(tmp_path / "lib" / "libssl.so.3.0.19"))]
    notices.write_notices(tmp_path / "bundle", contents, [])
    texts = texts_of(tmp_path / "bundle")
    assert "what Debian says" in texts["libssl3 (of the system on which this was built)"]
    assert "openssl" not in texts


LIBRARIES = {
    "openssl": "libcrypto.so.3 libssl.3.dylib libcrypto-3.dll libssl-3-x64.dll libssl.so.1.1",
    "libffi": "libffi.so.8 libffi-8.dll libffi.8.dylib",
    "sqlite": "libsqlite3.so.0 libsqlite3.dylib sqlite3.dll",
    "zlib": "libz.so.1 libz.1.dylib zlib1.dll zlib.dll",
    "bzip2": "libbz2.so.1.0 libbz2.1.dylib",
    "xz": "liblzma.so.5 liblzma.5.dylib liblzma.dll",
    "gcc": "libgcc_s.so.1 libstdc++.so.6 libgomp.so.1",
    "microsoft-visual-cpp": "msvcp140.dll msvcp140_1.dll VCRUNTIME140_1.dll concrt140.dll "
    "vcomp140.dll ucrtbase.dll api-ms-win-crt-heap-l1-1-0.dll",
    "silero-vad": "silero_vad_16k_sequence.onnx",
    "nvidia-cuda": "cublasLt64_13.dll cudart64_12.dll cudnn_graph64_9.dll cufft64_11.dll "
    "cupti64_2025.1.0.dll curand64_10.dll cusolver64_11.dll cusparse64_12.dll nvrtc64_120_0.dll "
    "nvJitLink_120_0.dll nvToolsExt64_1.dll",
    None: "libopenvino.so.2641 libsndfile_x86_64.so python312.dll libzmq.so libsslkeys.so cuda.so",
}


@pytest.mark.parametrize(("part", "names"), LIBRARIES.items(), ids=str)
def test_libraries_are_known_on_each_system(load_script, part, names):
    for name in names.split():
        found, told = load_script("notices")._notices_of_parts([name])
        assert [notice.title for notice in found] == ([part] if part else []), name
        assert told == ({name} if part else set())


def test_every_kept_text_is_used_and_has_its_source(load_script):
    licences = PACKAGING / "licences"
    folders = {path.name for path in licences.iterdir() if path.is_dir()}
    assert folders == {*load_script("notices")._PARTS, "av", "soundfile", "nvidia-ml-py"}
    sources = (licences / "README.md").read_text("utf-8")
    for folder in folders:
        assert load_script("notices")._kept_texts(folder)
        assert re.search(rf"`{folder}[`/]", sources)


def test_what_tells_turns_is_known_by_its_folder(notices, tmp_path):
    touch(tmp_path / "bundle", "models/.converted/segmentation.0123456789abcdef-01234567/a.onnx")
    notices.write_notices(tmp_path / "bundle", [], [])
    assert "Copyright (c) 2020 CNRS" in texts_of(tmp_path / "bundle")["pyannote-segmentation"]
