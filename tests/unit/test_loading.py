from __future__ import annotations

import re
import sys

import pytest
from unit.fake_runtimes import RIGHT, WITH_GPU, WRONG, FakeMachine

from protocol.errors import DeviceError
from sidecar.engine.loading import ONNX_VERSION, converted_origin, require_int8
from sidecar.store.catalog import MODELS
from sidecar.store.installed import InstalledModel

NO_DRIVER = (
    "the CPU serves: no NVIDIA driver answers (there is no NVIDIA card, or its driver is to be "
    "installed from nvidia.com/drivers; the CUDA Toolkit is not needed)"
)


@pytest.fixture
def machine(monkeypatch, tmp_path):
    return FakeMachine(monkeypatch, tmp_path)


def runtime_of(encoder):
    return encoder.device.runtime.partition(" ")[0]


def test_onnx_runtime_runs_on_the_cpu(machine):
    device = machine.open(threads=3).device
    assert (device.selected, device.runtime, device.reason) == (
        "cpu",
        "onnxruntime 1.2.3",
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


def test_the_cpu_takes_over_from_a_gpu_that_fails(machine):
    machine.facts, machine.gpu_gives = WITH_GPU, WRONG
    opened = machine.open()
    assert runtime_of(opened) == "onnxruntime"
    assert opened.device.reason.startswith("the CPU serves: a GPU was tried, but the self-test")


@pytest.mark.parametrize("runtime", ["torch", "onnxruntime", "openvino"])
def test_the_runtime_can_be_demanded(machine, runtime):
    opened = machine.open(runtime=runtime)
    assert runtime_of(opened) == runtime
    assert opened.device.selected == "cpu"


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_one_for_the_cpu_that_was_demanded_leaves_a_gpu_alone(machine, runtime):
    machine.facts = WITH_GPU
    device = machine.open(runtime=runtime).device
    assert (device.selected, device.reason) == (
        "cpu",
        f"the CPU serves, as --runtime {runtime} asks",
    )


def test_the_first_start_converts(machine):
    machine.is_converted = False
    assert runtime_of(machine.open()) == "onnxruntime"
    assert machine.conversions == [("campplus-zh-en", "onnxruntime", "f32", machine.folder)]
    machine.open()
    assert len(machine.conversions) == 1


def test_a_shipped_network_is_served_and_what_is_compiled_of_it_is_kept_elsewhere(machine):
    machine.is_converted, machine.prebuilt_in = False, machine.folder / "bundle"
    opened = machine.open()
    assert runtime_of(opened) == "onnxruntime"
    assert opened.model.source == str(machine.prebuilt_in)
    assert machine.converted.folder.is_relative_to(machine.prebuilt_in)
    assert machine.converted.compiled == machine.folder / ".converted" / "made" / "compiled"
    assert machine.conversions == []


def test_a_shipped_network_that_is_damaged_is_made_anew_where_that_is_possible(machine):
    machine.is_converted = machine.is_prebuilt = False
    machine.prebuilt_in = machine.folder / "bundle"
    assert runtime_of(machine.open()) == "onnxruntime"
    assert machine.conversions == [("campplus-zh-en", "onnxruntime", "f32", machine.folder)]


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
    machine.onnx_gives = machine.openvino_gives = ImportError("DLL load failed")
    return r"{title} cannot be imported \(.*\); install it with: pip install {name}"


def cannot_be_converted(machine):
    machine.is_converted, machine.converts = False, "the disk is full"
    return "the model could not be converted: the disk is full"


def computes_nonsense(machine):
    machine.onnx_gives = machine.openvino_gives = WRONG
    return "the self-test on cpu failed: cosine -0.28.*"


def fails(machine):
    machine.onnx_gives = machine.openvino_gives = DeviceError("no such instruction")
    return "no such instruction"


FAULTS = [cannot_be_imported, cannot_be_converted, computes_nonsense, fails]


@pytest.mark.parametrize("fault", FAULTS)
def test_where_onnx_runtime_cannot_be_had_torch_runs_it_and_the_report_says_why(machine, fault):
    why = fault(machine).format(title="ONNX Runtime", name="onnxruntime")
    opened = machine.open()
    assert runtime_of(opened) == "torch"
    assert opened.device.self_test.passed
    assert opened.degraded is None
    assert opened.device.reason.startswith(f"{NO_DRIVER}; torch runs it, since ")
    assert re.search(f"since {why}$", opened.device.reason)
    assert opened.device.reason == f"{NO_DRIVER}; {opened.remarks[0]}"


def test_where_neither_can_be_had_both_reasons_are_given(machine, monkeypatch):
    machine.is_converted, machine.converts = False, "the disk is full"
    monkeypatch.setitem(sys.modules, "sidecar.networks.campplus", None)
    with pytest.raises(DeviceError, match="disk is full; but torch cannot be imported") as caught:
        machine.open()
    assert caught.value.kind == "device_unavailable"


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    ("name", "title"), [("onnxruntime", "ONNX Runtime"), ("openvino", "OpenVINO")]
)
def test_one_that_was_demanded_is_not_replaced(machine, name, title, fault):
    why = fault(machine).format(title=title, name=name)
    with pytest.raises(DeviceError, match=f"--runtime {name} is unavailable: {why}; with --runt"):
        machine.open(runtime=name)


