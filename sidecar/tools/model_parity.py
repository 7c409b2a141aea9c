"""The part of ``models verify`` that asks SpeechBrain whether an ECAPA-TDNN computes as it does."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from protocol.errors import ModelUnavailable


@dataclass(frozen=True, slots=True)
class ParityCheck:
    """What came of it; ``passed`` is None where it could not be asked."""

    folder: str
    passed: bool | None
    text: str
    figures: dict[str, float]


def check_parity(folder: Path) -> ParityCheck:
    """Compare the checkpoint in ``folder`` on 20 utterances: about half a minute of work.

    SpeechBrain carries out what the folder's hyperparams.yaml says: check only a folder that is
    pinned by hash, or your own.
    """
    try:
        from sidecar.networks.speechbrain_parity import compare_with_speechbrain  # noqa: PLC0415

        report = compare_with_speechbrain(folder)
    except ImportError as error:
        return ParityCheck(str(folder), None, f"SpeechBrain cannot be imported: {error}", {})
    except (ModelUnavailable, OSError, KeyError, ValueError) as error:
        text = f"SpeechBrain cannot load this folder: {type(error).__name__}: {error}"
        return ParityCheck(str(folder), None, text, {})
    text = (
        f"{'agrees' if report.passed else 'DISAGREES'} with SpeechBrain on "
        f"{report.n_utterances} utterances: cosine at least {report.min_cosine:.8f}, "
        f"{report.min_centred_cosine:.8f} about the mean; features within "
        f"{report.max_difference_db:.1e} dB, {report.max_faint_difference_db:.1e} dB in faint bands"
    )
    return ParityCheck(str(folder), report.passed, text, dataclasses.asdict(report))
