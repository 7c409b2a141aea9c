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
