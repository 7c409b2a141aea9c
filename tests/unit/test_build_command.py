"""``packaging/build.py`` as it is started: what it prints, and its exit code."""

from __future__ import annotations

import io
import sys


def test_a_folder_whose_name_the_output_has_no_letters_for(load_script, monkeypatch):
    build = load_script("build")
    output = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(output, encoding="cp1252"))
    monkeypatch.setattr(build, "_build", lambda options: print(options.dist))
    assert build.main(["--edition", "cpu", "--dist", "für 说话人"]) == 0
    sys.stdout.flush()
    assert output.getvalue().strip() == b"f\xfcr \\u8bf4\\u8bdd\\u4eba"
