"""Enrolled people are named in a recording, and a stranger is not: by the process, by the tool."""

from __future__ import annotations

import itertools
import json
import os
import subprocess

import numpy as np
import pytest
import soundfile

from protocol.diarization import DiarizeParams
from protocol.params import PathAudio
from protocol.python import SpeakerSidecar
from sidecar.tools.program import sidecar_argv as program_argv
from sidecar.tools.recording import Turn, parse_rttm

RATE_HZ = 16_000
ENROLLED, STRANGER = ("1688", "1998"), "2033"
N_ENROLLED, N_TURNS = 3, 4
# Of each one's utterances, which have pauses, so much is told as theirs at least; and of that so
# much as another's at most.
LEAST_RIGHT, MOST_WRONG = 0.7, 0.02


@pytest.fixture(scope="module")
def utterances(shared):
    """The paths of each one's."""
    folder = shared / "audio" / "librispeech"
    return {name: sorted((folder / name).glob("*.flac")) for name in (*ENROLLED, STRANGER)}


@pytest.fixture(scope="module")
def conversation(utterances, tmp_path_factory):
    """The three in turn, by what nobody was enrolled with: the file, and who speaks when."""
    truth: list[Turn] = []
    parts = [np.zeros(RATE_HZ // 2, np.float32)]
    for number in range(N_ENROLLED, N_ENROLLED + N_TURNS):
        for name, paths in utterances.items():
            start_s = sum(map(len, parts)) / RATE_HZ
            samples, rate_hz = soundfile.read(paths[number], dtype="float32")
            assert rate_hz == RATE_HZ
            truth.append(Turn(start_s, start_s + len(samples) / RATE_HZ, name))
            parts += [samples, np.zeros(RATE_HZ // 2, np.float32)]
    path = tmp_path_factory.mktemp("conversation") / "three.flac"
    soundfile.write(path, np.concatenate(parts), RATE_HZ)
    return path, truth


@pytest.fixture(scope="module")
def gallery(sidecar_argv, utterances, tmp_path_factory):
    """The file in which two of the three are; the process that enrolled them has ended."""
    path = tmp_path_factory.mktemp("gallery") / "people.db"
    argv = [*sidecar_argv, "--gallery", os.fspath(path), "--log-level", "warning"]
    with SpeakerSidecar.start(argv) as sidecar:
        for name in ENROLLED:
            first, *others = map(os.fspath, utterances[name][:N_ENROLLED])
            person = sidecar.people.enroll(name=name, audio=first)
            for other in others:
                sidecar.people.enroll(audio=other, person_id=person.id)
    return path


def assert_named(told, truth):
    """The enrolled ones are called by their names, and the stranger by a label."""
    [label] = {turn.speaker for turn in told} - set(ENROLLED)
    for name in (*ENROLLED, STRANGER):
        own = [turn for turn in truth if turn.speaker == name]
        told_s = {turn.speaker: 0.0 for turn in told}
        for turn, mine in itertools.product(told, own):
            together_s = min(turn.end_s, mine.end_s) - max(turn.start_s, mine.start_s)
            told_s[turn.speaker] += max(0.0, together_s)
        right_s = told_s.pop(label if name == STRANGER else name)
        assert right_s >= LEAST_RIGHT * sum(turn.duration_s for turn in own), name
        assert sum(told_s.values()) <= MOST_WRONG * right_s, name


@pytest.mark.usefixtures("segmentation_weights")
def test_the_process_names_whom_it_knows(sidecar_argv, gallery, conversation):
    path, truth = conversation
    argv = [*sidecar_argv, "--gallery", os.fspath(gallery), "--log-level", "warning"]
    with SpeakerSidecar.start(argv) as client:
        people = {one.name: one.id for one in client.people.list()}
        params = DiarizeParams(PathAudio(os.fspath(path)), identify=True)
        result = client.send(params)[1].result(300)
    names = {}
    for speaker in result["speakers"]:
        names[speaker["label"]] = speaker.get("person", {}).get("name", speaker["label"])
        if "person" in speaker:
            assert speaker["person"]["id"] == people[speaker["person"]["name"]]
            assert speaker["llr"] > 0
            assert 0.9 < speaker["probability"] <= 1
        else:
            assert not {"llr", "probability"} & speaker.keys()
    print(f"named: {names}")
    told = [Turn(t["start_s"], t["end_s"], names[t["speaker"]]) for t in result["turns"]]
    assert_named(told, truth)
    assert not result.get("warnings")


@pytest.mark.usefixtures("segmentation_weights", "sidecar_argv")
def test_the_tool_names_whom_the_gallery_knows(gallery, conversation, tmp_path):
    path, truth = conversation
    written = ["--rttm", "--json", "--out", os.fspath(tmp_path)]
    done = subprocess.run(
        [*program_argv(), "diarize", path, "--gallery", gallery, "--threads", "1", *written],
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert_named(parse_rttm((tmp_path / "three.rttm").read_text("utf-8"), "three"), truth)
    for name in ENROLLED:
        assert f"\n{name} " in done.stdout
    assert STRANGER not in done.stdout
    answer = json.loads((tmp_path / "three.json").read_text("utf-8"))
    named = [one["person"]["name"] for one in answer["speakers"] if "person" in one]
    assert sorted(named) == sorted(ENROLLED)
