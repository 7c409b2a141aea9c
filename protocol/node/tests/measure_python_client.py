"""The Python client's half of ``measure_clients.mjs``: a task as JSON in, its times as JSON out."""  # noqa: INP001 - a script

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from protocol.params import EmbedParams, FileAudio
from protocol.python import SpeakerSidecar


def main() -> None:
    """Start a sidecar, embed, and print how long each call took."""
    task = json.load(sys.stdin)
    files = [Path(path).read_bytes() for path in task["paths"]]
    requests = [EmbedParams(FileAudio(file, 0, task["clip_s"])) for file in files]
    started_s = time.perf_counter()
    with SpeakerSidecar.start(task["argv"], stderr=subprocess.DEVNULL) as client:
        client.call(requests[0])
        first_s = time.perf_counter() - started_s
        calls_s = []
        for n in range(task["n_calls"]):
            called_s = time.perf_counter()
            client.call(requests[n % len(requests)])
            calls_s.append(time.perf_counter() - called_s)
    times = {"firstMs": 1_000 * first_s, "callsMs": [1_000 * call_s for call_s in calls_s]}
    sys.stdout.write(json.dumps(times))


if __name__ == "__main__":
    main()
