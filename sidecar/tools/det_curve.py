"""The picture of a detection error trade-off (DET): both error rates on axes of normal deviates.

On such axes scores of two normal distributions give a straight line. A. Martin and others, "The DET
curve in assessment of detection task performance", Eurospeech 1997.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from statistics import NormalDist

import numpy as np

from sidecar.config import EXIT_UNAVAILABLE
from sidecar.scores.measures import Floats, error_rates
from sidecar.scores.trials import Trials
from sidecar.tools.console import Refusal

_TICKS = (0.0001, 0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)


def draw(trials: Trials, path: Path) -> None:
    """Write the picture, in the format that the name's ending says; raises ``Refusal``."""
    rates = error_rates(trials.scores, trials.is_target, trials.weights)
    figure = importlib.import_module("matplotlib.figure").Figure((6, 6), layout="constrained")
    axes = figure.subplots()
    axes.plot(_deviates(rates.false_acceptance), _deviates(rates.false_refusal), drawstyle="steps")
    eer = _deviates(np.array([rates.eer]))
    axes.plot(eer, eer, "o", label=f"equal error rate {100 * rates.eer:.2f} %")
    places = _deviates(np.array(_TICKS))
    names = [f"{100 * tick:g}" for tick in _TICKS]
    axes.set_xticks(places, names)
    axes.set_yticks(places, names)
    axes.set(
        xlabel="strangers accepted, %",
        ylabel="speakers refused, %",
        xlim=(places[0], places[-1]),
        ylim=(places[0], places[-1]),
        aspect="equal",
    )
    axes.grid(alpha=0.3)
    axes.legend()
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise Refusal(f"{path} cannot be written: {error}", EXIT_UNAVAILABLE) from error


def _deviates(rates: Floats) -> Floats:
    """How many standard deviations these shares of a normal distribution reach."""
    # What is beyond the picture is drawn along its edge.
    inside = np.clip(rates, _TICKS[0], 1 - _TICKS[0])
    return np.array([NormalDist().inv_cdf(rate) for rate in inside.tolist()])
