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

# The day that npm gives all files, too: in 1985, which every kind of archive can tell.
_DAY = 499_162_500


def files_of(bundle: Path) -> list[Path]:
    """Every file in ``bundle``, links left out: what they name is counted."""
    return sorted(path for path in bundle.rglob("*") if path.is_file() and not path.is_symlink())


def report(bundle: Path) -> list[str]:
    """A line for each file or package that takes a hundredth of the space or more."""
    found = {path.relative_to(bundle): path.stat().st_size for path in files_of(bundle)}
    total = sum(found.values())
    sizes: Counter[str] = Counter()
    for path, n_bytes in found.items():
        is_large = n_bytes >= _LEAST_SHOWN * total
        sizes[path.as_posix() if is_large else _part(path)] += n_bytes
    shown = [(n, part) for part, n in sizes.most_common() if n >= _LEAST_SHOWN * total]
    rest = total - sum(n for n, _part_name in shown)
    rows = [*shown, (rest, "the rest"), (total, "in all")]
    return ["", *(f"{n / _MB:9.1f} MB  {part}" for n, part in rows)]


def _part(path: Path) -> str:
    """Which part of the bundle a small file belongs to."""
    parts = path.parts[:2]
    return f"{'/'.join(parts).removesuffix('.libs')}, smaller files" if len(parts) > 1 else parts[0]


def archive(bundle: Path) -> str:
    """Compress ``bundle`` into a file beside it, the same each time, and say how large that is."""
    target = bundle.with_name(f"{bundle.name}.tar.xz")
    with lzma.open(target, "wb", filters=_XZ) as out, tarfile.open(fileobj=out, mode="w") as tar:
        tar.add(bundle, bundle.name, filter=_without_its_day)
    return f"{target.stat().st_size / _MB:9.1f} MB  compressed, {target}"


def _without_its_day(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave out of an archive when a file was made, and whose it is."""
    member.mtime = _DAY
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
