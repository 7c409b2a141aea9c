"""How long ``identify`` takes, and what the gallery holds in memory, with many people.

python tests/measure_gallery.py 100000    on one core: begin it with taskset -c 0
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import psutil
from unit.gallery_voices import DIM, MODEL, PlainCalibration, Speaker, enrol, identify

from protocol.gallery_params import PeopleParams
from sidecar.people.gallery import Gallery
from sidecar.people.records import Person, Print, new_id
from sidecar.scores.calibration import find_calibration

_PAGE = 2000


def main() -> None:
    """See the top."""
    n_people = int(sys.argv[1])
    fingerprint = sys.argv[2] if len(sys.argv) > 2 else MODEL
    calibration = find_calibration(fingerprint) or PlainCalibration()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "people.db"
        gallery = Gallery(file, fingerprint, DIM, calibration)
        _fill(gallery, n_people, fingerprint)
        gallery.close()
        print(f"{n_people} people, {type(calibration).__name__}")
        print(f"file: {file.stat().st_size / 2**20:.0f} MiB")

        before = psutil.Process().memory_info().rss
        gallery, took_s = _timed(lambda: Gallery(file, fingerprint, DIM, calibration))
        grown = psutil.Process().memory_info().rss - before
        print(f"open: {took_s:.2f} s, {grown / 2**20:.0f} MiB more resident")

        anna = Speaker(1)
        times = [
            _timed(lambda: enrol(gallery, "Anna", anna.says(model=fingerprint)))[1]
            for _ in range(20)
        ]
        print(f"enroll: {_milliseconds(times)}")
        times = [
            _timed(lambda: identify(gallery, anna.says(model=fingerprint)))[1] for _ in range(100)
        ]
        print(f"identify: {_milliseconds(times)}")
        print(
            f"a page of people: {1000 * _timed(lambda: gallery.people(PeopleParams()))[1]:.1f} ms"
        )
        person = gallery.people(PeopleParams()).people[5].id
        print(f"forget_person: {_timed(lambda: gallery.forget(person))[1]:.2f} s")
        _, took_s = _timed(lambda: identify(gallery, anna.says(model=fingerprint)))
        print(f"identify after it (the prints are read anew): {took_s:.2f} s")
        gallery.close()
    print(f"peak: {_peak_mib()}")


def _fill(gallery, n_people, fingerprint):
    """As ``enroll`` would, without a transaction for each."""
    chance = np.random.default_rng(0)
    for first in range(0, n_people, _PAGE):
        with gallery._file.writing() as revision:
            totals = chance.standard_normal((min(_PAGE, n_people - first), DIM))
            totals *= 5 / np.linalg.norm(totals, axis=1, keepdims=True)
            for number, total in enumerate(totals.astype(np.float32), first):
                person = Person(new_id(), f"person {number}", 0, 0)
                gallery._records.keep_person(person)
                kept = Print(fingerprint, total, 5.0, 0, 0, audios=1, person=person.number)
                gallery._records.keep_print(kept, revision)


def _timed(call: Callable[[], object]):
    began = time.perf_counter()
    result = call()
    return result, time.perf_counter() - began


def _milliseconds(times: list[float]) -> str:
    ordered = sorted(1000 * time for time in times)
    return (
        f"median {statistics.median(ordered):.1f} ms, "
        f"95 % within {ordered[int(0.95 * len(ordered))]:.1f} ms"
    )


def _peak_mib() -> str:
    if sys.platform == "win32":
        return f"{psutil.Process().memory_info().peak_wset / 2**20:.0f} MiB"
    import resource

    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10:.0f} MiB resident"


if __name__ == "__main__":
    main()
