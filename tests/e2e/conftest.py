"""One ready sidecar for all tests that leave it as it was, and new ones for the others."""

from __future__ import annotations

import contextlib

import pytest
from raw_host import RawHost


@pytest.fixture(scope="session")
def sidecar_argv(sidecar_argv):
    """The command under test, with one thread.

    OpenMP's threads spin while they wait: on a busy machine, two take ten times longer than one.
    """
    return [*sidecar_argv, "--threads", "1"]


@pytest.fixture
def start():
    """Starts children: ``start(argv, **arguments of RawHost)``; they are gone after the test."""
    with contextlib.ExitStack() as hosts:
        yield lambda argv, **options: hosts.enter_context(RawHost(argv, **options))


@pytest.fixture
def start_light(start, light_argv):
    """Starts light sidecars: ``start_light(*options, **environment)``."""
    return lambda *options, channel="pipe", **environment: start(
        [*light_argv, *options], environment=environment, channel=channel
    )


@pytest.fixture
def gate(tmp_path):
    """A file that is not there yet: a light sidecar waits for ``gate.touch()``."""
    return tmp_path / "gate"


@pytest.fixture(params=["light", "real"])
def any_argv(request):
    """The light sidecar, then the real one."""
    return request.getfixturevalue("light_argv" if request.param == "light" else "sidecar_argv")


@pytest.fixture(scope="session")
def ready_sidecar(sidecar_argv):
    """A real sidecar that is ready, and stays so: whoever uses it leaves nothing in flight."""
    with RawHost(sidecar_argv) as host:
        host.wait_for_state("ready", "degraded")
        yield host
        assert host.finish() == 0
