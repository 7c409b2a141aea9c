"""From what is heard in chunks to turns: with speakers whose voices and turns are known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from sidecar.config import SAMPLE_RATE_HZ
from sidecar.diarization.chunks import (
    CHUNK_SAMPLES,
    FRAME_SAMPLES,
    Chunk,
    chunk_of,
    frame_start,
    runs,
)
from sidecar.diarization.clustering import average_linkage
from sidecar.diarization.speakers import LocalSpeaker, find_people
from sidecar.diarization.timeline import turns_of

N_FRAMES = 589
DIM = 16
NOBODY, FIRST, SECOND, THIRD, FIRST_AND_SECOND = range(5)
FRAME_S = FRAME_SAMPLES / SAMPLE_RATE_HZ


def heard(*classes_and_frames):
    """Log-probabilities of a chunk in which these classes follow each other, all but sure."""
    classes = np.repeat(*zip(*classes_and_frames, strict=True))
    probabilities = np.full((len(classes), 7), 0.01 / 6, np.float32)
    probabilities[np.arange(len(classes)), classes] = 0.99
    return np.log(probabilities)


def voice(person):
    return np.eye(DIM, dtype=np.float32)[person]


def like(unit, seed, noise=0.3):
    other = np.random.default_rng(seed).normal(size=DIM)
    vector = unit + noise * other / np.linalg.norm(other)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def test_runs():
    assert runs(np.array([1, 1, 0, 1, 0, 0, 1], bool)) == [(0, 2), (3, 4), (6, 7)]
    assert runs(np.zeros(3, bool)) == []
    assert runs(np.zeros(0, bool)) == []


def test_a_chunk_knows_its_speakers_and_how_long_each_speaks_alone():
    log_probabilities = heard((FIRST, 200), (FIRST_AND_SECOND, 100), (SECOND, 50), (NOBODY, 239))
    chunk = chunk_of(0, log_probabilities)
    assert chunk.speakers == (0, 1)
    assert chunk.solo_s(0) == pytest.approx(200 * FRAME_S)
    assert chunk.solo_s(1) == pytest.approx(50 * FRAME_S)
    assert chunk.probabilities[250] == pytest.approx([0.99, 0.99, 0.0], abs=0.01)


def test_what_is_embedded_of_a_speaker_is_their_speech_alone():
    log_probabilities = heard((FIRST, 200), (FIRST_AND_SECOND, 100), (SECOND, 60), (NOBODY, 229))
    samples = np.arange(CHUNK_SAMPLES, dtype=np.float32)
    chunk = chunk_of(0, log_probabilities)
    first, second = chunk.voice(0, samples), chunk.voice(1, samples)
    assert (first[0], first[-1]) == (frame_start(0), frame_start(200) - 1)
    assert (second[0], second[-1]) == (frame_start(300), frame_start(360) - 1)


def test_a_speaker_who_is_never_alone_is_embedded_with_the_other_one():
    chunk = chunk_of(0, heard((FIRST, 200), (FIRST_AND_SECOND, 100), (NOBODY, 289)))
    assert len(chunk.voice(1, np.zeros(CHUNK_SAMPLES, np.float32))) == 100 * FRAME_SAMPLES


def test_five_seconds_are_embedded_at_most_and_nothing_behind_the_end():
    chunk = chunk_of(0, heard((FIRST, 589)))
    assert len(chunk.voice(0, np.zeros(CHUNK_SAMPLES, np.float32))) == 5 * SAMPLE_RATE_HZ
    assert len(chunk.voice(0, np.zeros(1000, np.float32))) == 1000 - frame_start(0)
    assert len(chunk.voice(0, np.zeros(10, np.float32))) == 0


@pytest.mark.parametrize("seed", range(5))
def test_average_linkage_is_that_of_the_definition(seed):
    rng = np.random.default_rng(seed)
    units = np.stack([like(voice(rng.integers(4)), 100 + n, 0.9) for n in range(14)])

    def mean_distance(a, b):
        return np.mean([1 - units[i] @ units[j] for i in a for j in b])

    clusters = [[n] for n in range(len(units))]
    while len(clusters) > 1:
        pairs = [
            (mean_distance(a, b), i, j)
            for i, a in enumerate(clusters)
            for j, b in enumerate(clusters[:i])
        ]
        distance, i, j = min(pairs)
        if distance >= 0.5:
            break
        clusters[j] += clusters.pop(i)
    labels = average_linkage(units, 0.5)
    assert sorted(map(sorted, clusters)) == sorted(
        np.flatnonzero(labels == label).tolist() for label in range(labels.max() + 1)
    )


def test_a_number_of_people_may_be_asked_for():
    units = np.stack([like(voice(n % 3), n) for n in range(12)])
    assert average_linkage(units, 0.6).max() + 1 == 3
    assert average_linkage(units, 0.6, most=2).max() + 1 == 2
    assert average_linkage(units, 0.6, least=5).max() + 1 == 5
    assert average_linkage(units[:1], 0.6, least=5).max() + 1 == 1


def conversation(order):
    """Two people in turns of 3 s, heard in chunks of 10 s every 4 s that call them as they like.

    Args:
        order: seeds how the chunks number their speakers.
    """
    rng = np.random.default_rng(order)
    turn_frames, n_turns = 178, 10
    speaker = np.repeat(np.arange(n_turns) % 2, turn_frames)
    chunks, local = [], []
    for number, first_frame in enumerate(range(0, len(speaker) - N_FRAMES + 1, 237)):
        names = rng.permutation(3)[:2]
        classes = 1 + names[speaker[first_frame : first_frame + N_FRAMES]]
        chunk = chunk_of(first_frame, heard(*((one, 1) for one in classes)))
        chunks.append(chunk)
        local += [
            LocalSpeaker(number, int(name), 4.0, like(voice(person), 10 * number + person))
            for person, name in enumerate(names)
        ]
    n_frames = chunks[-1].first_frame + N_FRAMES
    return chunks, local, speaker[:n_frames]


@pytest.mark.parametrize("order", range(3))
def test_people_are_found_whatever_the_chunks_call_them(order):
    chunks, local, speaker = conversation(order)
    people = find_people(local)
    assert len(people.centroids) == 2
    turns = turns_of(chunks, people, frame_start(len(speaker)))
    who = [turn.person for turn in turns]
    assert who == [who[n % 2] for n in range(len(turns))]
    assert set(who) == {0, 1}
    changes = np.flatnonzero(np.diff(speaker)) + 1
    assert [turn.start_s for turn in turns[1:]] == pytest.approx(
        [frame_start(change) / SAMPLE_RATE_HZ for change in changes]
    )
    assert not any(turn.overlap for turn in turns)


def test_no_two_of_a_chunk_are_one_person():
    ada, bob = voice(1), voice(2)
    local = [LocalSpeaker(n, 0, 4.0, like(ada, n)) for n in range(3)]
    local += [LocalSpeaker(n, 1, 4.0, like(bob, 10 + n)) for n in range(2)]
    # In the last chunk both sound more like Ada.
    local.append(LocalSpeaker(2, 1, 0.5, like(ada + 0.5 * bob, 20)))
    people = find_people(local)
    assert people.of_local[2, 0] != people.of_local[2, 1]


def test_overlap_is_told_unless_one_at_a_time_is_wanted():
    chunk = chunk_of(0, heard((FIRST, 200), (FIRST_AND_SECOND, 100), (SECOND, 289)))
    local = [LocalSpeaker(0, n, 3.0, voice(n)) for n in range(2)]
    people = find_people(local)
    turns = turns_of([chunk], people, CHUNK_SAMPLES)
    assert [(turn.person, turn.overlap) for turn in turns] == [(0, True), (1, True)]
    assert turns[1].start_s < turns[0].end_s
    turns = turns_of([chunk], people, CHUNK_SAMPLES, exclusive=True)
    assert not any(turn.overlap for turn in turns)
    assert all(a.end_s <= b.start_s for a, b in itertools.pairwise(turns))


def test_turns_end_where_the_audio_does():
    chunk = chunk_of(0, heard((FIRST, 589)))
    people = find_people([LocalSpeaker(0, 0, 3.0, voice(0))])
    [turn] = turns_of([chunk], people, 3 * SAMPLE_RATE_HZ)
    assert turn.end_s == 3.0


def test_where_nobody_speaks_there_is_nobody():
    assert find_people([]) is None
    silent = Chunk(0, np.zeros((589, 3), np.float32), np.zeros((589, 3), bool))
    assert silent.speakers == ()
