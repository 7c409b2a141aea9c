"""What comes into a bundle: libraries, models, notices, the manifest. It needs no PyInstaller."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import json
import re
import runpy
import sys
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from sidecar.store.installed import FOLDER_WEIGHTS, InstalledModel, find_card
from sidecar.store.openvino_files import FILES, Converted
from sidecar.store.openvino_files import MANIFEST as CONVERTED_MANIFEST
from sidecar.store.prebuilt import read_folder

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"


@pytest.fixture
def load(monkeypatch):
    """Imports a script of ``packaging/``, as it is imported when it runs."""
    monkeypatch.syspath_prepend(str(PACKAGING))
    return importlib.import_module


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


# ---- The hooks ----


@pytest.fixture
def run_hook(monkeypatch, tmp_path):
    """Runs a hook, with ``files`` below site-packages; what it leaves, for PyInstaller to read."""

    def run(package, files, modules=()):
        touch(tmp_path, *files)
        hooks = ModuleType("PyInstaller.utils.hooks")
        hooks.get_package_paths = lambda name: (str(tmp_path), str(tmp_path / name))
        hooks.collect_submodules = lambda _, **how: [
            name for name in modules if how["filter"](name)
        ]
        for parent in ("PyInstaller", "PyInstaller.utils"):
            monkeypatch.setitem(sys.modules, parent, ModuleType(parent))
        monkeypatch.setitem(sys.modules, "PyInstaller.utils.hooks", hooks)
        return runpy.run_path(str(PACKAGING / "hooks" / f"hook-{package}.py"))

    return run


def taken(hook):
    return {f"{target}/{Path(source).name}" for source, target in hook["binaries"]}


# What the wheels of OpenVINO 2026.4 have in openvino/libs, first what serves, then the rest.
OPENVINO = {
    "Linux": (
        "libhwloc.so.15 libopenvino.so.2641 libopenvino_intel_cpu_plugin.so "
        "libopenvino_ir_frontend.so.2641 libtbb.so.12 libtbbbind_2_5.so.3 libtbbmalloc.so.2",
        "cache.json libopenvino_auto_batch_plugin.so libopenvino_auto_plugin.so "
        "libopenvino_c.so.2641 libopenvino_gguf_frontend.so.2641 libopenvino_hetero_plugin.so "
        "libopenvino_intel_gpu_plugin.so libopenvino_intel_npu_plugin.so "
        "libopenvino_onnx_frontend.so.2641 libopenvino_tensorflow_lite_frontend.so.2641 "
        "libtbbmalloc_proxy.so.2 tbb.pc",
    ),
    "macOS": (
        "libhwloc.dylib libopenvino.2641.dylib libopenvino_arm_cpu_plugin.so "
        "libopenvino_ir_frontend.2641.dylib libtbb.12.dylib libtbbbind_2_5.3.dylib "
        "libtbbmalloc.2.dylib",
        "libopenvino_auto_batch_plugin.so libopenvino_auto_plugin.so libopenvino_c.2641.dylib "
        "libopenvino_gguf_frontend.2641.dylib libopenvino_hetero_plugin.so "
        "libopenvino_onnx_frontend.2641.dylib libtbbmalloc_proxy.2.dylib tbb.pc",
    ),
    "Windows": (
        "openvino.dll openvino_intel_cpu_plugin.dll openvino_ir_frontend.dll tbb12.dll "
        "tbbbind_2_5.dll tbbmalloc.dll",
        "cache.json openvino.lib openvino_auto_batch_plugin.dll openvino_auto_plugin.dll "
        "openvino_c.dll openvino_c.lib openvino_gguf_frontend.dll openvino_hetero_plugin.dll "
        "openvino_intel_gpu_plugin.dll openvino_intel_npu_compiler.dll "
        "openvino_intel_npu_plugin.dll openvino_onnx_frontend.dll openvino_onnx_frontend.lib "
        "openvino_tensorflow_frontend.dll "
        "tbb12.lib tbb12_debug.lib tbbbind_2_5.lib tbbmalloc.lib tbbmalloc_proxy.dll",
    ),
}


@pytest.mark.parametrize(("serves", "rest"), OPENVINO.values(), ids=OPENVINO)
def test_of_openvino_comes_what_serves(run_hook, serves, rest):
    files = [f"openvino/libs/{name}" for name in f"{serves} {rest}".split()]
    assert taken(run_hook("openvino", files)) == {
        f"openvino/libs/{name}" for name in serves.split()
    }


# Of the libraries of torch with CUDA 12 and 13: what it loads, and what nothing here opens.
TORCH = {
    "Linux": (
        "torch/lib/libc10_cuda.so torch/lib/libtorch_cuda.so torch/lib/libgomp.so.1 "
        "torch/lib/libtorch_nvshmem.so nvidia/cu13/lib/libcublasLt.so.13 "
        "nvidia/cu13/lib/libnvrtc.so.13 nvidia/cu13/lib/libnvrtc-builtins.so.13.0 "
        "nvidia/cu13/lib/libcufft.so.12 nvidia/cu13/lib/libcusparse.so.12 "
        "nvidia/cudnn/lib/libcudnn_engines_precompiled.so.9 nvidia/nccl/lib/libnccl.so.2 "
        "nvidia/nvshmem/lib/libnvshmem_host.so.3",
        "torch/lib/libtorch_cuda_linalg.so nvidia/cu13/lib/libcusolver.so.12 "
        "nvidia/cu13/lib/libcusolverMg.so.12 nvidia/cu13/lib/libnvrtc.alt.so.13 "
        "nvidia/cu13/lib/libnvrtc-builtins.alt.so.13.0 nvidia/cu13/lib/libnvperf_host.so "
        "nvidia/cu13/lib/libnvblas.so.13 nvidia/cu13/lib/libcufftw.so.12 "
        "nvidia/cu13/lib/libcufile_rdma.so.1 nvidia/cu13/lib/libpcsamplingutil.so "
        "nvidia/cu13/lib/libcheckpoint.so nvidia/cu13/lib/libcudart_static.a "
        "nvidia/nvshmem/lib/nvshmem_transport_ibrc.so.3 "
        "nvidia/nvshmem/lib/nvshmem_bootstrap_uid.so.3",
    ),
    "Windows": (
        "torch/lib/c10.dll torch/lib/torch_cuda.dll torch/lib/cublas64_12.dll "
        "torch/lib/cudnn_graph64_9.dll torch/lib/cusolver64_11.dll torch/lib/nvrtc64_120_0.dll "
        "torch/lib/nvJitLink_120_0.dll torch/lib/libiomp5md.dll",
        "torch/lib/cusolverMg64_11.dll torch/lib/nvrtc64_120_0.alt.dll torch/lib/cufftw64_11.dll "
        "torch/lib/nvperf_host.dll torch/lib/torch_cuda.lib",
    ),
}


@pytest.mark.parametrize(("serves", "rest"), TORCH.values(), ids=TORCH)
def test_of_cuda_comes_what_torch_loads(run_hook, serves, rest):
    files = f"{serves} {rest} torch/version.py".split()
    assert taken(run_hook("torch", files)) == set(serves.split())


def test_of_torch_comes_what_runs_a_network(run_hook):
    used = ["torch.nn.functional", "torch.testing", "torch.fx.passes", "torch.onnxish"]
    unused = ["torch.onnx", "torch.onnx.utils", "torch._inductor.ir", "torch.testing._internal.x"]
    hook = run_hook("torch", ["torch/lib/libtorch.so"], used + unused)
    assert hook["hiddenimports"] == used


# ---- The models ----


@pytest.mark.parametrize(
    ("models", "told"),
    [
        (["campplus-zh-en", "campplus-zh-en"], "would both be campplus-zh-en"),
        (["{}/a/mine", "{}/b/mine"], "would both be mine"),
        (["{}/a/mine", "{}/b/Mine"], "would both be Mine"),
        (["{}/a/campplus-zh-en"], "give the id itself, or rename the folder"),
    ],
    ids=["an id twice", "two folders of one name", "but for the case", "a folder named like an id"],
)
def test_models_that_could_not_be_told_apart_end_the_build(load, tmp_path, models, told):
    touch(tmp_path, "a/mine/x", "b/mine/x", "b/Mine/x", "a/campplus-zh-en/x")
    load("models_folder").require_distinct([f"{tmp_path}/a/mine", "ecapa-voxceleb"])
    with pytest.raises(load("build_failed").BuildFailed, match=told):
        load("models_folder").require_distinct([model.format(tmp_path) for model in models])


@pytest.fixture
def prepared(load, tmp_path):
    """Makes a model ready to be shipped, in the folder of that name; of made-up bytes."""

    def make(name, weights):
        folder, converted = tmp_path / name, tmp_path / "converted" / f"{weights.decode()}-2026"
        folder.mkdir()
        (folder / FOLDER_WEIGHTS).write_bytes(weights)
        converted.mkdir(parents=True, exist_ok=True)
        for file in (*FILES, CONVERTED_MANIFEST):
            (converted / file).write_bytes(np.ones(192, "<f8").tobytes())
        digest = hashlib.sha256(weights).hexdigest()
        installed = InstalledModel(find_card(str(folder)), folder / FOLDER_WEIGHTS, digest)
        return load("models_folder").PreparedModel(
            installed, Converted.within(converted), f"ecapa.{weights.decode()}"
        )

    return make


@pytest.mark.parametrize("with_weights", [False, True])
def test_the_models_are_laid_out_as_they_are_looked_for(load, prepared, tmp_path, with_weights):
    models = [prepared("one", b"w"), prepared("other", b"v"), prepared("twin", b"w")]
    folder = tmp_path / "bundle" / "models"
    load("models_folder").fill(folder, models, with_weights=with_weights)
    found = read_folder(folder)
    assert [model.id for model in found.models] == ["one", "other", "twin"]
    for model, made in zip(found.models, models, strict=True):
        assert model.weights_sha256 == made.installed.weights_sha256
        assert (folder / model.weights).exists() == with_weights
        assert (folder / ".openvino" / made.converted.folder.name / FILES[0]).is_file()


# ---- The manifest ----


def test_the_manifest_has_every_file_and_link(load, prepared, tmp_path):
    bundle = tmp_path / "bundle"
    model = prepared("mine", b"w")
    load("models_folder").fill(bundle / "models", [model], with_weights=False)
    (bundle / "speaker-sidecar").write_bytes(b"program")
    links = {}
    if sys.platform != "win32":  # they need a privilege there
        (bundle / "libtbb.so.12").symlink_to("models/models.json")
        links = {"libtbb.so.12": "models/models.json"}
    load("manifest").write_manifest(bundle, "cpu", [model], {"soxr": "1", "numpy": "2"})
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    files = {file["path"]: file for file in manifest["files"]}
    assert files["speaker-sidecar"] == {
        "path": "speaker-sidecar",
        "n_bytes": 7,
        "sha256": hashlib.sha256(b"program").hexdigest(),
    }
    assert "models/models.json" in files
    assert not files.keys() & {"manifest.json", *links}
    assert {link["path"]: link["target"] for link in manifest["links"]} == links
    assert manifest["n_bytes"] == sum(file["n_bytes"] for file in files.values())
    assert list(manifest["packages"]) == ["numpy", "soxr"]
    [told] = manifest["models"]
    assert (told["id"], told["fingerprint"], told["has_weights"]) == ("mine", "ecapa.w", False)
    # It says nothing of where the folder lies on the machine that it was built on.
    assert told["title"] == "ECAPA-TDNN mine"


# ---- The notices ----


@pytest.fixture
def notices(load, monkeypatch, tmp_path):
    """The module, which finds nothing installed but pyinstaller, and no dpkg."""
    notices = load("notices")
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


def test_a_package_without_a_licence_ends_the_build(notices, load, tmp_path):
    contents = [install(tmp_path, "some-library")]
    with pytest.raises(load("build_failed").BuildFailed, match="known of some-library 1: see"):
        notices.write_notices(tmp_path / "bundle", contents, [])


def test_a_library_of_nobody_ends_the_build(notices, load, tmp_path):
    touch(tmp_path, "lib/libunheard.so.1")
    contents = [("libunheard.so.1", str(tmp_path / "lib" / "libunheard.so.1"))]
    with pytest.raises(load("build_failed").BuildFailed, match=r"known of libunheard\.so\.1: see"):
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
    "zlib": "libz.so.1 libz.1.dylib zlib1.dll zlib.dll",
    "bzip2": "libbz2.so.1.0 libbz2.1.dylib",
    "xz": "liblzma.so.5 liblzma.5.dylib liblzma.dll",
    "gcc": "libgcc_s.so.1 libstdc++.so.6 libgomp.so.1",
    "microsoft-visual-cpp": "msvcp140.dll msvcp140_1.dll VCRUNTIME140_1.dll concrt140.dll "
    "vcomp140.dll ucrtbase.dll api-ms-win-crt-heap-l1-1-0.dll",
    "nvidia-cuda": "cublasLt64_13.dll cudart64_12.dll cudnn_graph64_9.dll cufft64_11.dll "
    "cupti64_2025.1.0.dll curand64_10.dll cusolver64_11.dll cusparse64_12.dll nvrtc64_120_0.dll "
    "nvJitLink_120_0.dll nvToolsExt64_1.dll",
    None: "libopenvino.so.2641 libsndfile_x86_64.so python312.dll libzmq.so libsslkeys.so cuda.so",
}


@pytest.mark.parametrize(("part", "names"), LIBRARIES.items(), ids=str)
def test_libraries_are_known_on_each_system(load, part, names):
    for name in names.split():
        found, told = load("notices")._notices_of_parts([name])
        assert [notice.title for notice in found] == ([part] if part else []), name
        assert told == ({name} if part else set())


def test_every_kept_text_is_used_and_has_its_source(load):
    licences = PACKAGING / "licences"
    folders = {path.name for path in licences.iterdir() if path.is_dir()}
    assert folders == {*load("notices")._PARTS, "soundfile", "nvidia-ml-py"}
    sources = (licences / "README.md").read_text("utf-8")
    for folder in folders:
        assert load("notices")._kept_texts(folder)
        assert re.search(rf"`{folder}[`/]", sources)


# ---- The end of a build ----


def test_what_failed_is_not_left_as_a_bundle(load, tmp_path, capsys):
    bundle = tmp_path / "speaker-sidecar-cpu"
    aside = tmp_path / "speaker-sidecar-cpu-failed"
    touch(bundle, "former")
    for name in ("program", "another"):
        with suppress(KeyboardInterrupt), load("build")._whole_or_aside(bundle):
            assert not bundle.exists()
            touch(bundle, name)
            raise KeyboardInterrupt
        assert not bundle.exists()
        assert [path.name for path in aside.iterdir()] == [name]
        assert str(aside) in capsys.readouterr().err
    with load("build")._whole_or_aside(bundle):
        touch(bundle, "program")
    assert (bundle / "program").exists()
    assert not aside.exists()
