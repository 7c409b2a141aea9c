from __future__ import annotations

import re
import sys

import pytest
from unit.fake_runtimes import WITH_GPU, WRONG, FakeMachine

from protocol.errors import DeviceError

NO_DRIVER = (
    "the CPU serves: no NVIDIA driver answers (there is no NVIDIA card, or its driver is to be "
    "installed from nvidia.com/drivers; the CUDA Toolkit is not needed)"
)


@pytest.fixture
def machine(monkeypatch, tmp_path):
    return FakeMachine(monkeypatch, tmp_path)


def runtime_of(encoder):
    return encoder.device.runtime.partition(" ")[0]


def test_openvino_runs_on_the_cpu(machine):
    device = machine.open(threads=3).device
    assert (device.selected, device.runtime, device.reason) == (
        "cpu",
        "openvino 1.2.3",
        NO_DRIVER,
    )
    assert (device.precision, device.threads) == ("f32", 3)
    assert device.self_test.passed
    assert machine.conversions == []


def test_torch_runs_on_a_gpu(machine):
    machine.facts = WITH_GPU
    opened = machine.open()
    assert opened.device.selected == "cuda:0"
    assert runtime_of(opened) == "torch"


def test_openvino_takes_over_from_a_gpu_that_fails(machine):
    machine.facts, machine.gpu_gives = WITH_GPU, WRONG
    opened = machine.open()
    assert runtime_of(opened) == "openvino"
    assert opened.device.reason.startswith("the CPU serves: a GPU was tried, but the self-test")


@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_the_runtime_can_be_demanded(machine, runtime):
    opened = machine.open(runtime=runtime)
    assert runtime_of(opened) == runtime
    assert opened.device.selected == "cpu"


def test_openvino_that_was_demanded_leaves_a_gpu_alone(machine):
    machine.facts = WITH_GPU
    device = machine.open(runtime="openvino").device
    assert (device.selected, device.reason) == ("cpu", "the CPU serves, as --runtime openvino asks")


def test_the_first_start_converts(machine):
    machine.is_converted = False
    assert runtime_of(machine.open()) == "openvino"
    assert machine.conversions == [("campplus-zh-en", machine.folder)]
    machine.open()
    assert len(machine.conversions) == 1


def test_a_shipped_network_is_served_and_what_is_compiled_of_it_is_kept_elsewhere(machine):
    machine.is_converted, machine.prebuilt_in = False, machine.folder / "bundle"
    opened = machine.open()
    assert runtime_of(opened) == "openvino"
    assert opened.model.source == str(machine.prebuilt_in)
    assert machine.converted.folder.is_relative_to(machine.prebuilt_in)
    assert machine.converted.compiled == machine.folder / ".openvino" / "made" / "compiled"
    assert machine.conversions == []


def test_a_shipped_network_that_is_damaged_is_made_anew_where_that_is_possible(machine):
    machine.is_converted = machine.is_prebuilt = False
    machine.prebuilt_in = machine.folder / "bundle"
    assert runtime_of(machine.open()) == "openvino"
    assert machine.conversions == [("campplus-zh-en", machine.folder)]


def test_a_bundle_makes_nothing_anew(machine, monkeypatch):
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    machine.is_converted = machine.is_prebuilt = False
    machine.prebuilt_in = machine.folder / "bundle"
    why = "has no converted network of it that is sound and of this release"
    opened = machine.open()
    assert runtime_of(opened) == "torch"
    assert opened.device.reason.endswith(why)
    with pytest.raises(DeviceError, match=why):
        machine.open(runtime="openvino")
    assert machine.conversions == []


def cannot_be_imported(machine):
    machine.openvino_gives = ImportError("DLL load failed")
    return r"OpenVINO cannot be imported \(.*\); install it with: pip install openvino"


def cannot_be_converted(machine):
    machine.is_converted, machine.converts = False, "the disk is full"
    return "the model could not be converted: the disk is full"


def computes_nonsense(machine):
    machine.openvino_gives = WRONG
    return "the self-test on cpu failed: cosine -0.28.*"


def fails(machine):
    machine.openvino_gives = DeviceError("OpenVINO failed on the CPU: no such instruction")
    return "OpenVINO failed on the CPU: no such instruction"


FAULTS = [cannot_be_imported, cannot_be_converted, computes_nonsense, fails]


@pytest.mark.parametrize("fault", FAULTS)
def test_where_openvino_cannot_be_had_torch_runs_it_and_the_report_says_why(machine, fault):
    why = fault(machine)
    opened = machine.open()
    assert runtime_of(opened) == "torch"
    assert opened.device.self_test.passed
    assert opened.degraded is None
    assert opened.device.reason.startswith(f"{NO_DRIVER}; torch runs it, since ")
    assert re.search(f"since {why}$", opened.device.reason)


def test_where_neither_can_be_had_both_reasons_are_given(machine, monkeypatch):
    machine.is_converted, machine.converts = False, "the disk is full"
    monkeypatch.setitem(sys.modules, "sidecar.networks.campplus", None)
    with pytest.raises(DeviceError, match="disk is full; but torch cannot be imported") as caught:
        machine.open()
    assert caught.value.kind == "device_unavailable"


@pytest.mark.parametrize("fault", FAULTS)
def test_openvino_that_was_demanded_is_not_replaced(machine, fault):
    why = fault(machine)
    with pytest.raises(DeviceError, match=f"--runtime openvino is unavailable: {why}; with --runt"):
        machine.open(runtime="openvino")


@pytest.mark.parametrize(
    ("options", "has_bf16", "precision", "remark"),
    [
        ({}, True, "f32", ""),
        ({"precision": "bf16"}, True, "bf16", ""),
        ({"precision": "bf16"}, False, "f32", "; in f32, as this CPU has no bf16 instructions"),
        (
            {"precision": "bf16", "runtime": "torch"},
            True,
            "f32",
            "; in f32, as bf16 is for OpenVINO on the CPU alone",
        ),
    ],
)
def test_the_precision_and_what_is_said_of_it(machine, options, has_bf16, precision, remark):
    machine.has_bf16 = has_bf16
    device = machine.open(**options).device
    assert (device.precision, device.reason) == (precision, NO_DRIVER + remark)
