"""The two networks, loaded once for all tests that leave them as they are, and their judge."""

from __future__ import annotations

import importlib
import sys

import pytest


@pytest.fixture(scope="module")
def one_thread():
    """OpenMP's threads spin while they wait: on a busy machine, two take longer than one."""
    import torch

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="session")
def ecapa_model(ecapa_folder):
    from sidecar.networks import ecapa

    return ecapa.load(ecapa_folder / "embedding_model.ckpt")


@pytest.fixture(scope="session")
def campplus_model(campplus_weights):
    from sidecar.networks import campplus

    return campplus.load(campplus_weights)


@pytest.fixture(scope="module", params=["ecapa", "campplus"])
def network(request):
    """One network's module after the other."""
    return importlib.import_module(f"sidecar.networks.{request.param}")


@pytest.fixture(scope="module")
def model(network, request):
    """The loaded model of ``network``."""
    return request.getfixturevalue(f"{network.__name__.rpartition('.')[2]}_model")


@pytest.fixture(scope="module")
def no_lazy_module_stays():
    """SpeechBrain's raise if anything looks at them, as hypothesis does at all that is imported."""
    yield
    for name, module in list(sys.modules.items()):
        if "Lazy" in type(module).__name__ or "Redirect" in type(module).__name__:
            del sys.modules[name]


@pytest.fixture(scope="module")
def speechbrain(ecapa_folder, no_lazy_module_stays):
    """SpeechBrain's own encoder on the same weights."""
    from sidecar.networks import speechbrain_parity

    try:
        return speechbrain_parity.speechbrain_encoder(ecapa_folder)
    except ImportError as error:
        pytest.skip(f"SpeechBrain, the judge, cannot be imported: {error}")
