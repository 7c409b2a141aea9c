"""What a run on Ray gives each actor, without starting Ray."""

from __future__ import annotations

import pytest

from sidecar.config import Config

pytest.importorskip("ray", reason="ray, of the extra [corpus], not installed")


@pytest.mark.parametrize("n_threads", [1, 3])
def test_an_actor_runs_as_many_threads_as_ray_sets_cores_aside_for(n_threads):
    from sidecar.corpus.run import Work

    work = Work(Config(device="cpu"), "auto", "f", n_threads=n_threads)
    assert work.actor_config.threads == work.n_threads == n_threads


def test_an_actor_has_one_thread_unless_it_is_told():
    from sidecar.corpus.run import Work

    assert Work(Config(device="cpu"), "auto", "f").actor_config.threads == 1
