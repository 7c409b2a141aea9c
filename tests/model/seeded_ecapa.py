"""A folder as SpeechBrain publishes its ECAPA-TDNN, with seeded random weights.

Freshly initialised weights would prove little: every BatchNorm is then near the identity, so that
a network without them has the same output, and all voices get nearly the same embedding. So each
BatchNorm here has a weight, bias, mean and variance of its own, its mean and variance near those
of what really reaches it, as training leaves them; then voices differ.

Run as a program with the name of a folder, it fills that folder.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from sidecar.networks import ecapa
from sidecar.networks.ecapa import EcapaTdnn

N_VOICES = 16
PHONE_SAMPLES = 1600

HYPERPARAMS = """\
n_mels: 80
pretrained_path: {pretrained_path}
out_n_neurons: 7205

compute_features: !new:speechbrain.lobes.features.Fbank
    n_mels: !ref <n_mels>

mean_var_norm: !new:speechbrain.processing.features.InputNormalization
    norm_type: sentence
    std_norm: False

embedding_model: !new:speechbrain.lobes.models.ECAPA_TDNN.ECAPA_TDNN
    input_size: !ref <n_mels>
    channels: [1024, 1024, 1024, 1024, 3072]
    kernel_sizes: [5, 3, 3, 3, 1]
    dilations: [1, 2, 3, 4, 1]
    attention_channels: 128
    lin_neurons: 192

classifier: !new:speechbrain.lobes.models.ECAPA_TDNN.Classifier
    input_size: 192
    out_neurons: !ref <out_n_neurons>

mean_var_norm_emb: !new:speechbrain.processing.features.InputNormalization
    norm_type: global
    std_norm: False

modules:
    compute_features: !ref <compute_features>
    mean_var_norm: !ref <mean_var_norm>
    embedding_model: !ref <embedding_model>
    mean_var_norm_emb: !ref <mean_var_norm_emb>
    classifier: !ref <classifier>

label_encoder: !new:speechbrain.dataio.encoder.CategoricalEncoder

pretrainer: !new:speechbrain.utils.parameter_transfer.Pretrainer
    loadables:
        embedding_model: !ref <embedding_model>
        mean_var_norm_emb: !ref <mean_var_norm_emb>
        classifier: !ref <classifier>
        label_encoder: !ref <label_encoder>
    paths:
        embedding_model: !ref <pretrained_path>/embedding_model.ckpt
        mean_var_norm_emb: !ref <pretrained_path>/mean_var_norm_emb.ckpt
        classifier: !ref <pretrained_path>/classifier.ckpt
        label_encoder: !ref <pretrained_path>/label_encoder.txt
"""


def write_checkpoint(folder: Path, seed: int = 0, pretrained_path: str | None = None) -> Path:
    """Fill ``folder`` with what embeddings need: weights, their statistics, hyperparameters.

    ``pretrained_path`` is what the hyperparameters name as the weights' place; without it, the
    folder itself (the published file names its repository). The classifier and its labels, which
    embeddings do not need, are left out. Returns the weights' path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "embedding_model.ckpt"
    torch.save(seeded_model(seed).network.state_dict(), weights)
    generator = torch.Generator().manual_seed(seed)
    statistics = {
        "count": N_VOICES,
        "glob_mean": torch.randn(ecapa.EMBEDDING_DIM, generator=generator),
        "glob_std": torch.ones(ecapa.EMBEDDING_DIM),
    }
    torch.save(statistics, folder / "mean_var_norm_emb.ckpt")
    hyperparams = HYPERPARAMS.format(pretrained_path=pretrained_path or folder.as_posix())
    (folder / "hyperparams.yaml").write_text(hyperparams, encoding="utf-8")
    return weights


def seeded_model(seed: int = 0) -> EcapaTdnn:
    """The network with random weights; torch's own generator is left as it was."""
    with torch.random.fork_rng(devices=()), torch.inference_mode():
        torch.manual_seed(seed)
        model = EcapaTdnn().eval()
        hooks = [
            module.register_forward_pre_hook(randomise)
            for module in model.modules()
            if isinstance(module, nn.BatchNorm1d)
        ]
        model(torch.stack([voice(seed, speaker) for speaker in range(N_VOICES)]))
        for hook in hooks:
            hook.remove()
    return model


def randomise(norm: nn.BatchNorm1d, inputs: tuple[Tensor]) -> None:
    """Give ``norm`` random parameters before its first input passes, fit for that input."""
    (x,) = inputs
    deviation, mean = torch.std_mean(x, dim=(0, 2))
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.copy_(mean + 0.2 * deviation * torch.randn_like(mean))
    norm.running_var.copy_((deviation.square() + 1e-6) * torch.empty_like(mean).uniform_(0.5, 2))
    norm.weight.copy_(torch.empty_like(mean).uniform_(0.5, 1.5))
    norm.bias.copy_(0.2 * torch.randn_like(mean))


def voice(seed: int, speaker: int, n_phones: int = 10) -> Tensor:
    """Someone speaking, 0.1 s a phone: pulses and breath through resonances that come and go."""
    random = np.random.default_rng((seed, speaker))
    pitch_hz, tract = random.uniform(80, 260), random.uniform(0.8, 1.25)
    seconds = np.arange(2 * PHONE_SAMPLES) / ecapa.SAMPLE_RATE_HZ
    fade = np.hanning(len(seconds))
    loudness_range = random.uniform(1, 3.5)  # decades
    speech = random.normal(0, 10**-loudness_range / 2, PHONE_SAMPLES * (n_phones + 1))
    for i in range(n_phones):
        pulses = np.diff(np.floor(pitch_hz * random.normal(1, 0.1) * seconds), prepend=0)
        breath = random.normal(0, random.uniform(0.01, 0.2), len(seconds))
        resonance = np.zeros(400)
        for lowest_hz, highest_hz in ((250, 900), (800, 2400), (2000, 3500), (3300, 7000)):
            formant_hz = tract * random.uniform(lowest_hz, highest_hz)
            ringing = np.exp(-seconds[:400] * random.uniform(150, 900))
            ringing *= np.cos(2 * np.pi * formant_hz * seconds[:400])
            resonance += 10 ** random.uniform(-1.5, 0) * ringing
        phone = np.convolve(pulses + breath, resonance)[: len(seconds)]
        phone *= fade * 10 ** -random.uniform(0, loudness_range)
        speech[i * PHONE_SAMPLES : (i + 2) * PHONE_SAMPLES] += phone
    return torch.from_numpy(0.1 * speech / speech.std()).float()


if __name__ == "__main__":
    print(write_checkpoint(Path(sys.argv[1])))
