"""Which of its libraries' files a bundle takes: what serves, and nothing else."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from types import ModuleType

import pytest
from unit.packaging_files import PACKAGING, touch


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
    return {Path(target, Path(source).name).as_posix() for source, target in hook["binaries"]}


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
