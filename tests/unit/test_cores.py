from __future__ import annotations

import os
import sys
import threading

import pytest

from sidecar.hardware.cores import _core_of, make_way_for

PATIENCE_S = 30
TRIES = 10

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="cores are Linux's to choose")


@pytest.fixture
def other():
    """A thread that ran on one core, and rests now; that core."""
    core = min(os.sched_getaffinity(0))
    is_there, may_end = threading.Event(), threading.Event()

    def run():
        os.sched_setaffinity(0, {core})
        is_there.set()
        may_end.wait(PATIENCE_S)

    thread = threading.Thread(target=run)
    thread.start()
    assert is_there.wait(PATIENCE_S)
    yield thread, core
    may_end.set()
    thread.join()


@pytest.fixture
def cores():
    cores = os.sched_getaffinity(0)
    yield cores
    os.sched_setaffinity(0, cores)


def own_core():
    return _core_of(threading.get_native_id())


def test_it_leaves_the_core_of_the_other_and_may_run_anywhere(other, cores):
    if len(cores) < 2:
        pytest.skip("it needs two cores")
    thread, core = other
    n_left = 0
    for _ in range(TRIES):
        os.sched_setaffinity(0, {core})
        os.sched_setaffinity(0, cores)
        make_way_for(thread, has_begun=True)
        n_left += own_core() != core
        assert os.sched_getaffinity(0) == cores
    # The system may move it back at any time.
    assert n_left > TRIES / 2


def test_with_one_core_it_stays(other, cores):
    thread, core = other
    os.sched_setaffinity(0, {core})
    make_way_for(thread, has_begun=True)
    assert os.sched_getaffinity(0) == {core}


def test_another_one_that_has_ended_or_not_started_is_none():
    make_way_for(threading.Thread(), has_begun=True)
    ended = threading.Thread()
    ended.start()
    ended.join()
    make_way_for(ended, has_begun=True)
