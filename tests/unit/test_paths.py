"""Which paths a host may name; Windows' rules are tested on every platform."""

import contextlib
import errno
import os
import socket
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import BadAudio
from sidecar.audio.paths import check_spelling, open_audio_path, translate_os_error

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="a rule of POSIX")


def kind_of(path, root="any"):
    with pytest.raises(BadAudio) as caught:
        open_audio_path(str(path), root)
    return caught.value.kind


def spelling_kind_of(path, *, windows):
    with pytest.raises(BadAudio) as caught:
        check_spelling(path, windows=windows)
    return caught.value.kind


@pytest.fixture
def speech(tmp_path):
    path = tmp_path / "inside" / "speech.wav"
    path.parent.mkdir()
    path.write_bytes(b"RIFF")
    return path


# Spelling


@pytest.mark.parametrize("windows", [True, False])
@pytest.mark.parametrize(
    "path",
    [
        r"\\server\share\a.wav",
        "//server/share/a.wav",
        r"\/server\share\a.wav",
        r"\\?\C:\a.wav",
        r"\\?\UNC\server\share\a.wav",
        "//?/C:/a.wav",
        r"\\.\pipe\audio",
        r"\\.\C:",
        r"\??\UNC\server\share\a.wav",
    ],
)
def test_shares_and_device_prefixes_are_refused_everywhere(path, windows):
    assert spelling_kind_of(path, windows=windows) == "path_unc"


@pytest.mark.parametrize("windows", [True, False])
@pytest.mark.parametrize("path", ["/a\0.wav", "C:\\a\0.wav", "/\udc80.wav", "\ud83d", "/" * 40_000])
def test_impossible_paths_are_invalid(path, windows):
    assert spelling_kind_of(path, windows=windows) == "path_invalid"


@pytest.mark.parametrize(
    "path", ["", ".", "a.wav", "../a.wav", "~/a.wav", "C:\\a.wav", "file:///a"]
)
def test_paths_that_posix_reads_from_the_working_directory_are_refused(path):
    assert spelling_kind_of(path, windows=False) == "path_relative"


@pytest.mark.parametrize(
    "path", ["", "a.wav", "\\a.wav", "/a.wav", "C:a.wav", "C:", "CC:\\a.wav", "1:\\a", "é:\\a"]
)
def test_paths_without_a_drive_and_a_root_are_refused_on_windows(path):
    assert spelling_kind_of(path, windows=True) == "path_relative"


@pytest.mark.parametrize(
    "path",
    [
        "NUL",
        "C:\\NUL",
        "C:\\audio\\con.wav",
        "C:/audio/Aux .wav",
        "C:\\com1\\a.wav",
        "C:\\COM¹",
        "C:\\lpt9.tar.gz",
        "C:\\CONIN$",
        "C:\\nul:",
        "C:\\prn. . ",
    ],
)
def test_device_names_are_refused_on_windows(path):
    assert spelling_kind_of(path, windows=True) == "path_device"


@pytest.mark.parametrize("path", ["C:\\a.wav:stream", "C:\\a.wav::$DATA"])
def test_side_streams_are_refused_on_windows(path):
    assert spelling_kind_of(path, windows=True) == "path_invalid"


@pytest.mark.parametrize(
    "path", ["C:\\a.wav", "d:/audio/a.wav", "C:\\a\\..\\b.wav", "C:\\console\\com.wav", "Z:\\ü\\語"]
)
def test_ordinary_windows_paths_are_accepted(path):
    check_spelling(path, windows=True)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/fd/0", "/tmp/../dev/stdin", "/./dev/null"])
def test_devices_are_refused_on_posix(path):
    assert spelling_kind_of(path, windows=False) == "path_device"


@pytest.mark.parametrize("path", ["/a.wav", "/home/u/NUL", "/devices/a.wav", "/a:b\\c.wav"])
def test_ordinary_posix_paths_are_accepted(path):
    check_spelling(path, windows=False)


