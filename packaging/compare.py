"""Whether two builds are the same to the last byte: ``python packaging/compare.py ONE OTHER``.

It names each file that is not, or not in both. It looks at what each file holds, whether it may be
run, and where a link points; times are told apart by nothing that is shipped.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from sidecar.store.assets import sha256_of


def main(arguments: Sequence[str]) -> int:
    """Compare the two folders; 0 if they are the same, else 1."""
    one, other = (_described(Path(argument)) for argument in arguments)
    names = sorted(one.keys() | other.keys())
    different = [name for name in names if one.get(name) != other.get(name)]
    for name in different:
        print(f"differs: {name}")
    print(f"{len(names) - len(different)} of {len(names)} files are the same")
    return 1 if different or not names else 0


def _described(folder: Path) -> dict[str, str]:
    """What each file in ``folder`` is, by its path there."""
    return {
        path.relative_to(folder).as_posix(): _description(path)
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def _description(path: Path) -> str:
    if path.is_symlink():
        return f"a link to {path.readlink()}"
    is_program = bool(path.stat().st_mode & 0o100)
    return f"{sha256_of(path)}{', a program' if is_program else ''}"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
