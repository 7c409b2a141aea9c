"""What a cosine means: by the user's own file for its model, by what is built in for others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.errors import ModelUnavailable
from sidecar.requests.scoring import Calibrations
from sidecar.scores.built_in import BUILT_IN
from sidecar.scores.calibration import find_calibration, write_calibration

ONE, OTHER = list(BUILT_IN)[:2]


def test_a_file_is_read_once_and_serves_its_model_alone(tmp_path):
    file = tmp_path / "own.json"
    own = replace(find_calibration(ONE), constant=0.25)
    write_calibration(own, ONE, file)
    calibrations = Calibrations(file)
    calibrations.require(ONE)
    file.unlink()
    assert calibrations.of(ONE) == own
    assert calibrations.of(OTHER) == find_calibration(OTHER)
    assert calibrations.of("nobody's") is None


def test_a_file_for_another_model_or_of_nothing_is_told(tmp_path):
    file = tmp_path / "own.json"
    write_calibration(find_calibration(ONE), ONE, file)
    with pytest.raises(ModelUnavailable, match="is for"):
        Calibrations(file).require(OTHER)
    file.write_text("{}", "utf-8")
    with pytest.raises(ModelUnavailable, match="no calibration"):
        Calibrations(file).require(ONE)
