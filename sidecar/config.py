"""What one run of ``serve`` was asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from protocol.framing import MAX_FRAME_BYTES
from protocol.hello import Limits

# What --device takes.
DEVICE_PATTERN = re.compile(r"auto|cpu|cuda(:\d+)?")
# What --runtime and --precision take.
CpuRuntime: TypeAlias = Literal["onnxruntime", "openvino"]
Runtime: TypeAlias = Literal["auto", "torch", "onnxruntime", "openvino"]
Precision: TypeAlias = Literal["f32", "bf16", "int8"]
CPU_RUNTIMES: tuple[CpuRuntime, ...] = get_args(CpuRuntime)
RUNTIMES: tuple[Runtime, ...] = get_args(Runtime)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

DEFAULT_MODEL = "ecapa-voxceleb"

# Every waveform behind the decoder, whatever the model: all models here take it.
SAMPLE_RATE_HZ = 16_000

# Exit codes, as sysexits.h names them; PROTOCOL.md tells hosts what each means.
EXIT_OK = 0
EXIT_USAGE = 64
EXIT_UNAVAILABLE = 69
EXIT_SOFTWARE = 70
EXIT_IO = 74
EXIT_PROTOCOL = 76
# Of the tools: as a shell counts a program that Ctrl-C ended.
EXIT_INTERRUPTED = 130

# Which files a host may name: any, none, or those in a folder and below it.
PathRoot: TypeAlias = Path | Literal["any", "none"]

DEFAULT_LIMITS = Limits(
    max_frame_bytes=MAX_FRAME_BYTES,
    max_in_flight=256,
    max_batch_items=64,
    max_queued_bytes=256 * 2**20,
    # Four hours, one window every 0.75 s; the answer is shorter than a frame may be.
    max_windows=20_000,
    max_segments=4096,
)


@dataclass(frozen=True, slots=True)
class Config:
    """The options of ``serve``; ``limits`` are what ``hello`` promises."""

    model: str = DEFAULT_MODEL
    models_dir: Path | None = None
    offline: bool = False
    device: str = "auto"
    gpu: bool = False
    runtime: Runtime = "auto"
    precision: Precision = "f32"
    threads: int | None = None
    background: bool = False
    speech: bool = False
    parent_pid: int | None = None
    path_root: PathRoot = "any"
    # Of the people; None: in memory.
    gallery: Path | None = None
    calibration: Path | None = None
    limits: Limits = DEFAULT_LIMITS
