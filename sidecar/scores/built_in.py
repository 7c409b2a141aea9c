"""The calibrations of the catalog's models, by fingerprint: plain numbers.

Written by ``tests/model/fit_calibration.py``; docs/scores.md says what they were fitted on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BUILT_IN: Mapping[str, Mapping[str, Any]] = {
    "campplus.293c3aab706ee450": {
        "constant": 1.209821539943482,
        "of_cosine": 15.257455819690309,
        "of_reliability": -10.845390194542533,
        "of_product": 6.247478462087474,
        "half_s": 1.259,
        "least": -5.0238805208462765,
        "most": 8.9300972286214,
        "stranger_mean": (0.0029399816708244597, 0.10682551877328607),
        "stranger_spread": (0.08408921414318483, 0.03615958313913479),
        "stranger_tail": (
            (0.5, 0.0072327137361110835),
            (0.3, 0.537413228249269),
            (0.2, 0.8574962638247426),
            (0.1, 1.3464710307313421),
            (0.05, 1.7358875610867686),
            (0.02, 2.2465713899220625),
            (0.01, 2.61282122187375),
            (0.005, 3.058659965517423),
            (0.002, 3.752884617121048),
            (0.001, 4.3023500710138585),
        ),
        "speakers": 154,
        "targets": 45084,
        "strangers": 7556,
    },
    "ecapa.8c81fe2e7660feac": {
        "constant": 2.553734779212261,
        "of_cosine": 15.69173936047365,
        "of_reliability": -12.076700557204815,
        "of_product": 7.521613962059243,
        "half_s": 1.259,
        "least": -5.0238805208462765,
        "most": 8.9300972286214,
        "stranger_mean": (0.009926145854233577, 0.07350687044978615),
        "stranger_spread": (0.07607007633299143, 0.018401249399004265),
        "stranger_tail": (
            (0.5, 0.0002523417130959173),
            (0.3, 0.5114436607127331),
            (0.2, 0.852422247166352),
            (0.1, 1.3526311224755365),
            (0.05, 1.8076763830409568),
            (0.02, 2.358855729008833),
            (0.01, 2.745009036930984),
            (0.005, 3.170719910236941),
            (0.002, 3.7886630497239797),
            (0.001, 4.262994821783206),
        ),
        "speakers": 154,
        "targets": 45084,
        "strangers": 7556,
    },
}
