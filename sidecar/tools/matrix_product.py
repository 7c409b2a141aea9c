"""How fast torch multiplies two matrices here, and how many operations a network takes."""

from __future__ import annotations

import importlib
import statistics
import timeit
from collections.abc import Callable
from typing import Any

SIZE = 2048
# A multiplication and an addition are two.
FLOP = 2 * SIZE**3
_RUNS = 5


def product_on(device: str, threads: int | None) -> Callable[[], None]:
    """What multiplies two matrices of SIZE x SIZE in f32 on ``device``, each time it is called."""
    torch = importlib.import_module("torch")
    if threads is not None:
        torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("highest")
    a, b, product = torch.randn(3, SIZE, SIZE, device=device)

    def multiply() -> None:
        torch.mm(a, b, out=product)
        if product.is_cuda:
            torch.cuda.synchronize(product.device)

    return multiply


def rate_flop_s(threads: int) -> float:
    """Operations in a second, on the CPU with so many threads: the median of a few products."""
    multiply = product_on("cpu", threads)
    multiply()
    return FLOP / statistics.median(timeit.repeat(multiply, number=1, repeat=_RUNS))


def count_flop(model: Any, n_samples: int) -> int:  # noqa: ANN401 - a network in torch
    """The operations of ``model`` for so many samples: its products and convolutions.

    Those of the features do not count.
    """
    torch = importlib.import_module("torch")
    counter = importlib.import_module("torch.utils.flop_counter").FlopCounterMode(display=False)
    with torch.inference_mode():
        features = model.frontend(torch.zeros(1, n_samples))
        with counter:
            model.network(features)
    return int(counter.get_total_flops())
