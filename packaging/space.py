"""What a bundle weighs, and what takes it."""

from __future__ import annotations

import lzma
import tarfile
from collections import Counter
from pathlib import Path

_MB = 1e6
# The least that is worth a line of its own.
_LEAST_SHOWN = 0.01
# As NSIS and 7-Zip compress at their usual level: a dictionary of 64 MiB.
_XZ = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 64 * 2**20}]


def files_of(bundle: Path) -> list[Path]:
    """Every file in ``bundle``, links left out: what they name is counted."""
    return sorted(path for path in bundle.rglob("*") if path.is_file() and not path.is_symlink())


def report(bundle: Path) -> list[str]:
    """A line for each library that takes a hundredth of the space or more, and one for the rest."""
    sizes: Counter[str] = Counter()
    for path in files_of(bundle):
        sizes[_part(path.relative_to(bundle))] += path.stat().st_size
    total = sizes.total()
    shown = [(n, part) for part, n in sizes.most_common() if n >= _LEAST_SHOWN * total]
    rest = total - sum(n for n, _part_name in shown)
    rows = [*shown, (rest, "the rest"), (total, "in all")]
    return ["", *(f"{n / _MB:9.1f} MB  {part}" for n, part in rows)]


def _part(path: Path) -> str:
    """Which part of the bundle a file belongs to: a package, a library, a model."""
    first, *rest = path.parts
    if first != "_internal" or not rest:
        return f"{first}/{rest[0]}" if rest else first
    return rest[0] if len(rest) == 1 else f"{rest[0].removesuffix('.libs')}/"


def archive(bundle: Path) -> str:
    """Compress ``bundle`` into a file beside it, and say how large that is."""
    target = bundle.with_name(f"{bundle.name}.tar.xz")
    with lzma.open(target, "wb", filters=_XZ) as out, tarfile.open(fileobj=out, mode="w") as tar:
        tar.add(bundle, bundle.name)
    return f"{target.stat().st_size / _MB:9.1f} MB  compressed, {target}"
