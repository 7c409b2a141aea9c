from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

# Whether a block that glibc has seen freed once is mapped by itself, which the second lowest bit of
# the word before it tells. In a process of its own, since it is for good.
PROGRAM = """
import ctypes, sys
from sidecar.engine.glibc_heap import keep_large_blocks_apart

if sys.argv[1] == "apart":
    keep_large_blocks_apart()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
for _ in range(2):
    block = libc.malloc(2 * 2**20)
    is_mapped = ctypes.c_size_t.from_address(block - ctypes.sizeof(ctypes.c_size_t)).value & 2
    libc.free(block)
print(bool(is_mapped))
"""


NEEDS_GLIBC = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"), reason="it needs glibc"
)


@NEEDS_GLIBC
@pytest.mark.parametrize(("how", "is_mapped"), [("apart", "True"), ("as it is", "False")])
def test_a_large_block_goes_back_when_it_is_freed(how, is_mapped):
    argv = [sys.executable, "-c", PROGRAM, how]
    printed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == is_mapped


# Blocks too small to be mapped by themselves: freed behind one that stays, they stay in the heap.
FREED = """
import ctypes, os
from sidecar.engine.glibc_heap import give_back_what_is_free

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
def resident_mib():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20
blocks = [libc.malloc(2**16) for _ in range(1024)]
for block in blocks:
    ctypes.memset(block, 1, 2**16)
for block in blocks[:-1]:
    libc.free(block)
before = resident_mib()
give_back_what_is_free()
print(round(before - resident_mib()))
"""


@NEEDS_GLIBC
def test_what_is_free_goes_back():
    argv = [sys.executable, "-c", FREED]
    printed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert int(printed) > 50
