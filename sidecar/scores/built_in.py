"""The calibrations of the catalog's models, by fingerprint: plain numbers.

Written by ``tests/model/fit_calibration.py``; docs/scores.md says what they were fitted on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BUILT_IN: Mapping[str, Mapping[str, Any]] = {
    "campplus.293c3aab706ee450": {
        "constant": 0.8781585938061265,
        "of_cosine": 17.830903532148536,
        "of_reliability": -12.485228651729164,
        "of_product": 6.661211610391865,
        "half_s": 1.585,
        "least": -5.0238805208462765,
        "most": 8.9300972286214,
        "stranger_mean": (0.009545572461128686, 0.10404238249765256),
        "stranger_spread": (0.08637067810856246, 0.03510435367873989),
        "stranger_tail": (
            (0.5, 0.007164017892353863),
            (0.3, 0.53734714479722),
            (0.2, 0.8584712198751373),
            (0.1, 1.3455063269427134),
            (0.05, 1.7366391771815823),
            (0.02, 2.247777177673838),
            (0.01, 2.6138440516590578),
            (0.005, 3.0513131909588385),
            (0.002, 3.751821246895576),
            (0.001, 4.310453602890027),
        ),
        "speakers": 154,
        "targets": 45084,
        "strangers": 7556,
    },
    "ecapa.8c81fe2e7660feac": {
        "constant": 2.182864604321942,
        "of_cosine": 16.23519071718613,
        "of_reliability": -15.494414728683381,
        "of_product": 14.966478902205738,
        "half_s": 1.995,
        "least": -5.0238805208462765,
        "most": 8.9300972286214,
        "stranger_mean": (0.018317594223219782, 0.07079420781273957),
        "stranger_spread": (0.07812733229620011, 0.017782425815328528),
        "stranger_tail": (
            (0.5, 0.00010901665003308217),
            (0.3, 0.512172703917128),
            (0.2, 0.8548969206971114),
            (0.1, 1.3538772354442088),
            (0.05, 1.80857006244117),
            (0.02, 2.3558194981377265),
            (0.01, 2.7558769900449347),
            (0.005, 3.18677146011045),
            (0.002, 3.779665432395152),
            (0.001, 4.262652074598394),
        ),
        "speakers": 154,
        "targets": 45084,
        "strangers": 7556,
    },
}
