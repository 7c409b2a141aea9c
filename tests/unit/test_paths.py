"""The files that a host may name are opened, and what takes their place is not."""

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
from sidecar.audio.paths import check_spelling, check_target, open_audio_path, translate_os_error

if sys.platform == "win32":
    import _winapi

NOT_AS_ROOT = pytest.mark.skipif(
    sys.platform != "win32" and os.geteuid() == 0, reason="permissions do not bind root"
)
NO_JUNCTIONS = pytest.mark.wine("it makes no junctions (CreateJunction: error 50)")


def kind_of(path, root="any"):
    with pytest.raises(BadAudio) as caught:
        open_audio_path(str(path), root)
    return caught.value.kind


def link_folder(link, target):
    if sys.platform == "win32":
        _winapi.CreateJunction(str(target), str(link))  # a symlink needs a privilege
    else:
        link.symlink_to(target)


@pytest.fixture
def speech(tmp_path):
    path = tmp_path / "inside" / "speech.wav"
    path.parent.mkdir()
    path.write_bytes(b"RIFF")
    return path


# Files


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


@pytest.mark.posix("on Windows a name that is too long is not found")
def test_a_name_that_the_system_finds_too_long_is_invalid(tmp_path):
    assert kind_of(tmp_path / ("a" * 300)) == "path_invalid"


@pytest.mark.posix("it has FIFOs")
def test_a_fifo_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    assert kind_of(tmp_path / "fifo") == "path_not_file"


@pytest.mark.posix("it has FIFOs")
def test_a_fifo_that_takes_the_place_of_a_file_is_refused_without_waiting(speech, monkeypatch):
    before = speech.stat()
    speech.unlink()
    os.mkfifo(speech)
    monkeypatch.setattr(Path, "stat", lambda *_args, **_options: before)
    assert kind_of(speech) == "path_not_file"
    assert kind_of(speech, speech.parent) == "path_not_file"


@pytest.mark.posix("on Windows links need a privilege")
def test_a_symlink_that_takes_the_place_of_a_file_is_refused(speech, monkeypatch):
    target = speech.with_name("target.wav")
    speech.rename(target)
    speech.symlink_to(target)
    monkeypatch.setattr(os.path, "realpath", str)
    assert kind_of(speech) == "path_invalid"
    assert kind_of(speech, speech.parent) == "path_invalid"


@pytest.mark.posix("sockets and devices have names in folders")
def test_a_socket_and_a_symlink_to_a_device_are_no_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert kind_of(tmp_path / "socket") == "path_not_file"
    (tmp_path / "zero.wav").symlink_to("/dev/zero")
    assert kind_of(tmp_path / "zero.wav") == "path_not_file"