@pytest.mark.parametrize("fault", [cannot_be_imported, computes_nonsense, fails])
def test_where_openvino_cannot_be_had_for_bf16_the_next_one_serves(machine, fault):
    why = fault(machine).format(title="OpenVINO", name="openvino")
    machine.onnx_gives = RIGHT
    opened = machine.open(precision="bf16")
    assert (runtime_of(opened), opened.device.precision) == ("onnxruntime", "f32")
    assert re.search(f"; in f32, since {why}$", opened.device.reason)


def of_ecapa_voxceleb(machine):
    machine.weights_sha256 = MODELS["ecapa-voxceleb"].files[0].sha256


@pytest.mark.parametrize("runtime", ["auto", "onnxruntime"])
def test_ecapa_voxceleb_is_served_in_int8(machine, runtime):
    of_ecapa_voxceleb(machine)
    machine.is_converted = False
    opened = machine.open(precision="int8", runtime=runtime)
    assert (runtime_of(opened), opened.device.precision) == ("onnxruntime", "int8")
    assert opened.remarks == ()
    assert [precision for _, _, precision, _ in machine.conversions] == ["int8"]


def test_the_files_in_int8_are_not_those_in_f32():
    of_f32, of_int8 = (
        converted_origin("ecapa.0", "onnxruntime", ONNX_VERSION, precision)
        for precision in ("f32", "int8")
    )
    assert of_f32.folder_name != of_int8.folder_name


@pytest.mark.parametrize(
    ("runtime", "weights", "why"),
    [
        ("openvino", MODELS["ecapa-voxceleb"].files[0].sha256, "ONNX Runtime on the CPU alone"),
        ("onnxruntime", "0" * 64, "the weights of ecapa-voxceleb alone"),
    ],
)
def test_nothing_else_is_converted_to_int8(tmp_path, runtime, weights, why):
    installed = InstalledModel(MODELS["ecapa-voxceleb"], tmp_path, weights)
    with pytest.raises(DeviceError, match=f"^int8 is for {why}$"):
        require_int8(installed, runtime)


@pytest.mark.parametrize("runtime", ["auto", "onnxruntime"])
@pytest.mark.parametrize(
    ("gives", "why"),
    [
        (WRONG, "the self-test on cpu failed: cosine -0.28.*, at least 0.999 is needed.*"),
        (DeviceError("no such instruction"), "no such instruction"),
    ],
)
def test_where_int8_is_wrong_f32_serves_and_the_report_says_why(machine, runtime, gives, why):
    of_ecapa_voxceleb(machine)
    machine.int8_gives = gives
    opened = machine.open(precision="int8", runtime=runtime)
    assert (runtime_of(opened), opened.device.precision) == ("onnxruntime", "f32")
    assert re.search(f"; in f32, since {why}$", opened.device.reason)


def test_a_bundle_serves_int8_in_f32(machine, monkeypatch):
    of_ecapa_voxceleb(machine)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    machine.prebuilt_in = machine.folder / "bundle"
    opened = machine.open(precision="int8")
    assert (runtime_of(opened), opened.device.precision) == ("onnxruntime", "f32")
    assert opened.device.reason.endswith("; in f32, since bundles carry networks in f32 alone")
    assert machine.conversions == []


def test_where_int8_cannot_be_had_at_all_torch_serves(machine):
    of_ecapa_voxceleb(machine)
    machine.onnx_gives = ImportError("DLL load failed")
    opened = machine.open(precision="int8")
    assert (runtime_of(opened), opened.device.precision) == ("torch", "f32")
    assert [remark.partition(",")[0] for remark in opened.remarks] == ["in f32", "torch runs it"]


WITHOUT_BF16 = "; in f32, since this CPU has no bf16 instructions"
NOT_OPENVINO = "; in f32, since bf16 is for OpenVINO on the CPU alone"
OTHER_WEIGHTS = "; in f32, since int8 is for the weights of ecapa-voxceleb alone"
NOT_ONNX = "; in f32, since int8 is for ONNX Runtime on the CPU alone"


@pytest.mark.parametrize(
    ("wished", "asked", "has_bf16", "served"),
    [
        ("f32", "auto", True, ("onnxruntime", "f32", "")),
        ("bf16", "auto", True, ("openvino", "bf16", "")),
        ("bf16", "auto", False, ("onnxruntime", "f32", WITHOUT_BF16)),
        ("bf16", "openvino", True, ("openvino", "bf16", "")),
        ("bf16", "openvino", False, ("openvino", "f32", WITHOUT_BF16)),
        ("bf16", "torch", True, ("torch", "f32", NOT_OPENVINO)),
        ("bf16", "onnxruntime", True, ("onnxruntime", "f32", NOT_OPENVINO)),
        ("int8", "auto", True, ("onnxruntime", "f32", OTHER_WEIGHTS)),
        ("int8", "onnxruntime", True, ("onnxruntime", "f32", OTHER_WEIGHTS)),
        ("int8", "openvino", True, ("openvino", "f32", NOT_ONNX)),
        ("int8", "torch", True, ("torch", "f32", NOT_ONNX)),
    ],
)
def test_the_precision_and_what_is_said_of_it(machine, wished, asked, has_bf16, served):
    machine.has_bf16 = has_bf16
    opened = machine.open(precision=wished, runtime=asked)
    runtime, precision, remark = served
    assert (runtime_of(opened), opened.device.precision) == (runtime, precision)
    assert "; ".join(("", *opened.remarks)) == remark
    assert opened.device.reason.endswith(remark)
