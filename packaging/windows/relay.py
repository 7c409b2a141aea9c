"""Runs a command, and copies what it prints: ``python relay.py COMMAND...``; its exit code.

For Node: under Wine it takes no pipe of Linux as a standard stream, but it takes one of Windows.
"""

import os
import subprocess
import sys

with subprocess.Popen(
    sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
) as process:
    assert process.stdout is not None
    while data := os.read(process.stdout.fileno(), 2**16):
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
raise SystemExit(process.returncode)
