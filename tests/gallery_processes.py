"""A process that enrols people until it is killed, and what must then be in its gallery.

python tests/killed_gallery.py 200    kills it so often, at random, and says what was found
"""

from __future__ import annotations

import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from protocol.gallery_params import EnrollParams, PeopleParams
from protocol.params import PcmAudio
from sidecar.people.gallery import Gallery
from sidecar.people.voices import Voice

MODEL = "made.0123456789abcdef"
DIM = 192
AUDIO = PcmAudio(b"", "f32le", 16_000, 1)


def enrol_for_ever(file: Path, seed: int) -> None:
    """Tell what is done: the person's id, and how many audios they have now; 0: forgotten.

    Before somebody is forgotten, the id and "?".
    """
    gallery = Gallery(file, MODEL, DIM, None)
    chance = np.random.default_rng(seed)
    people: list[tuple[str, np.ndarray, int]] = []
    print("open", flush=True)
    while True:
        choice = chance.random()
        if people and choice < 0.05:
            person, _, _ = people.pop(int(chance.integers(len(people))))
            print(person, "?", flush=True)
            gallery.forget(person)
            print(person, 0, flush=True)
            continue
        if people and choice < 0.5:
            number = int(chance.integers(len(people)))
            person, direction, n_audios = people[number]
            params = EnrollParams(id=person, audio=AUDIO)
        else:
            number, direction, n_audios = len(people), chance.standard_normal(DIM), 0
            params = EnrollParams(name=f"person {chance.integers(10**15):015d}", audio=AUDIO)
        embedding = (direction + 0.3 * chance.standard_normal(DIM)).astype(np.float32)
        told = gallery.enroll(params, [Voice(embedding, 3.0, MODEL)], None)
        people[number : number + 1] = [(told.id, direction, n_audios + 1)]
        print(told.id, n_audios + 1, flush=True)


def enrol_often(file: Path, seed: int, n_audios: int, person: str | None = None) -> None:
    """So many audios of a new person, and as many of ``person``; prints "done"."""
    chance = np.random.default_rng(seed)
    gallery = Gallery(file, MODEL, DIM, None)
    own = None
    for _ in range(n_audios):
        for params in (
            EnrollParams(name="new" if own is None else None, id=own, audio=AUDIO),
            EnrollParams(id=person, audio=AUDIO) if person else None,
        ):
            if params is not None:
                # All sound alike, so that each person has one print.
                embedding = (1 + 0.3 * chance.standard_normal(DIM)).astype(np.float32)
                told = gallery.enroll(params, [Voice(embedding, 3.0, MODEL)], None)
                own = own or told.id
    gallery.close()
    print("done", flush=True)


def run_together(file: Path, n_processes: int, n_audios: int, person: str | None = None) -> None:
    """Have so many processes do ``enrol_often`` at once; each must end well."""
    children = [
        subprocess.Popen(
            [sys.executable, __file__, str(file), str(seed), str(n_audios), person or ""],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in range(n_processes)
    ]
    for child in children:
        told, failed = child.communicate()
        assert (told, failed) == ("done\n", ""), failed


def kill_while_it_enrols(file: Path, seed: int) -> tuple[int, int]:
    """Start it on ``file``, kill it within 0.3 s, and compare; how many were told and are there.

    Raises ``AssertionError`` where the gallery does not hold what was told, and at most one more,
    or where anything is left of somebody who was forgotten.
    """
    before = audios_in(file) if file.exists() else {}
    child = subprocess.Popen(
        [sys.executable, __file__, str(file), str(seed)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    with child.stdout as told_by_it:
        assert told_by_it.readline() == "open\n"
        killer = threading.Timer(random.Random(seed).uniform(0, 0.3), child.kill)
        killer.start()
        lines = told_by_it.read().split("\n")
    killer.join()
    child.wait()
    told, going = dict(before), set()
    for line in lines[:-1]:  # what follows the last end of a line was cut off
        person, n_audios = line.split()
        if n_audios == "?":
            going.add(person)
        else:
            told[person] = int(n_audios)
    there = {person: n_audios for person, n_audios in told.items() if n_audios}
    found = audios_in(file)
    lost = {person for person, n_audios in there.items() if found.get(person, 0) < n_audios}
    assert lost <= going, f"{len(lost - going)} that were told are not there"
    assert not [person for person in found if told.get(person) == 0], "forgotten ones are there"
    surplus = sum(found.values()) - sum(there[person] for person in there if person not in lost)
    assert 0 <= surplus <= 1, f"{surplus} are there that nobody was told of"
    names = set(re.findall(rb"person \d{15}", _bytes_of(file)))
    assert len(names) == len(found), "names of forgotten ones are in the file"
    return sum(not line.endswith("?") for line in lines[:-1]), surplus


def _bytes_of(file: Path) -> bytes:
    return b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*"))


def audios_in(file: Path) -> dict[str, int]:
    """How many audios of each person are there, as the gallery tells it; the file must be sound."""
    gallery = Gallery(file, MODEL, DIM, None)
    audios: dict[str, int] = {}
    after = None
    while True:
        page = gallery.people(PeopleParams(after))
        for person in page.people:
            kept = gallery.person(person.id).prints
            audios[person.id] = sum(one.audios for one in kept)
        after = page.next
        if after is None:
            break
    gallery.close()
    connection = sqlite3.connect(file)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
    return audios


def main() -> None:
    """See the top."""
    if len(sys.argv) == 5:
        file, seed, n_audios, person = sys.argv[1:]
        enrol_often(Path(file), int(seed), int(n_audios), person or None)
        return
    if len(sys.argv) == 3:
        enrol_for_ever(Path(sys.argv[1]), int(sys.argv[2]))
    n_kills, began = int(sys.argv[1]), time.perf_counter()
    n_told = n_surplus = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(n_kills):
            told, surplus = kill_while_it_enrols(Path(folder) / f"{seed // 10}.db", seed)
            n_told, n_surplus = n_told + told, n_surplus + surplus
    print(
        f"{n_kills} kills in {time.perf_counter() - began:.0f} s: {n_told} steps were acknowledged,"
        f" all are there; {n_surplus} more, which were on their way; no name of anybody forgotten;"
        " every gallery opened, and its integrity check says ok"
    )


if __name__ == "__main__":
    main()
