"""Some mutated recordings of every format; by hand, ``mutate_recordings.py`` sends many."""

import argparse
import os

import pytest
from mutate_recordings import run
from recordings import make_recordings


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    try:
        paths = make_recordings(tmp_path_factory.mktemp("recordings"))
    except FileNotFoundError:
        pytest.skip("ffmpeg, which makes the recordings, is not installed")
    return [(path.name, path.read_bytes()) for path in paths]


def test_mutated_recordings_are_answered(files, tmp_path, capsys):
    n = int(os.environ.get("MUTATED_RECORDINGS", "300"))
    options = argparse.Namespace(n=n, seed=7, keep=tmp_path)
    assert run(files, options) == 0, capsys.readouterr().out
