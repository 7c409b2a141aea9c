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
            (0.5, -0.034653280883792055),
            (0.3, 0.5026100646273379),
            (0.2, 0.8216657187931188),
            (0.1, 1.3034682538093767),
            (0.05, 1.6930066180863403),
            (0.02, 2.147999475806133),
            (0.01, 2.4977905846704695),
            (0.001, 3.734137792837088),
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
            (0.5, -0.04185147420373941),
            (0.3, 0.4760282328038602),
            (0.2, 0.8094479932404955),
            (0.1, 1.2968060234329832),
            (0.05, 1.743298752276772),
            (0.02, 2.282787867264579),
            (0.01, 2.6466288820765143),
            (0.001, 3.747591610343834),
        ),
        "speakers": 154,
        "targets": 45084,
        "strangers": 7556,
    },
}
