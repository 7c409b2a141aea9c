from __future__ import annotations

import math
from itertools import combinations
from statistics import fmean

import numpy as np
import pytest
from unit.heard_turns import TWO_PEOPLE, converse, hear

from sidecar.tools.conversation import Conversation, group_voices, measure, voice_name


def randomly(n: int, seed: int) -> np.ndarray:
    upper = np.triu(np.random.default_rng(seed).uniform(-0.2, 1, (n, n)), 1)
    return upper + upper.T + np.eye(n)


class TestGrouping:
    def test_turns_of_a_voice_come_together(self):
        assert converse(TWO_PEOPLE).groups == [[0, 2, 4], [1, 3]]

    def test_a_lone_turn_is_a_voice(self):
        assert converse(TWO_PEOPLE[:1]).groups == [[0]]

    def test_below_the_threshold_nothing_is_joined(self):
        assert group_voices(randomly(6, 1), 1.1) == [[index] for index in range(6)]

    def test_above_it_everything_is(self):
        assert group_voices(randomly(6, 1), -1.0) == [list(range(6))]

    @pytest.mark.parametrize("seed", range(20))
    def test_it_is_average_linkage_as_defined(self, seed):
        similarity = randomly(12, seed)
        groups = [[index] for index in range(12)]
        while True:
            mean, x, y = max(
                (fmean(similarity[i][j] for i in x for j in y), x, y)
                for x, y in combinations(groups, 2)
            )
            if mean < 0.5:
                break
            groups = [group for group in groups if group not in (x, y)] + [x + y]
        assert group_voices(similarity, 0.5) == sorted(sorted(group) for group in groups)

    def test_voices_have_names_beyond_the_alphabet(self):
        assert [voice_name(index) for index in (0, 25, 26)] == ["A", "Z", "V27"]


def figures(conversation: Conversation) -> dict[str, tuple[str, bool]]:
    return {figure.name: (figure.value, figure.is_met) for figure in measure(conversation)}


class TestFigures:
    def test_means_of_pairs_within_and_across(self):
        within = fmean(math.cos(math.radians(d)) for d in (10, 10, 20, 10))
        across = fmean(math.sin(math.radians(d)) for d in (0, 10, 20, -10, 0, 10))
        assert figures(converse(TWO_PEOPLE)) == {
            "mean within a speaker": (f"{within:.3f}", True),
            "mean across speakers": (f"{across:.3f}", True),
            "nearest turn is their own": ("5 of 5", True),
            "voices match the people": ("yes", True),
        }

    @pytest.mark.parametrize(("degrees", "is_met"), [(49, True), (50, False)])
    def test_the_bar_within_a_speaker(self, degrees, is_met):
        found = figures(converse(hear((0, "anna"), (degrees, "anna"))))
        assert found["mean within a speaker"][1] is is_met

    @pytest.mark.parametrize(("degrees", "is_met"), [(68, True), (67, False)])
    def test_the_bar_across_speakers(self, degrees, is_met):
        found = figures(converse(hear((0, "anna"), (degrees, "ben"))))
        assert found["mean across speakers"][1] is is_met

    def test_a_turn_nearer_to_another_person_is_not_their_own(self):
        heard = hear((0, "anna"), (10, "anna"), (90, "ben"), (30, "ben"))
        assert figures(converse(heard))["nearest turn is their own"] == ("3 of 4", False)

    def test_short_turns_do_not_count(self):
        heard = hear((0, "anna"), (90, "ben"), length_s=1.2)
        assert figures(converse(heard)) == {
            "mean within a speaker": ("nan", False),
            "mean across speakers": ("nan", False),
            "nearest turn is their own": ("0 of 0", True),
            "voices match the people": ("yes", True),
        }

    @pytest.mark.parametrize(
        ("groups", "right"),
        [
            ([[0, 2, 4], [1, 3]], True),
            ([[0, 2], [1, 3], [4]], False),
            ([[0, 1, 2, 3, 4]], False),
            ([[0, 1, 2, 4], [3]], False),
        ],
    )
    def test_voices_must_be_the_people(self, groups, right):
        conversation = converse(TWO_PEOPLE)
        conversation.groups = groups
        assert figures(conversation)["voices match the people"][1] is right
