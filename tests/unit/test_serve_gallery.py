"""The option ``--gallery``."""

from __future__ import annotations

import pytest

from sidecar.config import EXIT_USAGE
from sidecar.serve_options import parse_serve_options


def test_people_are_in_memory_unless_a_file_is_named(tmp_path, monkeypatch):
    assert parse_serve_options([]).gallery is None
    monkeypatch.chdir(tmp_path)
    assert parse_serve_options(["--gallery", "people.db"]).gallery == tmp_path / "people.db"


@pytest.mark.parametrize("name", ["", ".", "nowhere/people.db"])
def test_what_can_be_no_file_is_refused(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as refused:
        parse_serve_options(["--gallery", name])
    assert refused.value.code == EXIT_USAGE
    assert "--gallery" in capsys.readouterr().err
