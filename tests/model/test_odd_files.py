"""Files as people have them, and what FFmpeg makes of them: the same, or a refusal."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from model.compare_with_ffmpeg import compare_all

MAKE = Path(__file__).parents[2] / ".." / "shared" / "audio" / "odd" / "make.py"
# What FFmpeg 5 loses or leaves: a frame at the seam of two FLACs, the untrimmed end of a link of
# Vorbis, frames around a hole in an MP3; and how it mixes and mutes. Ours is nearer to the sound
# file that they were made of, or as near.
DIFFERENT = {
    "f08_cat.flac",
    "f09_piped_cat.flac",
    "m03_cat_44_then_48.mp3",
    "m08b_cut_at_1000.mp3",
    "m09_hole_4096zeros.mp3",
    "m09b_hole_500zeros.mp3",
    "m09c_hole_1500zeros.mp3",
    "o01_cat_vorbis.ogg",
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory, campplus_weights):
    if not MAKE.exists() or shutil.which("ffmpeg") is None:
        pytest.skip("shared/audio/odd or ffmpeg is not here")
    folder = tmp_path_factory.mktemp("odd")
    subprocess.run([sys.executable, str(MAKE), str(folder)], check=True, capture_output=True)
    paths = sorted(folder.iterdir())
    return {row.name: row for row in compare_all(paths, str(campplus_weights.parent.name))}


def test_each_is_what_ffmpeg_makes_of_it_or_is_refused(rows):
    for row in rows.values():
        print(row)
    assert {name for name, row in rows.items() if not row.passes} <= DIFFERENT


def test_none_is_half_of_what_ffmpeg_makes_of_it(rows):
    for row in rows.values():
        if row.ours_s is not None and row.ffmpeg_s is not None:
            assert row.ours_s > 0.99 * row.ffmpeg_s, row


def test_what_is_refused_is_no_audio_or_contradicts_itself(rows):
    refused = {name for name, row in rows.items() if row.ours_s is None}
    expected = {"w05c_data_too_small.wav", "w21_lowercase_riff.wav", "w22_two_data_chunks.wav"}
    if importlib.util.find_spec("av") is None:
        expected |= {"o08.spx", "w36.webm", "w37.m4a", "w38.aac"}
    assert {name for name in refused if not name.startswith("z_")} == expected
