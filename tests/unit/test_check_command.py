"""``packaging/check.py``: its exit code, and what its last lines say."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture
def check(load_script, monkeypatch, capfd):
    """Runs it with two checks that exit with these codes: its own, and the lines it printed."""
    script = load_script("check")

    def exiting(code):
        return script.Check([sys.executable, "-c", f"raise SystemExit({code})"], f"exit {code}")

    def run(*arguments, codes):
        first, last = (exiting(code) for code in codes)
        monkeypatch.setattr(script, "lint_and_types", lambda: [first])
        monkeypatch.setattr(script, "tests", lambda _, fast: last)
        monkeypatch.setattr(script.shutil, "which", lambda _: None)
        return script.main(arguments), capfd.readouterr().out.splitlines()

    return run


def test_where_all_passes_the_last_line_says_what_was_left_out(check):
    exit_code, lines = check(codes=(0, 0))
    assert exit_code == 0
    assert lines[-1] == "SKIPPED the Node client's tests: npm is not installed"
    exit_code, lines = check("--fast", codes=(0, 0))
    assert exit_code == 0
    assert lines[-1].startswith("Left out because of --fast: the Node client's, the model and")


@pytest.mark.parametrize("arguments", [(), ("--fast",)])
@pytest.mark.parametrize(("codes", "n_run"), [((3, 0), 1), ((0, 3), 2)])
def test_the_last_line_names_the_check_that_failed(check, arguments, codes, n_run):
    exit_code, lines = check(*arguments, codes=codes)
    assert exit_code == 3
    assert lines[-1] == "FAILED: exit 3"
    assert sum(line.startswith("$ ") for line in lines) == n_run


def test_windows_runs_the_lane_alone(load_script, monkeypatch):
    script, ran = load_script("check"), []

    def run(check):
        ran.append(check.command[1:])
        return 5

    monkeypatch.setattr(script, "run", run)
    assert script.main(["--windows", "--whole"]) == 5
    assert ran == [["packaging/windows/lane.py", "--whole"]]


def test_bundle_builds_twice_compares_and_tests_the_first(load_script, monkeypatch):
    script, ran = load_script("check"), []

    def run(check):
        ran.append(check)
        return 0

    monkeypatch.setattr(script, "run", run)
    monkeypatch.setattr(script.shutil, "which", lambda _: None)
    assert script.main(["--bundle", "-k", "npm"]) == 0
    *builds, compared, tested = [list(check.command[1:]) for check in ran]
    one, other = (words[words.index("--dist") + 1] for words in builds)
    assert one != other
    assert [words[0] for words in builds] == ["packaging/build.py"] * 2
    assert compared == ["packaging/compare.py", one, other]
    assert tested == ["-m", "pytest", "tests/e2e", "-k", "npm"]
    assert f"{one}/speaker-sidecar-cpu" in ran[-1].variables["SIDECAR_ARGV"].replace("\\", "/")


def test_a_check_has_variables_of_its_own(load_script, capfd):
    script = load_script("check")
    code = "import os; raise SystemExit(os.environ['SIDECAR_ARGV'] != 'a program')"
    check = script.Check(
        [sys.executable, "-c", code], "it", variables={"SIDECAR_ARGV": "a program"}
    )
    assert script.run(check) == 0
    assert capfd.readouterr().out.startswith("$ it\n")