@settings(deadline=None)
@given(path=st.text(st.characters(), max_size=50))
@pytest.mark.parametrize("folder", ["", "/", "/nowhere/", "C:\\"])
def test_no_path_raises_anything_else(folder, path):
    with contextlib.suppress(BadAudio):
        check_spelling(folder + path, windows=True)
    try:
        open_audio_path(folder + path, "any").close()
    except BadAudio as error:
        error.message.encode()  # messages go over the wire, where text is valid UTF-8


# Files


def test_a_regular_file_is_opened(speech):
    with open_audio_path(str(speech), "any") as file:
        assert file.read() == b"RIFF"


def test_no_path_is_allowed_without_a_root(speech):
    assert kind_of(speech, "none") == "path_not_allowed"


def test_what_is_not_there_is_not_found(speech):
    assert kind_of(speech.with_name("missing.wav")) == "path_not_found"
    assert kind_of(speech / "below_a_file.wav") == "path_not_found"


def test_a_folder_is_no_file(speech):
    assert kind_of(speech.parent) == "path_not_file"


@posix_only
def test_a_name_that_the_system_finds_too_long_is_invalid(tmp_path):
    assert kind_of(tmp_path / ("a" * 300)) == "path_invalid"


@posix_only
def test_a_fifo_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    assert kind_of(tmp_path / "fifo") == "path_not_file"


@posix_only
def test_a_fifo_that_takes_the_place_of_a_file_is_refused_without_waiting(speech, monkeypatch):
    before = speech.stat()
    speech.unlink()
    os.mkfifo(speech)
    monkeypatch.setattr(Path, "stat", lambda *_args, **_options: before)
    assert kind_of(speech) == "path_not_file"


@posix_only
def test_a_symlink_that_takes_the_place_of_a_file_is_refused(speech, monkeypatch):
    target = speech.with_name("target.wav")
    speech.rename(target)
    speech.symlink_to(target)
    monkeypatch.setattr(os.path, "realpath", str)
    assert kind_of(speech) == "path_invalid"


@posix_only
def test_a_socket_and_a_symlink_to_a_device_are_no_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert kind_of(tmp_path / "socket") == "path_not_file"
    (tmp_path / "zero.wav").symlink_to("/dev/zero")
    assert kind_of(tmp_path / "zero.wav") == "path_not_file"


@posix_only
def test_a_loop_of_symlinks_ends(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert kind_of(tmp_path / "a") == "path_invalid"


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="permissions bind POSIX users, not root"
)
def test_a_file_without_permission_is_unreadable(speech):
    speech.chmod(0)
    assert kind_of(speech) == "path_unreadable"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.EACCES, "path_unreadable"),
        (errno.EIO, "path_unreadable"),
        (errno.ENOENT, "path_not_found"),
        (errno.EINVAL, "path_invalid"),
    ],
)
def test_errors_of_the_system_are_translated_with_their_text(code, kind):
    error = translate_os_error("/a.wav", OSError(code, os.strerror(code)))
    assert error.kind == kind
    assert os.strerror(code) in error.message


# The root


def test_files_below_the_root_are_opened(speech):
    for root in (speech.parent, speech.parent.parent, speech.parent / ".." / "inside"):
        open_audio_path(str(speech), root).close()


def test_files_outside_of_the_root_are_refused_whether_they_exist_or_not(speech):
    outside = speech.parent.parent / "inside too.wav"
    outside.write_bytes(b"RIFF")
    assert kind_of(outside, speech.parent) == "path_outside_root"
    assert kind_of(outside.with_name("missing.wav"), speech.parent) == "path_outside_root"
    dotted = f"{speech.parent}{os.sep}..{os.sep}inside too.wav"
    assert kind_of(dotted, speech.parent) == "path_outside_root"


@posix_only
def test_symlinks_are_followed_before_the_root_is_checked(speech):
    outside = speech.parent.parent / "outside.wav"
    outside.write_bytes(b"RIFF")
    link = speech.parent / "link.wav"
    link.symlink_to(outside)
    assert kind_of(link, speech.parent) == "path_outside_root"
    linked_root = speech.parent.parent / "linked"
    linked_root.symlink_to(speech.parent)
    open_audio_path(str(linked_root / "speech.wav"), linked_root).close()
