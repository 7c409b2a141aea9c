"""The forms in which OpenVINO can compute the convolutions of one frame, and the fastest one here.

Such a convolution is a matrix product. OpenVINO has code of its own for either, and which is faster
depends on the processor and on the length: without AVX-512, its convolution slows down beyond a
second of audio, where its product does not.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from sidecar.engine.openvino_library import VERSION, ov
from sidecar.store.checksummed_file import read_checksummed, write_checksummed

# What becomes a product: convolutions with at least so many weights; None: none.
FORMS: Mapping[str, int | None] = {
    "convolutions": None,
    "one product": 2**22,
    "products": 2**16,
}
IN_WORDS = {
    "one product": "its largest convolution runs as a matrix product, which is faster here",
    "products": "its convolutions of one frame run as matrix products, which is faster here",
}
# How often the form is timed at which length, in seconds of audio.
_RUNS = {1: 5, 3: 3, 10: 2}


def take_form(network: ov.Model, form: str) -> None:
    """Turn convolutions of one frame, on maps of one row, into products, as ``form`` asks."""
    at_least = FORMS[form]
    if at_least is None:
        return
    ops, row = ov.opset13, np.array([2])
    for convolution in network.get_ordered_ops():
        if convolution.get_type_name() != "Convolution":
            continue
        weights = convolution.input_value(1).get_node()
        n_out, n_in, *kernel = weights.get_output_shape(0)
        if list(kernel) != [1, 1] or n_out * n_in < at_least:
            continue
        frames = ops.squeeze(convolution.input_value(0), row)
        product = ops.matmul(ops.constant(weights.data.reshape(n_out, n_in)), frames, False, False)
        convolution.output(0).replace(ops.unsqueeze(product, row).output(0))


def machine_key(core: ov.Core, *further: object) -> str:
    """A name for this release of OpenVINO on this processor, and for what else is given."""
    machine = (
        VERSION,
        core.get_property("CPU", "FULL_DEVICE_NAME"),
        sorted(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")),
        os.environ.get("ONEDNN_MAX_CPU_ISA"),
    )
    return hashlib.sha256(repr((*machine, *further)).encode()).hexdigest()[:16]


def kept_form(folder: Path, core: ov.Core) -> str | None:
    """The form that was measured as the fastest on this machine; None: it was not measured here."""
    kept = read_checksummed(folder / machine_key(core))
    form = None if kept is None else json.loads(kept)["form"]
    return form if form in FORMS else None


def measure_forms(
    folder: Path, core: ov.Core, embed_in: Callable[[str], Callable[[int], None]]
) -> str:
    """The fastest form, which is kept in ``folder``.

    Args:
        folder: see ``kept_form``.
        core: of this machine.
        embed_in: for a form, what computes so many seconds of audio in it.
    """
    embed = {form: embed_in(form) for form in FORMS}
    times_s: dict[str, dict[int, list[float]]] = {
        form: {duration_s: [] for duration_s in _RUNS} for form in FORMS
    }
    for duration_s, n_runs in _RUNS.items():
        # In turn, so that a busy machine slows all alike. The first run makes code for this length.
        for run in range(1 + n_runs):
            for form in FORMS:
                started_at = time.perf_counter()
                embed[form](duration_s)
                if run:
                    times_s[form][duration_s].append(time.perf_counter() - started_at)
    fastest_s = {form: {d: min(runs) for d, runs in of.items()} for form, of in times_s.items()}
    form = fastest(fastest_s)
    content = {
        "form": form,
        "ms": {one: {d: 1000 * s for d, s in of.items()} for one, of in fastest_s.items()},
    }
    write_checksummed(folder / machine_key(core), json.dumps(content).encode())
    return form


def fastest(times_s: Mapping[str, Mapping[int, float]]) -> str:
    """The form with the least geometric mean of its times; of equal ones the first.

    So a third of the time saved at ten seconds counts as much as one at a second.
    """
    return min(times_s, key=lambda form: statistics.geometric_mean(times_s[form].values()))
