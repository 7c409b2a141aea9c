from __future__ import annotations

import numpy as np
import pytest
from unit.fake_runtimes import CARD, RIGHT, WITH_GPU, WRONG, FakeMachine

from protocol.errors import BadAudio, DeviceError, OutOfMemory
from sidecar.audio.waveform import Waveform
from sidecar.engine import device_check
from sidecar.engine.batch_limits import ONE_BY_ONE
from sidecar.engine.encoder import Embedding, Encoder
from sidecar.store.installed import fingerprint


class Runtime:
    """Gives for any batch what it is told to give."""

    batch_limits = ONE_BY_ONE
    remarks = ()

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


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Opens an encoder on a machine with a GPU, whose devices give what the test says."""
    fake = FakeMachine(monkeypatch, tmp_path)
    fake.facts = WITH_GPU

    def open_on(gpu_gives, cpu_gives=RIGHT, **options):
        fake.gpu_gives, fake.cpu_gives = gpu_gives, cpu_gives
        return fake.open(runtime="torch", **options)

    return open_on


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
    opened = machine(gpu_gives, gpu=True)
    assert opened.device.selected == "cpu"
    assert opened.device.reason.startswith(f"the CPU serves: a GPU was tried, but {why}")
    assert opened.degraded == opened.device.reason
    assert opened.device.self_test.passed


def test_a_demanded_gpu_that_fails_is_not_replaced(machine):
    with pytest.raises(DeviceError, match=r"--device cuda is unavailable: .*self-test"):
        machine(WRONG, device="cuda")


def test_a_cpu_that_fails_does_not_serve(machine):
    with pytest.raises(DeviceError, match="the self-test on cpu failed") as caught:
        machine(WRONG, cpu_gives=WRONG)
    assert caught.value.kind == "self_test_failed"


@pytest.mark.parametrize("of_the_shorter", [WRONG, np.full(3, np.nan)])
def test_a_mask_that_is_broken_does_not_serve(machine, of_the_shorter):
    """What is computed of the longer utterance is right, of the shorter one beside it not."""
    with pytest.raises(DeviceError, match="the self-test on cpu failed") as caught:
        machine(WRONG, cpu_gives=np.stack([RIGHT, of_the_shorter]))
    assert caught.value.kind == "self_test_failed"


def test_the_reference_is_kept_under_the_fingerprint(machine, tmp_path):
    opened = machine(RIGHT)
    [kept] = (tmp_path / ".self-test").iterdir()
    assert kept.name.startswith(f"{opened.model.fingerprint}.")
    assert device_check.keep_references(kept, lambda: 1 / 0).tolist() == [RIGHT.tolist()] * 2
