"""Greets the host with ``hello``, before anything else is imported."""

from __future__ import annotations

import contextlib
import importlib.util
import os

from protocol.framing import encode_frame
from protocol.hello import Hello, encode_hello
from sidecar import __version__
from sidecar.config import Config
from sidecar.wire.streams import Streams

NAME = "speaker-sidecar"
# What versions 1.1 to 1.3 of the contract have added.
_IN_1_1 = ("embed_segments", "progress", "probe", "audio.channel", "audio.strict", "warnings")
_IN_1_2 = ("speech", "quality", "diarize", "people", "llr")
_IN_1_3 = ("streams",)


def greet(config: Config, streams: Streams) -> None:
    """Write the first frame. An output that is lost already is found by what is written next."""
    paths = [] if config.path_root == "none" else ["audio.path", "audio.path_bytes"]
    # FFmpeg's libraries are an extra; they are not imported for this.
    containers = ["audio.containers"] if importlib.util.find_spec("av") else []
    capabilities = ("audio.pcm", "audio.file", *paths, *_IN_1_1, *containers, *_IN_1_2, *_IN_1_3)
    hello = Hello(
        name=NAME,
        version=__version__,
        pid=os.getpid(),
        instance=os.urandom(8).hex(),
        capabilities=capabilities,
        limits=config.limits,
    )
    # Far less than the smallest pipe holds: nothing to wait for, and no part of it is left over.
    with contextlib.suppress(OSError):
        os.write(streams.output_fd, encode_frame(encode_hello(hello)))
