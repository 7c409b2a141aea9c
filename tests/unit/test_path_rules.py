"""Which paths are refused by how they, or what they lead to, are spelled, on every platform."""

import pytest

from protocol.errors import BadAudio
from sidecar.audio.paths import check_spelling, check_target
from sidecar.long_path import of_any_length


def spelling_kind_of(path, *, windows):
    with pytest.raises(BadAudio) as caught:
        check_spelling(path, windows=windows)
    return caught.value.kind


def target_kind_of(target, root=None, *, windows=True):
    with pytest.raises(BadAudio) as caught:
        check_target("C:\\as sent.wav", target, root, windows=windows)
    assert "as sent.wav" in caught.value.message
    assert target not in caught.value.message  # where links lead is not the host's to know
    return caught.value.kind


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
@pytest.mark.parametrize("path", ["/a\0.wav", "C:\\a\0.wav", "/\udc7f.wav", "\ud83d", "/" * 40_000])
def test_impossible_paths_are_invalid(path, windows):
    assert spelling_kind_of(path, windows=windows) == "path_invalid"


def test_bytes_that_are_no_utf8_are_possible_on_posix_alone():
    assert spelling_kind_of("C:\\\udcff.wav", windows=True) == "path_invalid"
    check_spelling("/\udcff.wav", windows=False)


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


# What a path leads to


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        (r"\\server\share\a.wav", "path_unc"),
        (r"\\?\UNC\server\share\a.wav", "path_unc"),
        (r"\\?\unc\server\share\a.wav", "path_unc"),
        (r"\\?\Volume{12345678-0000-0000-0000-100000000000}\a.wav", "path_unc"),
        (r"\\?\GLOBALROOT\Device\Mup\server\share\a.wav", "path_unc"),
        (r"\\.\pipe\audio", "path_unc"),
        (r"\??\UNC\server\share\a.wav", "path_unc"),
        (r"\\?\C:\audio\NUL", "path_device"),
        (r"C:\audio\con.wav", "path_device"),
        (r"\\?\C:\a.wav:stream", "path_invalid"),
        (r"C:\a.wav:stream", "path_invalid"),
    ],
)
def test_what_leads_to_a_share_or_a_device_is_refused_on_windows(target, kind):
    assert target_kind_of(target) == kind


@pytest.mark.parametrize("target", ["C:\\a.wav", "\\\\?\\C:\\a.wav", "\\\\?\\z:\\" + "ü\\" * 300])
def test_what_leads_to_a_file_on_a_drive_is_accepted_on_windows(target):
    check_target("C:\\as sent.wav", target, None, windows=True)


@pytest.mark.parametrize("root", [r"C:\audio", r"\\?\C:\audio", r"c:\AUDIO", "C:\\"])
@pytest.mark.parametrize("target", [r"C:\audio\b\a.wav", r"\\?\C:\Audio\b\a.wav"])
def test_windows_finds_a_file_below_the_root_however_it_spells_both(target, root):
    check_target("C:\\as sent.wav", target, root, windows=True)


@pytest.mark.parametrize(
    "target", [r"C:\audio too\a.wav", r"\\?\D:\audio\a.wav", r"\\server\C:\audio\a.wav"]
)
def test_windows_finds_no_file_outside_of_the_root(target):
    assert target_kind_of(target, r"C:\audio") == "path_outside_root"


def test_a_root_on_a_share_makes_no_share_allowed():
    share = r"\\server\share\audio"
    assert target_kind_of(rf"{share}\a.wav", share) == "path_unc"


def test_posix_asks_only_whether_a_file_lies_below_the_root():
    check_target("/a.wav", "/audio/dev/NUL", "/audio", windows=False)
    assert target_kind_of("/audio too/a.wav", "/audio", windows=False) == "path_outside_root"
    assert target_kind_of("/Audio/a.wav", "/audio", windows=False) == "path_outside_root"


# Length


DEEP = "\\".join(["folder"] * 40)


@pytest.mark.parametrize(
    ("path", "read"),
    [
        (rf"C:\{DEEP}\a.wav", rf"\\?\C:\{DEEP}\a.wav"),
        (rf"c:/{DEEP}/b\..\.\a.wav".replace("folder\\", "folder/"), rf"\\?\c:\{DEEP}\a.wav"),
        # Short enough, or beginning in another way.
        (r"C:\b\..\a.wav", r"C:\b\..\a.wav"),
        (rf"\\?\C:\{DEEP}\a.wav", rf"\\?\C:\{DEEP}\a.wav"),
        (rf"\\server\share\{DEEP}", rf"\\server\share\{DEEP}"),
        (DEEP, DEEP),
    ],
)
def test_windows_reads_paths_of_any_length_on_drives(path, read):
    assert of_any_length(path, windows=True) == read
    assert of_any_length(path, windows=False) == path


def test_the_longest_path_that_windows_reads_as_it_is():
    path = "C:\\" + "a" * 256
    assert of_any_length(path, windows=True) == path
    assert of_any_length(path + "a", windows=True) == rf"\\?\{path}a"
