"""The harness as a command: its options, what it prints, its exit codes."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

import pytest

from sidecar.__main__ import main, split_command
from sidecar.tools import harness
from sidecar.tools.harness.report import as_json

# A child in a line: it says hello, says it is ready, answers every request, and ends with argv[1].
CHILD = """
import struct, sys, msgpack
def say(message):
    payload = msgpack.packb({"jsonrpc": "2.0", **message})
    sys.stdout.buffer.write(struct.pack("<I", len(payload)) + payload)
    sys.stdout.buffer.flush()
say({"method": "hello", "params": {"protocol": 1}})
say({"method": "health", "params": {"state": "ready"}})
while header := sys.stdin.buffer.read(4):
    message = msgpack.unpackb(sys.stdin.buffer.read(*struct.unpack("<I", header)))
    say({"id": message["id"], "result": {"embedding": bytes(768), "number": 4}})
sys.exit(int(sys.argv[1]))
"""
AUDIO = {"tone": {"duration_s": 0.1}}


def options(*arguments, child_argv=()):
    parser = argparse.ArgumentParser()
    harness.add_arguments(parser)
    parsed = parser.parse_args(list(map(str, arguments)))
    parsed.child_argv = list(child_argv)
    return parsed


@pytest.fixture
def play(tmp_path):
    """Runs the command on entries: its exit code."""

    def run(entries, *arguments, exit_code=0):
        path = tmp_path / "file.json"
        path.write_text(entries if isinstance(entries, str) else json.dumps(entries), "utf-8")
        argv = [sys.executable, "-c", CHILD, str(exit_code)]
        return harness.run(options(path, *arguments, child_argv=argv))

    return run


def test_each_message_is_a_line_of_json(play, capsys):
    assert play({"method": "embed", "params": {"audio": AUDIO}}) == 0
    *messages, verdict, summary = capsys.readouterr().out.splitlines()
    hello, ready, sent, received = map(json.loads, messages)
    assert hello["received"]["method"] == "hello"
    assert ready["received"]["params"]["state"] == "ready"
    assert sent["sent"]["params"]["audio"]["pcm"]["n_bytes"] == 6400
    assert sent["entry"] == received["entry"] == 1
    assert received["received"]["result"]["embedding"] == {
        "$bin": "AAAAAAAAAAAAAAAA...",
        "n_bytes": 768,
    }
    assert received["took_ms"] >= 0
    assert hello["at_ms"] <= sent["at_ms"] <= received["at_ms"]
    assert verdict.startswith("ok     #1 embed (")
    assert summary.startswith("1 of 1 entries as expected; ")


def test_full_shows_bins_whole(play, capsys):
    play({"method": "embed"}, "--full")
    *_, received, _, _ = capsys.readouterr().out.splitlines()
    assert len(json.loads(received)["received"]["result"]["embedding"]["$bin"]) == 1024


def test_a_difference_is_told_with_its_place(play, capsys):
    entries = [
        {"name": "good", "method": "embed"},
        {"name": "bad", "method": "embed", "expect": {"result": {"number": 5}}},
    ]
    assert play(entries, "--quiet") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ok     #1 good")
    assert lines[1].startswith("FAILED #2 bad")
    assert lines[1].endswith("file.json: [1]")
    assert lines[2] == "         result.number is 4, expected 5"
    assert lines[3].startswith("1 of 2 entries as expected; ")


def test_the_childs_exit_code_counts(play, capsys):
    assert play({"method": "embed"}, "--quiet", exit_code=3) == 1
    assert "FAILED the child ended with the exit code 3, expected 0" in capsys.readouterr().out


def test_a_bad_file_starts_nothing(play, capsys, tmp_path):
    assert play('{"method": "embed"') == 64
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"{tmp_path / 'file.json'}:1:19: Expecting ',' delimiter")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["/no/such/command"], "/no/such/command cannot be started"),
        ([sys.executable, "-c", "print('x' * 9)"], "is not of this protocol"),
        ([sys.executable, "-c", "print()"], "the child's output ends"),
        ([sys.executable, "-c", ""], "the child did not start: the child ended with the exit code"),
    ],
)
def test_a_child_that_does_not_start(tmp_path, capsys, argv, message):
    path = tmp_path / "file.json"
    path.write_text('{"method": "embed"}', "utf-8")
    assert harness.run(options(path, child_argv=argv)) == 69
    assert message in capsys.readouterr().err


def test_a_child_that_does_not_read_is_given_up(tmp_path, capsys):
    path = tmp_path / "file.json"
    raw = {"raw": {"$hex": "00", "repeat": 2**22}, "when": "now"}
    path.write_text(json.dumps([raw, {"method": "embed"}]), "utf-8")
    argv = [sys.executable, "-c", "import time; time.sleep(60)"]
    assert harness.run(options(path, "--timeout-s", "0.2", child_argv=argv)) == 69
    assert "did not serve within 0.2 s" in capsys.readouterr().err


@pytest.mark.posix("Windows has another error for it")
def test_a_pipe_that_nobody_reads_loses_the_output(tmp_path):
    path = tmp_path / "file.json"
    path.write_text(json.dumps([{"method": "embed"}] * 9), "utf-8")
    command = [sys.executable, "-m", "sidecar", "harness", str(path), "--"]
    command += [sys.executable, "-c", CHILD, "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 74


def test_examples_are_listed(capsys):
    assert harness.run(options("--examples")) == 0
    names = [line.replace("\\", "/").split("/")[-1] for line in capsys.readouterr().out.split()]
    assert names == [
        "diarize.json",
        "first_steps.json",
        "hostile.json",
        "in_flight.jsonl",
        "people.json",
        "segments.json",
        "streams.json",
        "windows.json",
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["f.json"], (["f.json"], [])),
        (["f.json", "--", "exe", "--x", "--", "y"], (["f.json"], ["exe", "--x", "--", "y"])),
        (["--jobs", "2", "f.json", "--"], (["--jobs", "2", "f.json"], [])),
    ],
)
def test_what_follows_two_dashes_is_the_command(arguments, expected):
    assert split_command(arguments) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["f", "--jobs", "0"],
        *(["f", f"--timeout-s={s}"] for s in ("soon", "nan", "inf", "-1", "0", "86401")),
    ],
)
def test_bad_options(arguments, capsys):
    with pytest.raises(SystemExit):
        options(*arguments)


def test_what_has_no_json_form_is_shown_as_a_file_would_write_it():
    shown = as_json({"a": [b"\x01", float("inf"), float("nan"), 1]}, is_full=False)
    assert shown == {"a": [{"$bin": "AQ=="}, {"$float": "inf"}, {"$float": "nan"}, 1]}


def test_the_help_explains_the_file():
    command = [sys.executable, "-m", "sidecar", "harness", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert (harness.command.EXAMPLES / "README.txt").read_text("utf-8") in text
    assert "FILE [-- COMMAND ...]" in text


def test_only_the_harness_takes_a_command(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["doctor", "--", "exe"])
    assert caught.value.code == 64
    assert "doctor takes no command behind --" in capsys.readouterr().err
