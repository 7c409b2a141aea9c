"""The other programs that diarize, played here; ``tests/e2e`` asks those that are installed."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from sidecar.config import Config
from sidecar.tools import diarization_peers
from sidecar.tools.console import ProgressLine
from sidecar.tools.diarization_peers import OpenPeer, Peer, PeerFailed

CONFIG = Config(model="campplus-zh-en", threads=3)


@pytest.fixture
def peers(monkeypatch):
    """Those there are, which a test may fill; nothing is loaded any more."""
    peers = {}
    monkeypatch.setattr(diarization_peers, "PEERS", peers)
    diarization_peers._loaded.cache_clear()
    return peers


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "talk.wav"
    soundfile.write(path, np.full(8000, 0.25, np.float32), 8000)
    return path


def in_this_process(name):
    return OpenPeer(name, lambda path: diarization_peers._in_its_process(name, CONFIG, path))


def test_a_peer_is_loaded_once_and_hears_what_the_sidecar_hears(peers, recording):
    opened, heard = [], []

    def open_it(config):
        opened.append(config)

        def diarize(samples):
            heard.append(samples)
            return [(0.25, 0.5, "1"), (0.5, 1.0, "0"), (0.75, 1.0, "1")]

        return diarize

    peers["one"] = Peer("numpy", "one", open_it)
    peer = in_this_process("one")
    peer.run(None)
    told = peer.diarize(recording)
    assert opened == [CONFIG]
    assert (heard[0] == 0).all()
    assert heard[1].shape == (16_000,)
    assert heard[1].dtype == np.float32
    assert heard[1][8000] == pytest.approx(0.25, abs=1e-3)
    assert told.duration_s == 1.0
    assert told.took_s > 0
    assert [(t.start_s, t.name) for t in told.turns] == [(0.25, "1"), (0.5, "0"), (0.75, "1")]
    assert told.names == {"1": "1", "0": "0"}


@pytest.mark.parametrize("error", [ImportError("no onnxscript"), SystemExit("it exits")])
def test_whatever_a_library_raises_is_told(peers, recording, error):
    def open_it(config):
        raise error

    peers["one"] = Peer("numpy", "one", open_it)
    with pytest.raises(RuntimeError, match=f"{type(error).__name__}: {error}"):
        in_this_process("one").run(None)


def test_who_is_not_installed_or_does_not_start_is_left_out(monkeypatch):
    """In a process of its own: there the real list of peers counts, and has no ``absent``."""
    absent = {
        "absent": Peer("no_such_library", "nothing", None),
        "senko-but-broken": Peer("numpy", "it", None),
    }
    monkeypatch.setattr(diarization_peers, "PEERS", absent)
    with diarization_peers.opened(CONFIG, ProgressLine()) as (found, missing):
        assert found == []
    assert missing[0] == "absent is not installed, and left out: pip install nothing"
    assert missing[1].startswith("senko-but-broken: KeyError")


def test_a_process_that_dies_says_so_with_its_last_words(monkeypatch, recording):
    with diarization_peers._process("exit", CONFIG) as run:
        monkeypatch.setattr(diarization_peers, "_in_its_process", _die)
        with pytest.raises(PeerFailed, match=r"exit: its process died\s+the last words"):
            run(recording)


def _die(name, config, path):
    import os

    os.write(2, b"the last words\n")
    os._exit(3)


def test_senko_has_as_many_threads_as_are_asked_for(monkeypatch):
    threads, asked = [], []

    class Diarizer:
        logical_cores = 64

        def __init__(self, **options):
            assert options["device"] == "cpu"

        def diarize_samples(self, samples, rate_hz):
            asked.append((len(samples), rate_hz, self.logical_cores))
            if len(samples) < 16_000:
                return None
            return {"merged_segments": [{"start": 0.5, "end": 1.5, "speaker": "SPEAKER_01"}]}

    monkeypatch.setitem(sys.modules, "senko", SimpleNamespace(Diarizer=Diarizer))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(set_num_threads=threads.append))
    diarize = diarization_peers.PEERS["senko"].open_it(CONFIG)
    assert diarize(np.zeros(32_000, np.float32)) == [(0.5, 1.5, "SPEAKER_01")]
    assert diarize(np.zeros(10, np.float32)) == []
    assert threads == [3]
    assert asked == [(32_000, 16_000, 3), (10, 16_000, 3)]
