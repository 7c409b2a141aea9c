"""People through the real process: enrolled, known again after a restart, strangers unknown."""

from __future__ import annotations

import os

import pytest

from protocol.python import RemoteError, SpeakerSidecar

N_ENROLLED = 3


@pytest.fixture(scope="module")
def start(sidecar_argv, tmp_path_factory):
    """Starts a sidecar with the same gallery each time."""
    gallery = tmp_path_factory.mktemp("gallery") / "people.db"
    argv = [*sidecar_argv, "--gallery", os.fspath(gallery), "--log-level", "warning"]

    def started():
        return SpeakerSidecar.start(argv)

    started.gallery = gallery
    return started


@pytest.fixture(scope="module")
def utterances(shared):
    """The paths of each reader's."""
    readers = sorted(path for path in (shared / "audio" / "librispeech").iterdir() if path.is_dir())
    return {reader.name: sorted(map(os.fspath, reader.glob("*.flac"))) for reader in readers}


@pytest.fixture(scope="module")
def enrolled(start, utterances):
    """The id of each reader; the process that enrolled them has ended."""
    ids = {}
    with start() as sidecar:
        for reader, (first, *others) in utterances.items():
            result = sidecar.people.enroll(name=reader, audio=first)
            assert result.created
            for path in others[: N_ENROLLED - 1]:
                result = sidecar.people.enroll(audio=path, person_id=result.id)
                assert not result.created
            assert (result.used, result.progress, result.needed_s) == (True, 1.0, 0.0)
            assert not [one for one in result.warnings if one.kind in {"differs", "sounds_like"}]
            ids[reader] = result.id
    return ids


def test_everybody_is_known_by_all_other_utterances(start, utterances, enrolled):
    with start() as sidecar:
        assert [one.name for one in sidecar.people.list()] == list(utterances)
        for reader, paths in utterances.items():
            for path in paths[N_ENROLLED:]:
                found = sidecar.people.identify(path)
                assert found.decision == "known", path
                assert found.person.id == enrolled[reader], path
                assert found.matches[0].llr >= found.threshold
                assert 0.9 < found.matches[0].probability < 1
                told = sidecar.people.verify(enrolled[reader], path)
                assert told.same, path


def test_strangers_are_nobody(start, shared, enrolled):
    paths = sorted((shared / "audio" / "cohort").glob("*.flac"))
    with start() as sidecar:
        taken = [p.name for p in paths if sidecar.people.identify(os.fspath(p)).person is not None]
    print(f"{len(taken)} of {len(paths)} strangers were taken for somebody")
    assert len(taken) <= len(paths) // 100


def test_who_is_forgotten_is_a_stranger_and_in_no_file(start, utterances, enrolled):
    with start() as sidecar:
        for reader, paths in utterances.items():
            exported = sidecar.people.export([enrolled[reader]])
            assert sidecar.people.forget(enrolled[reader]).prints >= 1
            for path in paths[N_ENROLLED:]:
                assert sidecar.people.identify(path).decision == "unknown", path
            with pytest.raises(RemoteError) as caught:
                sidecar.people.get(enrolled[reader])
            assert caught.value.kind == "unknown_person"
            for file in start.gallery.parent.iterdir():
                assert reader.encode() not in file.read_bytes()
            assert sidecar.people.import_(exported).added == 1
            assert sidecar.people.identify(paths[-1]).person.id == enrolled[reader]


def test_what_is_no_speech_is_neither_enrolled_nor_anybody(start, shared, enrolled):
    noises = sorted((shared / "audio" / "speech_or_not").glob("noise-*.flac"))
    with start() as sidecar:
        before = sidecar.people.list()
        for noise in map(os.fspath, noises):
            with pytest.raises(RemoteError) as identified:
                sidecar.people.identify(noise)
            with pytest.raises(RemoteError) as enrolled_as_new:
                sidecar.people.enroll(name="?", audio=noise)
            assert identified.value.kind == enrolled_as_new.value.kind == "no_speech"
        assert sidecar.people.list() == before
