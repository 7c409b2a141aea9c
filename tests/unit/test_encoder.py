from __future__ import annotations

import types

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

from protocol.errors import BadAudio, DeviceError, OutOfMemory
from protocol.reports import Gpu
from sidecar import encoder as encoder_module
from sidecar import self_test
from sidecar.audio import Waveform
from sidecar.batching import ONE_BY_ONE
from sidecar.config import Config
from sidecar.device import Card, Driver, Facts, TorchBuild
from sidecar.encoder import Embedding, Encoder, fingerprint, open_encoder
from sidecar.models.catalog import MODELS
from sidecar.models.installed import InstalledModel

CARD = MODELS["campplus-zh-en"]


class Runtime:
    """Gives for any batch what it is told to give."""

    batch_limits = ONE_BY_ONE

    def __init__(self, result):
        self.result = result
        self.asked = []

    def embed(self, waveforms):
        self.asked.append(waveforms)
        if isinstance(self.result, Exception):
            raise self.result
        return np.array(self.result, np.float32)


def waveforms(n):
    return [Waveform(np.zeros(1000, np.float32)) for _ in range(n)]


def test_an_embedding_is_packed_as_it_is_or_with_length_one():
    embedding = Embedding(np.array([3, 4], np.float32))
    assert embedding.packed(normalize=False) == np.array([3, 4], "<f4").tobytes()
    assert embedding.packed(normalize=True) == np.array([0.6, 0.8], "<f4").tobytes()


def test_waveforms_are_embedded_together_and_one_that_is_not_finite_spoils_no_other():
    runtime = Runtime([[1, 2], [np.nan, 1], [3, np.inf], [3, 4]])
    encoder = Encoder(None, None, None, runtime)
    first, *not_finite, last = encoder.embed(waveforms(4))
    assert [len(batch) for batch in runtime.asked] == [4]
    assert first.values.tolist() == [1, 2]
    assert last.values.tolist() == [3, 4]
    for error in not_finite:
        assert isinstance(error, BadAudio)
        assert error.kind == "non_finite"


def test_a_batch_that_does_not_fit_is_the_callers_to_divide():
    encoder = Encoder(None, None, None, Runtime(OutOfMemory("too little")))
    with pytest.raises(OutOfMemory):
        encoder.embed(waveforms(4))


def test_the_fingerprint_names_the_weights_and_the_recipe():
    made = fingerprint(CARD, "a" * 64, "recipe")
    assert made.startswith("campplus.")
    assert made == fingerprint(CARD, "a" * 64, "recipe")
    assert made != fingerprint(CARD, "b" * 64, "recipe")
    assert made != fingerprint(CARD, "a" * 64, "another")


GPU = Gpu(0, "RTX 4070", 12 * 2**30, 11 * 2**30, "8.9")
WITH_GPU = Facts(
    "linux",
    Driver("581.29", (13, 0), (Card("RTX 4070", (8, 9)),)),
    TorchBuild("2.14.1", "13.0", (7, 5)),
    (GPU,),
)
RIGHT = np.array([1.0, 2.0, 3.0])
WRONG = np.array([1.0, 2.0, -3.0])


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Opens an encoder on a machine with a GPU, whose devices give what the test says."""
    from sidecar.runtimes import torch_runtime

    asked = []

    def open_on(gpu_gives, config=None, cpu_gives=RIGHT):
        class FakeRuntime:
            n_threads = 1
            batch_limits = ONE_BY_ONE

            def __init__(self, network, device, n_threads):
                self.device = device
                if gpu_gives is OutOfMemory and device != "cpu":
                    raise OutOfMemory("no")

            def embed(self, waveforms):
                gives = cpu_gives if self.device == "cpu" else gpu_gives
                if isinstance(gives, Exception):
                    raise gives
                return np.stack([gives.astype(np.float32)] * len(waveforms))

        network = types.SimpleNamespace(RECIPE="r", load=lambda path: None)
        monkeypatch.setattr(encoder_module.importlib, "import_module", lambda name: network)
        monkeypatch.setattr(encoder_module, "TorchRuntime", FakeRuntime)
        monkeypatch.setattr(
            torch_runtime, "facts", lambda *, opens_gpus: asked.append(opens_gpus) or WITH_GPU
        )
        monkeypatch.setattr(torch_runtime, "reference_embedding", lambda *_: RIGHT)
        installed = InstalledModel(CARD, tmp_path / "weights", "0" * 64)
        return open_encoder(config or Config(), installed, tmp_path / "references", lambda _: None)

    open_on.asked = asked
    return open_on


def test_no_gpu_is_touched_where_the_cpu_was_asked_for(machine):
    assert machine(WRONG, Config(device="cpu")).device.selected == "cpu"
    machine(RIGHT)
    assert machine.asked == [False, True]


def test_a_gpu_that_works_serves(machine):
    opened = machine(gpu_gives=RIGHT)
    assert opened.device.selected == "cuda:0"
    assert opened.device.reason == "the GPU serves: RTX 4070 with 12 GiB"
    assert opened.device.self_test.passed
    assert opened.device.driver == "581.29"


@pytest.mark.parametrize(
    ("gpu_gives", "why"),
    [
        (WRONG, "the self-test on cuda:0 failed: cosine -0.28"),
        (OutOfMemory, "cuda:0 has too little free memory for the model"),
        (OutOfMemory("no"), "cuda:0 has too little free memory for a second of audio"),
        (DeviceError("cuda:0 failed: no kernel image"), "cuda:0 failed: no kernel image"),
    ],
)
def test_a_gpu_that_fails_is_not_used_and_the_report_says_why(machine, gpu_gives, why):
    opened = machine(gpu_gives, Config(gpu=True))
    assert opened.device.selected == "cpu"
    assert opened.device.reason.startswith(f"the CPU serves: a GPU was tried, but {why}")
    assert opened.degraded == opened.device.reason
    assert opened.device.self_test.passed


def test_a_demanded_gpu_that_fails_is_not_replaced(machine):
    with pytest.raises(DeviceError, match=r"--device cuda cannot be had: .*self-test"):
        machine(WRONG, Config(device="cuda"))


def test_a_cpu_that_fails_does_not_serve(machine):
    with pytest.raises(DeviceError, match="the self-test on cpu failed") as caught:
        machine(WRONG, cpu_gives=WRONG)
    assert caught.value.kind == "self_test_failed"


def test_the_reference_is_kept_under_the_fingerprint(machine, tmp_path):
    opened = machine(RIGHT)
    [kept] = (tmp_path / "references").iterdir()
    assert kept.name.startswith(f"{opened.model.fingerprint}.")
    assert self_test.keep_reference(kept, lambda: 1 / 0).tolist() == RIGHT.tolist()
