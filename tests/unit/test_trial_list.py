from __future__ import annotations

import pytest

from sidecar.tools.console import Refusal
from sidecar.tools.trial_list import ListedTrial, read_trials

FORMS = {
    "voxceleb.txt": "1 a.wav sub/b.wav\n0 a.wav c.wav\n",
    "words.txt": "target a.wav sub/b.wav\n\nNONTARGET a.wav c.wav\r\n",
    "kaldi": "a.wav sub/b.wav target\na.wav c.wav nontarget\n",
    "form.csv": "a,b,same\na.wav,sub/b.wav,1\na.wav,c.wav,0\n",
    "more.CSV": "same,note,b,a\ntrue,x,sub/b.wav,a.wav\nFalse,,c.wav,a.wav\n",
    "form.jsonl": '{"a": "a.wav", "b": "sub/b.wav", "same": true}\n\n'
    '{"a": "a.wav", "b": "c.wav", "same": 0}\n',
    "marked.txt": "\ufeff1 a.wav sub/b.wav\n0 a.wav c.wav\n",
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_says_the_same(tmp_path, name):
    (tmp_path / name).write_text(FORMS[name], "utf-8")
    a, b, c = tmp_path / "a.wav", tmp_path / "sub" / "b.wav", tmp_path / "c.wav"
    assert read_trials(tmp_path / name) == [ListedTrial(a, b, True), ListedTrial(a, c, False)]


def test_paths_may_begin_elsewhere_and_absolute_ones_stay(tmp_path):
    absolute = tmp_path / "x.wav"
    (tmp_path / "t").write_text(f"1 a.wav {absolute}\n0 a.wav b.wav", "utf-8")
    [first, second] = read_trials(tmp_path / "t", tmp_path / "audio")
    assert first.a == second.a == tmp_path / "audio" / "a.wav"
    assert first.b == absolute


def test_names_with_spaces_stand_in_csv(tmp_path):
    (tmp_path / "t.csv").write_text('a,b,same\n"my, file.wav",b c.wav,1\nx,y,0\n', "utf-8")
    assert read_trials(tmp_path / "t.csv")[0].a == tmp_path / "my, file.wav"


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("t", "1 a b\nyes a b\n", "line 2 is neither 'LABEL A B' nor 'A B LABEL'"),
        ("t", "1 a b c\n", "line 1"),
        ("t.csv", "one,two,same\na,b,1\n", "line 2 has not a, b, and same"),
        ("t.csv", "a,b,same\na,b,1\na,b,2\n", "line 3"),
        ("t.jsonl", '{"a": "x", "b": "y"}\n', "line 1 has not"),
        ("t.jsonl", "[1]\n", "line 1 has not"),
        ("t.jsonl", "{\n", "cannot be used as trials"),
        ("t", "", "there is no trial of one person"),
        ("t", "1 a b\n", "there is no trial of two people"),
        ("t", "0 a b\n", "there is no trial of one person"),
    ],
)
def test_what_is_wrong_is_told(tmp_path, name, text, why):
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(Refusal, match=why) as refusal:
        read_trials(tmp_path / name)
    assert refusal.value.exit_code == 64


def test_a_missing_list_is_told(tmp_path):
    with pytest.raises(Refusal, match="cannot be used as trials"):
        read_trials(tmp_path / "none")
