"""A process that is killed at half of a download, for real, and what the next one asks for."""

from __future__ import annotations

import hashlib
import itertools
import random
import subprocess
import sys
from pathlib import Path

import pytest
from unit.fake_source import visible
from unit.web_server import Answer, WebServer, serving

from sidecar.store.assets import Asset, AssetFile
from sidecar.store.https_file import HttpsFile
from sidecar.store.weights import WeightStore

ROOT = Path(__file__).resolve().parents[2]
CONTENT = random.Random(1).randbytes(1 << 20)
HALF = 600_000
FETCH = """
import sys
from pathlib import Path

from sidecar.store.weights import WeightStore
from unit.test_killed_fetch import asset_at

WeightStore(
    Path(sys.argv[2]), on_progress=lambda progress: print(progress.done_bytes, flush=True)
).ensure(asset_at(sys.argv[1]))
"""


def asset_at(url: str) -> Asset:
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    file = AssetFile("a.pt", len(CONTENT), sha256, (HttpsFile(url),))
    return Asset("thing", "A thing", "MIT", "https://example.org/thing", (file,))


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with serving(WebServer(CONTENT)) as server:
        yield server


def kill_a_fetch(server, models_dir, at_bytes):
    """Let another process fetch, and kill it as soon as it says that it has so much."""
    paths = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'tests')!r}]"
    command = [sys.executable, "-c", f"{paths}\n{FETCH}", server.url, models_dir]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert any(int(line) == at_bytes for line in process.stdout), "it ended by itself"
        finally:
            process.kill()
    assert process.returncode != 0


@pytest.mark.parametrize("kills_at", [[HALF], [HALF, HALF + 50_000, HALF + 51_000]])
def test_the_next_process_asks_for_the_rest(server, tmp_path, kills_at):
    models_dir = tmp_path / "モデル"
    started_at = [0, *kills_at]
    for start, end in itertools.pairwise(started_at):
        server.script = [Answer(stops_after=end - start, holds=True)]
        kill_a_fetch(server, models_dir, end)
    (part,) = (models_dir / "thing" / ".fetch").iterdir()
    assert part.read_bytes() == CONTENT[: kills_at[-1]]

    told = []
    paths = WeightStore(models_dir, on_progress=told.append).ensure(asset_at(server.url))
    assert paths["a.pt"].read_bytes() == CONTENT
    assert server.ranges() == [None, *(f"bytes={start}-" for start in kills_at)]
    assert server.n_sent == len(CONTENT)
    assert told[0].done_bytes == kills_at[-1]
    assert {one.total_bytes for one in told} == {len(CONTENT)}
    assert visible(models_dir / "thing") == ["a.pt"]


def test_what_was_damaged_meanwhile_is_fetched_from_its_beginning(server, tmp_path):
    server.script = [Answer(stops_after=HALF, holds=True)]
    kill_a_fetch(server, tmp_path, HALF)
    (part,) = (tmp_path / "thing" / ".fetch").iterdir()
    part.write_bytes(bytes(HALF))  # as after a loss of power
    paths = WeightStore(tmp_path).ensure(asset_at(server.url))
    assert paths["a.pt"].read_bytes() == CONTENT
    assert server.ranges() == [None, f"bytes={HALF}-", None]
