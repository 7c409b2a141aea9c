"""A network is loaded once, when it is first needed; where it cannot be had, that is told."""

from __future__ import annotations

import threading

import pytest

from protocol.errors import ModelUnavailable
from protocol.reports import Progress
from sidecar.engine.lazy_loader import RETRY_AFTER_S, LazyLoader

PATIENCE_S = 30


class Opening:
    """Opens what a test says next, when it says so."""

    def __init__(self):
        self.now = 0.0
        self.n_opened = 0
        self.may_go_on = threading.Event()
        self.outcomes = []
        self.is_fetched = False
        self.is_stopping = False
        self.changed = threading.Semaphore(0)
        self.loader = LazyLoader(self, lambda: self.is_stopping, "hears speech", lambda: self.now)
        self.loader.on_change = self.changed.release

    def __call__(self, before_fetch, should_stop, on_progress):
        self.n_opened += 1
        if self.is_fetched:
            before_fetch()
            on_progress(Progress("download", 1, 2, "bytes"))
        assert self.may_go_on.wait(PATIENCE_S)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def settle(self, *outcomes):
        self.outcomes += outcomes
        self.may_go_on.set()
        assert self.changed.acquire(timeout=PATIENCE_S)
        self.loader.join(PATIENCE_S)
        self.may_go_on.clear()


@pytest.fixture
def opening():
    return Opening()


def test_nothing_is_loaded_unasked(opening):
    assert opening.n_opened == 0
    assert not opening.loader.is_settled
    assert not opening.loader.is_loading


def test_it_is_loaded_once_whoever_asks(opening):
    for ask in (opening.loader.begin, opening.loader.need, opening.loader.begin):
        ask()
    assert opening.loader.is_loading
    assert opening.loader.network is None
    opening.settle("a detector")
    opening.loader.need()
    assert opening.loader.wait() == opening.loader.loaded() == "a detector"
    assert opening.n_opened == 1


def test_what_is_fetched_is_not_there_in_a_moment(opening):
    opening.is_fetched, told = True, []
    opening.loader.begin(told.append)
    assert opening.changed.acquire(timeout=PATIENCE_S)
    assert not opening.loader.is_loading
    assert not opening.loader.is_settled
    opening.settle("a detector")
    assert opening.loader.is_settled
    assert told == [Progress("download", 1, 2, "bytes")]


def test_a_failure_is_each_ones_own(opening):
    opening.loader.need()
    opening.settle(ModelUnavailable("not here", "offline", path="/a"))
    errors = []
    for ask in (opening.loader.loaded, opening.loader.wait):
        with pytest.raises(ModelUnavailable, match="not here") as caught:
            ask()
        errors.append(caught.value)
    assert errors[0] is not errors[1]
    assert {error.kind for error in errors} == {"offline"}
    assert errors[0].details == {"path": "/a"}


def test_who_needs_it_tries_again_after_a_while_and_others_do_not(opening):
    opening.loader.need()
    opening.settle(ModelUnavailable("no network", "download_failed"))
    opening.now = RETRY_AFTER_S - 0.1
    opening.loader.need()
    opening.now = RETRY_AFTER_S
    opening.loader.begin()
    assert opening.n_opened == 1
    opening.loader.need()
    opening.settle("a detector")
    assert opening.n_opened == 2
    assert opening.loader.loaded() == "a detector"


@pytest.mark.parametrize("fault", [ImportError("no such library"), ZeroDivisionError("a bug")])
def test_whatever_fails_only_those_fail_who_need_it(opening, fault, caplog):
    opening.loader.need()
    opening.settle(fault)
    with pytest.raises(ModelUnavailable, match=str(fault)):
        opening.loader.loaded()
    assert "the model that hears speech is not there" in caplog.text
    assert ("failed inside" in caplog.text) is isinstance(fault, ZeroDivisionError)


def test_an_end_is_no_failure_to_warn_of(opening, caplog):
    opening.is_stopping = True
    opening.loader.begin()
    opening.outcomes = [ModelUnavailable("stopped", "stopped")]
    opening.may_go_on.set()
    opening.loader.join(PATIENCE_S)
    # What waits for it goes on waiting: the end answers it.
    assert not opening.loader.is_settled
    assert not opening.changed.acquire(blocking=False)
    with pytest.raises(ModelUnavailable, match="stopped"):
        opening.loader.wait()
    assert caplog.text == ""
