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
            (0.5, -0.009150714751149721),
            (0.3, 0.5237444021473202),
            (0.2, 0.8436430632916698),
            (0.1, 1.3304861662997478),
            (0.05, 1.7191681730525792),
            (0.02, 2.200348475737938),
            (0.01, 2.568561640342054),
            (0.005, 2.9721589942525926),
            (0.002, 3.6033899558132436),
            (0.001, 4.06753640826315),
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
            (0.5, -0.014725701511138677),
            (0.3, 0.4988737850275295),
            (0.2, 0.8349990670123514),
            (0.1, 1.333327417571881),
            (0.05, 1.7864598502142568),
            (0.02, 2.33267941150137),
            (0.01, 2.7013244212142515),
            (0.005, 3.0850127958808944),
            (0.002, 3.5457762662430223),
            (0.001, 3.9704232678060194),
        ),
        "speakers": 154,
        "targets": 45084,
        "strangers": 7556,
    },
}
