"""One audio's turn at a decoder."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from protocol.errors import InternalError, OutOfMemory, SidecarError
from sidecar.audio.waveform import Decoded, Waveform
from sidecar.requests.jobs import Source, Stage

if TYPE_CHECKING:
    # It imports numpy, for which the reader does not wait.
    from sidecar.diarization.diarizing import Diarizing

_log = logging.getLogger(__name__)

# For how long one audio is decoded before others have their turn; less once a part is complete.
TURN_S = 0.05
_HANDOVER_S, _HANDOVER_SAMPLES = 0.005, 1_000_000


def decode_for_a_turn(
    source: Source, decoder: Diarizing, clock: Callable[[], float], steps: list[Decoded]
) -> SidecarError | None:
    """Decode ``source`` on, which this thread alone works on.

    Args:
        source: is begun, or goes on where its last turn ended. Once it is given up, the turn ends.
        decoder: begins it.
        clock: gives seconds, such as ``time.perf_counter``.
        steps: what the turn brings is added here.

    Returns:
        The error that ended it, if one did.
    """
    try:
        _take_turn(source, decoder, clock, steps)
    except SidecarError as error:
        # Tracebacks hold the audio, and the source, whose error this becomes: a cycle.
        error.__cause__ = error.__context__ = None
        return error.with_traceback(None)
    except MemoryError:
        _log.warning("there is too little memory to decode an audio")  # no traceback: it holds it
        return OutOfMemory("there is too little memory to decode this audio: send a shorter one")
    except Exception:  # noqa: BLE001 - one request fails, whatever it is; the process goes on
        # Decoding keeps no state between audios, so the next one is not in danger.
        _log.exception("decoding failed in a way that it should not")
        return InternalError("decoding this audio failed inside; the log has the cause")
    return None


def _take_turn(
    source: Source, decoder: Diarizing, clock: Callable[[], float], steps: list[Decoded]
) -> None:
    # A request that was answered meanwhile is not decoded any further.
    def is_given_up() -> bool:
        return source.stage is not Stage.WORKED_ON

    decoding = source.steps
    if decoding is None:
        decoding = decoder.decode(source.audio, source.job.params, is_given_up)
        source.steps = decoding
    started_at, n_samples = clock(), 0
    for step in decoding:
        steps.append(step)
        source.step_started_at = now = clock()
        if step.part is not None and isinstance(step.part.waveform, Waveform):
            n_samples += step.part.waveform.n_samples
        turn_s = _HANDOVER_S if n_samples else TURN_S
        if now - started_at >= turn_s or n_samples >= _HANDOVER_SAMPLES or step.is_last:
            break
        # The device need not wait for what is told of it, nor this thread for something else.
        if (step.is_cut and n_samples) or step.until is not None:
            break
    if steps[-1].is_last or is_given_up():
        decoding.close()
        source.steps = None
