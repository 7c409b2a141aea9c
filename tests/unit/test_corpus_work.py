"""What a run on Ray gives each actor."""

from __future__ import annotations

import pytest

from sidecar.config import Config
from sidecar.corpus.work import Work


@pytest.mark.parametrize("n_threads", [1, 3])
def test_an_actor_runs_as_many_threads_as_ray_sets_cores_aside_for(n_threads):
    work = Work(Config(device="cpu"), "auto", "f", n_threads=n_threads)
    assert work.actor_config.threads == work.n_threads == n_threads


def test_an_actor_has_one_thread_unless_it_is_told():
    assert Work(Config(device="cpu"), "auto", "f").actor_config.threads == 1
