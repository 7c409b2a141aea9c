"""What a cosine means: always more for a higher one, never more than the people support."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.scores.built_in import BUILT_IN
from sidecar.scores.calibration import (
    LEAST_FAR,
    Calibration,
    find_calibration,
    read_numbers,
    write_calibration,
)
from sidecar.store.catalog import MODELS
from sidecar.store.installed import fingerprint

FINGERPRINTS = {
    name: fingerprint(card, card.files[0].sha256, card.recipe) for name, card in MODELS.items()
}
CALIBRATIONS = [read_numbers(numbers) for numbers in BUILT_IN.values()]
PLAIN = Calibration(
    constant=-5.0,
    of_cosine=10.0,
    of_reliability=0.0,
    of_product=0.0,
    half_s=1.0,
    least=-40.0,
    most=40.0,
    stranger_mean=(0.0, 0.0),
    stranger_spread=(0.1, 0.0),
    stranger_tail=((0.5, 0.0), (0.1, 1.2816), (0.01, 2.3263)),
)
cosines = st.floats(-1, 1)
seconds = st.floats(0.01, 1e5)
built_in = pytest.mark.parametrize("calibration", CALIBRATIONS, ids=BUILT_IN)


class TestRatio:
    def test_without_bounds_it_is_the_regression(self):
        assert PLAIN.llr(0.8, 3, 3) == pytest.approx(3.0)
        assert PLAIN.llr(0.2, 3, 3) == pytest.approx(-3.0)

    def test_reliability_falls_with_less_speech_on_either_side(self):
        longer = replace(PLAIN, of_product=10.0)
        reliability = math.sqrt(1 / (1 + 1) * 3 / (3 + 1))
        assert longer.llr(0.9, 1, 3) == pytest.approx(4 + 9 * reliability)
        assert longer.llr(0.9, 3, 1) == longer.llr(0.9, 1, 3)

    @built_in
    @given(cosines, cosines, seconds, seconds)
    def test_it_ascends_with_the_cosine_at_any_length(self, calibration, x, y, a_s, b_s):
        low, high = sorted((x, y))
        # But for the last digit, at the bounds.
        assert calibration.llr(low, a_s, b_s) <= calibration.llr(high, a_s, b_s) + 1e-12

    @built_in
    def test_where_voices_lie_it_ascends_from_any_hundredth_to_the_next(self, calibration):
        for speech_s in (0.1, 0.5, 1, 3, 10, 60, 3600):
            many = [calibration.llr(n / 100, speech_s, speech_s) for n in range(-10, 90)]
            assert sorted(set(many)) == many

    @built_in
    @given(cosines, seconds, seconds)
    def test_it_stays_within_what_the_people_support(self, calibration, cosine, a_s, b_s):
        llr = calibration.llr(cosine, a_s, b_s)
        assert -math.log(calibration.speakers) <= llr <= math.log(calibration.strangers)

    @built_in
    @given(cosines, seconds, st.lists(seconds, min_size=1, max_size=5))
    def test_many_at_once_are_the_same(self, calibration, cosine, a_s, others_s):
        each = [calibration.llr(cosine, a_s, b_s) for b_s in others_s]
        found = calibration.llrs(np.full(len(others_s), cosine), a_s, np.array(others_s))
        np.testing.assert_allclose(found, each, rtol=1e-12, atol=1e-12)

    @built_in
    def test_a_middling_cosine_speaks_for_one_person_in_short_speech_alone(self, calibration):
        assert calibration.llr(0.3, 0.5, 0.5) > 1
        assert calibration.llr(0.3, 10, 10) < -1

    @built_in
    def test_no_length_is_absurd(self, calibration):
        assert calibration.llr(0.5, 0, 5) == calibration.llr(0.5, 0.1, 5)
        assert calibration.llr(0.5, 1e9, 5) == calibration.llr(0.5, 3600, 5)


class TestThreshold:
    def test_it_is_the_ratio_of_the_strangers_quantile(self):
        # Of a normal distribution with a spread of 0.1, one of a thousand is above 0.309.
        no_floor = replace(PLAIN, constant=0.0)
        assert no_floor.threshold(0.001, 3, 3) == pytest.approx(3.09, abs=0.01)
        assert no_floor.threshold(0.05, 3, 3) == pytest.approx(1.645, abs=0.01)

    def test_it_is_never_below_0(self):
        assert PLAIN.llr(0.24, 3, 3) < 0
        assert PLAIN.threshold(0.01, 3, 3) == 0

    @built_in
    @given(st.floats(1e-12, 0.999), st.floats(1e-12, 0.999), seconds, seconds)
    def test_fewer_strangers_take_more(self, calibration, x, y, a_s, b_s):
        few, many = sorted((x, y))
        assert calibration.threshold(few, a_s, b_s) >= calibration.threshold(many, a_s, b_s) >= 0

    @built_in
    def test_rarer_strangers_than_can_be_known_of_are_the_rarest_known(self, calibration):
        assert calibration.threshold(1e-9, 5, 5) == calibration.threshold(LEAST_FAR, 5, 5)


class TestFinding:
    @pytest.mark.parametrize("model", MODELS)
    def test_each_model_of_the_catalog_has_one(self, model):
        found = find_calibration(FINGERPRINTS[model])
        assert found is not None
        assert found.speakers > 100

    def test_another_model_has_none(self):
        assert find_calibration("ecapa.0123456789abcdef") is None

    def test_a_file_takes_its_place(self, tmp_path):
        file = tmp_path / "own.json"
        write_calibration(PLAIN, "campplus.x", file)
        assert find_calibration("campplus.x", file) == PLAIN

    def test_one_of_another_model_is_refused(self, tmp_path):
        file = tmp_path / "own.json"
        write_calibration(PLAIN, "campplus.x", file)
        with pytest.raises(ValueError, match=r"is for campplus\.x, and the model.* ecapa\.y"):
            find_calibration("ecapa.y", file)

    def test_a_missing_file_is_told(self, tmp_path):
        with pytest.raises(OSError, match="own"):
            find_calibration("x", tmp_path / "own.json")

    @pytest.mark.parametrize("text", ["", "[]", "{}", "hello", '{"format": "other"}'])
    def test_what_is_none_is_refused(self, tmp_path, text):
        file = tmp_path / "own.json"
        file.write_text(text, "utf-8")
        with pytest.raises(ValueError, match="is no calibration"):
            find_calibration("x", file)

    def test_what_is_no_text_is_refused(self, tmp_path):
        file = tmp_path / "own.json"
        file.write_bytes(b"\xff\xfe\x00")
        with pytest.raises(ValueError, match="is no calibration"):
            find_calibration("x", file)

    @pytest.mark.parametrize(
        "change",
        [
            {"of_cosine": -1.0},
            {"of_product": -11.0},
            {"half_s": 0.0},
            {"most": -1.0},
            {"constant": math.nan},
            {"constant": "much"},
            {"stranger_mean": [1]},
            {"stranger_spread": [0.1, -0.2]},
            {"stranger_tail": []},
            {"stranger_tail": [[0.5, 0.0]]},
            {"stranger_tail": [[0.1, 0.0], [0.5, 1.0]]},
            {"stranger_tail": [[0.5, 1.0], [0.1, 0.0]]},
            {"stranger_tail": [[1.5, 0.0], [0.1, 1.0]]},
            {"stranger_tail": [[0.7, 0.0], [0.6, 1.0]]},
            {"stranger_tail": [[0.5, -1.0], [0.1, 0.0]]},
        ],
        ids=str,
    )
    def test_numbers_that_cannot_be_are_refused(self, tmp_path, change):
        file = tmp_path / "own.json"
        write_calibration(PLAIN, "x", file)
        file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | change), "utf-8")
        with pytest.raises(ValueError, match="is no calibration"):
            find_calibration("x", file)

    @pytest.mark.parametrize("name", [*asdict(PLAIN)])
    def test_none_may_be_missing(self, name):
        numbers = asdict(PLAIN)
        del numbers[name]
        with pytest.raises(KeyError):
            read_numbers(numbers)


def test_nothing_heavy_comes_with_it():
    code = "import sys, sidecar.scores.decision; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
