"""OpenVINO as serving needs it: the CPU's plugin, the reader of its own format, and TBB.

Its wheel has plugins for other devices, readers for other formats and headers, 90 MB of them; the
libraries are opened by name, so that PyInstaller finds none but the first by itself.
"""

import re
from pathlib import Path

from PyInstaller.utils.hooks import get_package_paths

# tbbbind and hwloc tell TBB which cores are alike; tbbmalloc is its allocator. All are small.
_KEPT = re.compile(
    r"(lib)?(openvino|openvino_(intel|arm)_cpu_plugin|openvino_ir_frontend"
    r"|tbb|tbb12|tbbbind\w*|tbbmalloc|hwloc)[\d.-]*\.(so|dll|dylib)[\d.]*"
)

_base, _package = get_package_paths("openvino")
binaries = [
    (str(path), "openvino/libs")
    for path in sorted(Path(_package, "libs").iterdir())
    if _KEPT.fullmatch(path.name)
]