@pytest.mark.posix("on Windows links need a privilege")
def test_a_loop_of_symlinks_ends(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert kind_of(tmp_path / "a") == "path_invalid"


@pytest.mark.posix("it has permissions to read")
@NOT_AS_ROOT
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


def test_the_resolved_path_is_checked_as_windows_spells_it(speech, monkeypatch):
    checked = []
    monkeypatch.setattr("sidecar.audio.paths.check_target", lambda *args, **_: checked.append(args))
    open_audio_path(str(speech), "any").close()
    assert checked == [(str(speech), os.path.realpath(speech), None)]


@pytest.fixture
def limited(monkeypatch):
    """Windows with its usual setting, which Wine has not: what is long is not there."""

    def limit(call):
        def limited_call(path, *args, **options):
            if isinstance(path, (str, os.PathLike)):
                name = os.fspath(path)
                if len(name) >= 260 and not name.startswith("\\\\?\\"):
                    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
            return call(path, *args, **options)

        return limited_call

    # Beyond 260 characters Wine cannot tell where a path leads, nor where an open file lies.
    monkeypatch.setattr(os.path, "realpath", os.path.normpath)
    for name in ("stat", "open"):
        monkeypatch.setattr(os, name, limit(getattr(os, name)))


@pytest.mark.skipif(sys.platform != "win32", reason="only Windows has a limit of 260 characters")
def test_a_path_of_more_than_260_characters_is_read(tmp_path, limited):
    folder = tmp_path.joinpath(*["a folder with a long name"] * 12)
    speech = folder / "speech.wav"
    Path(f"\\\\?\\{folder}").mkdir(parents=True)
    Path(f"\\\\?\\{speech}").write_bytes(b"RIFF")
    with open_audio_path(str(speech), "any") as file:
        assert file.read() == b"RIFF"
    slashes = str(speech).replace("\\", "/").replace("/speech", "/none/../speech")
    open_audio_path(slashes, "any").close()
    assert kind_of(speech, folder / "below") == "path_outside_root"
    assert kind_of(speech.with_name("missing.wav")) == "path_not_found"
    assert kind_of(f"\\\\?\\{speech}") == "path_unc"
    assert kind_of(rf"\\server\share\{'a' * 260}") == "path_unc"


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


@pytest.mark.posix("on Windows links need a privilege")
def test_symlinks_are_followed_before_the_root_is_checked(speech):
    outside = speech.parent.parent / "outside.wav"
    outside.write_bytes(b"RIFF")
    link = speech.parent / "link.wav"
    link.symlink_to(outside)
    assert kind_of(link, speech.parent) == "path_outside_root"
    linked_root = speech.parent.parent / "linked"
    linked_root.symlink_to(speech.parent)
    open_audio_path(str(linked_root / "speech.wav"), linked_root).close()


@NO_JUNCTIONS
@pytest.mark.parametrize("swapped", ["root", "root/a", "root/a/b"])
@pytest.mark.parametrize("hook", ["realpath", "stat"])
def test_a_folder_swapped_for_a_link_does_not_lead_outside(tmp_path, monkeypatch, hook, swapped):
    for place in ("root", "outside"):
        (tmp_path / place / "a" / "b").mkdir(parents=True)
        (tmp_path / place / "a" / "b" / "speech.wav").write_bytes(place.encode())
    root = tmp_path / "root"
    speech = root / "a" / "b" / "speech.wav"

    def swap():
        (tmp_path / swapped).rename(tmp_path / "before")
        link_folder(tmp_path / swapped, tmp_path / swapped.replace("root", "outside"))
        monkeypatch.undo()
        monkeypatch.setattr(os, "open", open_and_keep)

    def open_and_keep(*args, original=os.open, **options):
        fd = original(*args, **options)
        opened.append((fd, os.fstat(fd).st_ino))
        return fd

    def resolve_and_swap(path, original=os.path.realpath):
        resolved = original(path)
        if path == str(speech):
            swap()
        return resolved

    def swap_and_stat(path, original=Path.stat):
        swap()
        return original(path)

    opened = []
    if hook == "realpath":
        monkeypatch.setattr(os.path, "realpath", resolve_and_swap)
    else:
        monkeypatch.setattr(Path, "stat", swap_and_stat)

    # Windows looks where the opened file lies; elsewhere the link is not even followed.
    if sys.platform == "win32":
        assert kind_of(speech, root) == "path_outside_root"
    else:
        assert kind_of(speech, root) in ("path_not_found", "path_invalid")
        assert speech.read_bytes() == b"outside"
        assert speech.stat().st_ino not in [inode for _, inode in opened]
    for fd, _ in opened:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)


@pytest.mark.posix("it opens a path folder by folder")
def test_no_folder_stays_open(speech, monkeypatch):
    opened = []

    def open_and_keep(*args, original=os.open, **options):
        opened.append(original(*args, **options))
        return opened[-1]

    monkeypatch.setattr(os, "open", open_and_keep)
    with open_audio_path(str(speech), speech.parents[2]) as file:
        assert len(opened) == 4
        for fd in set(opened) - {file.fileno()}:
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(fd)


@pytest.mark.linux("it opens a folder that may be entered, but not listed")
@NOT_AS_ROOT
def test_a_folder_below_the_root_need_not_be_listed(speech):
    speech.parent.chmod(0o100)
    try:
        open_audio_path(str(speech), speech.parent).close()
        open_audio_path(str(speech), speech.parent.parent).close()
    finally:
        speech.parent.chmod(0o700)


@pytest.mark.windows("it tells the path of an open file")
@NO_JUNCTIONS
def test_windows_tells_where_an_open_file_lies(speech):
    from sidecar.audio.windows_final_path import final_path

    link = speech.parent.parent / "link"
    link_folder(link, speech.parent)
    with (link / "speech.wav").open("rb") as file:
        told = final_path(file.fileno())
    check_target(str(speech), told, os.path.realpath(speech.parent), windows=True)
    assert Path(told).samefile(speech)
