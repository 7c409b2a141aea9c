"""torch with CUDA, as running a network needs it.

Left out is what nothing else in the bundle names, or what only compiling, training, testing and
linear algebra on a GPU open. What CUDA's torch is linked against stays, needed or not: without any
of it torch itself does not load. (That is cuFFT, cuRAND, cuSPARSE, cuSPARSELt, NCCL and NVSHMEM,
over a gigabyte on Linux.) cuDNN stays whole, since it chooses among its parts on the GPU at hand.
"""

import re
from pathlib import Path

from PyInstaller.utils.hooks import collect_submodules, get_package_paths

_UNUSED_LIBRARIES = re.compile(
    r"libtorch_cuda_linalg\.so.*|libcusolver\.so.*"  # opened by torch.linalg; Windows links them
    r"|(lib)?cusolverMg.*|(lib)?nvrtc.*\.alt\..*"  # opened by none
    r"|(lib)?nvperf.*|(lib)?nvblas.*|(lib)?cufftw.*|libcufile_rdma.*|nvshmem_(transport|boot).*"
    r"|(lib)?(pcsamplingutil|checkpoint).*|libaoti_custom_ops.*|lib(jitbackend|backend_with).*"
    r"|libtorchbind_test.*"
)
_UNUSED_MODULES = (
    "torch._inductor",
    "torch.onnx",
    "torch.utils.benchmark",
    "torch.utils.bottleneck",
    "torch.utils.hipify",
    "torch.utils.tensorboard",
)
# Not asked for either, but torch imports a few of them itself, and those come in.
_UNUSED_BUT_FOR_A_FEW = ("torch.testing._internal", "torch.fx.passes.tests")


def _is_used(module: str) -> bool:
    unused = (*_UNUSED_MODULES, *_UNUSED_BUT_FOR_A_FEW)
    return not any(module == name or module.startswith(f"{name}.") for name in unused)


_base, _package = get_package_paths("torch")
_folders = [
    Path(_package, "lib"),
    *Path(_base, "nvidia").glob("**/lib"),
    *Path(_base, "nvidia").glob("**/bin"),
]
binaries = [
    (str(path), str(path.parent.relative_to(_base)))
    for folder in _folders
    for path in sorted(folder.iterdir())
    if re.search(r"\.(so|dll)[\d.]*$", path.name) and not _UNUSED_LIBRARIES.fullmatch(path.name)
]
# What torch looks for when it is imported.
binaries += [(str(path), "torch/bin") for path in Path(_package, "bin").glob("torch_shm_manager*")]
# It reads its own source, for what it compiles of it.
module_collection_mode = "pyz+py"
# Asked for the release without an import: see sidecar/hardware/torch_build.py.
datas = [(str(Path(_package, "version.py")), "torch")]
hiddenimports = collect_submodules("torch", filter=_is_used)
excludedimports = [*_UNUSED_MODULES]
warn_on_missing_hiddenimports = False
# Beside the program such links would mislead torch about where its libraries lie.
bindepend_symlink_suppression = ["**/torch/lib/*.so*", "**/nvidia/**/*.so*"]
