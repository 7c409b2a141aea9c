"""A host that starts a sidecar, tells that it did, and waits to be killed.

``dying_host.py MOMENT WATCHED INPUT_FD OUTPUT_FD CHILD_IN_FD CHILD_OUT_FD LIFE_FD ARGV...``:
MOMENT is loading, ready, busy, full_loading or full; WATCHED is yes for ``--parent-pid``. The
sidecar alone keeps LIFE_FD open, so its end can be seen from outside.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from raw_host import ROOT, frame, pcm, request, send_until_unread

from protocol.framing import FrameDecoder
from protocol.messages import decode_from_child


def read_until(output_fd, states):
    """Read notifications until the health has one of ``states``."""
    decoder = FrameDecoder()
    while data := os.read(output_fd, 2**16):
        for payload in decoder.feed(data):
            if decode_from_child(payload).params.get("state") in states:
                return
    raise SystemExit("the sidecar ended")


def keep_busy(input_fd, output_fd):
    """Ask for embeddings until one is on the device and others wait."""
    for request_id in range(4):
        os.write(input_fd, frame(request(request_id, "embed", {"audio": pcm()})))
    decoder, queued = FrameDecoder(), None
    while queued != 3:
        os.write(input_fd, frame(request("metrics", "metrics")))
        [payload] = decoder.feed(os.read(output_fd, 2**16))
        queued = decode_from_child(payload).result["queued"]


def main():
    moment, watched, *rest = sys.argv[1:]
    input_fd, output_fd, child_in_fd, child_out_fd, life_fd = map(int, rest[:5])
    argv = rest[5:]
    if watched == "yes":
        argv += ["--parent-pid", str(os.getpid())]
    subprocess.Popen(argv, stdin=child_in_fd, stdout=child_out_fd, pass_fds=[life_fd], cwd=ROOT)
    for fd in (child_in_fd, child_out_fd, life_fd):
        os.close(fd)
    is_loading = moment.endswith("loading")
    read_until(output_fd, {"loading"} if is_loading else {"ready", "degraded"})
    if moment.startswith("full"):
        send_until_unread(input_fd)
    elif moment == "busy":
        keep_busy(input_fd, output_fd)
    print("go", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
