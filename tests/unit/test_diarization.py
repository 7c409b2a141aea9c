"""From what is heard in chunks to turns: with speakers whose voices and turns are known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from sidecar.config import SAMPLE_RATE_HZ
from sidecar.diarization import speakers, timeline
from sidecar.diarization.chunks import (
    CHUNK_SAMPLES,
    FRAME_SAMPLES,
    Chunk,
    chunk_of,
    frame_start,
    runs,
)
from sidecar.diarization.clustering import average_linkage
from sidecar.diarization.speakers import (
    LocalSpeaker,
    VoicePlace,
    direction,
    find_people,
    local_speakers,
)
from sidecar.diarization.timeline import Turn, spoken, turns_of

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


@pytest.mark.parametrize(("first_frame", "cuts"), [(0, (354, 413, 472, 531)), (88, (384, 443))])
def test_each_stretch_in_which_a_speaker_is_alone_is_embedded_in_pieces(first_frame, cuts):
    end = cuts[-1] + 50
    classes = (FIRST, 100), (FIRST_AND_SECOND, 100), (SECOND, 60), (NOBODY, 29)
    chunk = chunk_of(first_frame, heard(*classes, (FIRST, end - 289), (NOBODY, 589 - end)))
    samples = np.arange(CHUNK_SAMPLES, dtype=np.float32)
    first, second = chunk.voices(0, samples), chunk.voices(1, samples)
    edges = 289, *cuts, end
    assert [voice.stretch for voice in first] == [(0, 100), *itertools.pairwise(edges)]
    assert [voice.stretch for voice in second] == [(200, 260)]
    for voice in (*first, *second):
        start, behind = (frame_start(frame) for frame in voice.stretch)
        assert (voice.samples[0], voice.samples[-1]) == (start, behind - 1)


def test_all_chunks_cut_at_the_same_places():
    cuts = set()
    for first_frame in (0, 59, 100, 119, 1_000):
        voices = chunk_of(first_frame, heard((FIRST, 589))).voices(0, np.zeros(CHUNK_SAMPLES))
        edges = [first_frame + voice.stretch[0] for voice in voices[1:]]
        assert len(edges) >= 8
        cuts |= {edge % 59 for edge in edges}
        assert min(b - a for a, b in (voice.stretch for voice in voices)) * FRAME_S >= 0.75
    assert cuts == {0}


def test_short_stretches_are_joined():
    chunk = chunk_of(0, heard((FIRST, 40), (NOBODY, 10), (FIRST, 40), (SECOND, 499)))
    [voice] = chunk.voices(0, np.arange(CHUNK_SAMPLES, dtype=np.float32))
    assert voice.stretch is None
    assert len(voice.samples) == 80 * FRAME_SAMPLES
    assert frame_start(50) in voice.samples
    assert frame_start(45) not in voice.samples


def test_a_speaker_who_is_never_alone_is_embedded_with_the_other_one():
    chunk = chunk_of(0, heard((FIRST, 200), (FIRST_AND_SECOND, 100), (NOBODY, 289)))
    [voice] = chunk.voices(1, np.zeros(CHUNK_SAMPLES, np.float32))
    assert voice.stretch is None
    assert len(voice.samples) == 100 * FRAME_SAMPLES


def test_nothing_is_embedded_behind_the_end_or_that_is_a_click():
    chunk = chunk_of(0, heard((FIRST, 589)))
    [voice] = chunk.voices(0, np.zeros(5000, np.float32))
    assert len(voice.samples) == 5000 - frame_start(0)
    assert chunk.voices(0, np.zeros(10, np.float32)) == []
    assert chunk_of(0, heard((FIRST, 5), (NOBODY, 584))).voices(0, np.zeros(CHUNK_SAMPLES)) == []


def test_a_speaker_is_the_mean_of_the_stretches():
    chunk = chunk_of(0, heard((FIRST, 100), (NOBODY, 189), (FIRST, 300)))
    ada, bob = voice(1), voice(2)
    embedded = [
        (VoicePlace(0, 0, (0, 100)), direction(7 * ada)),
        (VoicePlace(0, 0, (289, 589)), bob),
        (VoicePlace(0, 1, None), direction(0 * ada)),
    ]
    [local] = local_speakers([chunk], embedded)
    five_seconds = 5 * SAMPLE_RATE_HZ / FRAME_SAMPLES
    wanted = 100 * ada + five_seconds * bob
    assert local.unit == pytest.approx(wanted / np.linalg.norm(wanted), abs=1e-6)
    assert local.solo_s == pytest.approx(400 * FRAME_S)
    assert [stretch for stretch, _ in local.stretches] == [(0, 100), (289, 589)]


def test_a_stretch_that_is_clearly_somebody_elses_goes_to_them():
    """The network took Bob's stretch for Ada's."""
    ada, bob = voice(1), voice(2)
    alone = [chunk_of(600 * n, heard((FIRST, 589))) for n in range(4)]
    chunks = [*alone, chunk_of(2400, heard((FIRST, 300), (NOBODY, 39), (FIRST, 250)))]
    embedded = [
        (VoicePlace(n, 0, (0, 589)), like(person, n))
        for n, person in enumerate((ada, ada, bob, bob))
    ]
    embedded.append((VoicePlace(4, 0, (0, 300)), like(ada, 4)))

    def people_of_turns(last):
        told = [*embedded, (VoicePlace(4, 0, (339, 589)), last)]
        people = find_people(local_speakers(chunks, told))
        turns = turns_of(chunks, people, frame_start(2989))
        assert turns[-1].start_s == pytest.approx(frame_start(2739) / SAMPLE_RATE_HZ)
        return [turn.person for turn in turns]

    assert people_of_turns(like(bob, 5)) == [0, 0, 1, 1, 0, 1]
    # One that is as much like the one as like the other stays where it is.
    assert people_of_turns(like(ada + bob, 5)) == [0, 0, 1, 1, 0, 0]


def test_two_people_whom_the_network_takes_for_one_are_two():
    """Each chunk has one speaker, of whom one half is Ada's and the other half is Bob's."""
    chunks = [chunk_of(600 * n, heard((FIRST, 250), (NOBODY, 39), (FIRST, 300))) for n in range(4)]
    embedded = []
    for n in range(len(chunks)):
        who = (1, 2) if n % 2 else (2, 1)
        for person, stretch in zip(who, ((0, 250), (289, 589)), strict=True):
            embedded.append((VoicePlace(n, 0, stretch), like(voice(person), 10 * n + person)))
    people = find_people(local_speakers(chunks, embedded))
    of_turn = [turn.person for turn in turns_of(chunks, people, frame_start(2389))]
    bob, ada = of_turn[:2]
    assert of_turn == [bob, ada, ada, bob, bob, ada, ada, bob]
    assert people.centroids[ada] @ voice(1) > 0.95
    assert people.centroids[bob] @ voice(2) > 0.95


def test_of_one_person_in_two_moods_no_second_one_is_made():
    chunks = [chunk_of(600 * n, heard((FIRST, 250), (NOBODY, 39), (FIRST, 300))) for n in range(4)]
    embedded = [
        (VoicePlace(n, 0, stretch), like(voice(1) + 1.3 * voice(mood), n, 0.1))
        for n in range(len(chunks))
        for mood, stretch in ((2, (0, 250)), (3, (289, 589)))
    ]
    people = find_people(local_speakers(chunks, embedded))
    assert len(people.centroids) == 1
    assert people.elsewhere == {}


def test_a_long_recording_is_put_together_block_by_block(monkeypatch):
    chunks, local, speaker = conversation(0)
    people = find_people(local)
    whole = turns_of(chunks, people, frame_start(len(speaker)))
    for block in (100, 589, 1000):
        monkeypatch.setattr(timeline, "_BLOCK_FRAMES", block)
        assert turns_of(chunks, people, frame_start(len(speaker))) == whole


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


def test_of_a_long_recording_some_tell_who_there_is(monkeypatch):
    monkeypatch.setattr(speakers, "_MOST_CLUSTERED", 30)
    who = [3 if 40 <= n < 45 else n // 10 % 2 for n in range(100)]
    local = [LocalSpeaker(n, 0, 3.0, like(voice(one), n)) for n, one in enumerate(who)]
    people = find_people(local)
    assert len(people.centroids) == 3
    number = {0: 0, 1: 1, 3: 2}
    assert [people.of_local[n, 0] for n in range(100)] == [number[one] for one in who]


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


def test_music_is_nobody():
    turns = [Turn(0.0, 5.0, 0, False), Turn(5.0, 5.9, 0, False), Turn(6.0, 9.0, 1, False)]
    steps = np.zeros(round(10 / 0.032), np.uint8)
    steps[round(8 / 0.032)] = 60
    assert spoken(turns, [steps[:100], steps[100:]]) == turns[1:]
    assert spoken(turns, []) == turns


def test_where_nobody_speaks_there_is_nobody():
    assert find_people([]) is None
    silent = Chunk(0, np.zeros((589, 3), np.uint8), np.zeros((589, 3), bool))
    assert silent.speakers == ()
