"""The audios of a list of trials, each embedded once by a sidecar, and the trials with cosines."""

from __future__ import annotations

import argparse
import concurrent.futures
import importlib.util
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from protocol.params import EmbedParams, RequestId, SpeechUse
from protocol.python import RemoteError
from protocol.python.embedding import as_audio
from sidecar.config import DEFAULT_MODEL, DEVICE_PATTERN, EXIT_UNAVAILABLE, EXIT_USAGE
from sidecar.scores.calibration import Calibration
from sidecar.scores.measures import Floats
from sidecar.scores.trials import Trials
from sidecar.serve_options import add_models_dir
from sidecar.tools.console import ProgressLine, Refusal, complain
from sidecar.tools.started_sidecar import POLL_S, started_sidecar
from sidecar.tools.trial_list import ListedTrial, read_trials

# Enough for the sidecar to decode some while it embeds another.
_IN_FLIGHT = 8

Result = dict[str, Any]
Send = Callable[[EmbedParams], tuple[RequestId, Future[Result]]]


@dataclass(frozen=True, eq=False)
class HeardTrials:
    """Trials with cosines for scores, the seconds of speech on both sides, and what was left out.

    Attributes:
        n_skipped: how many trials had an audio without an embedding.
        refused: each such audio, and why.
        n_mislabelled: how many trials of two people have audios that other trials tie to one.
    """

    trials: Trials
    speech_s_a: Floats
    speech_s_b: Floats
    fingerprint: str
    n_audios: int
    n_skipped: int
    refused: dict[Path, str]
    n_mislabelled: int

    def where(self, chosen: NDArray[np.bool_]) -> HeardTrials:
        """Only the chosen trials, shape (n_trials,)."""
        return replace(
            self,
            trials=self.trials.where(chosen),
            speech_s_a=self.speech_s_a[chosen],
            speech_s_b=self.speech_s_b[chosen],
        )

    def calibrated(self, calibration: Calibration) -> Trials:
        """The trials with likelihood ratios for scores."""
        llrs = calibration.llrs(self.trials.scores, self.speech_s_a, self.speech_s_b)
        return replace(self.trials, scores=llrs)


def about(heard: HeardTrials) -> Iterator[tuple[str | Text, str]]:
    """What was heard, and what was left out."""
    trials, warning = heard.trials, Text("WARNING", style="yellow")
    n_targets = int(trials.is_target.sum())
    yield "trials", f"{n_targets:,} of one person, {len(trials.is_target) - n_targets:,} of two"
    yield "speakers", f"{trials.n_speakers:,}, as far as the trials of one person tell"
    yield "audios", f"{heard.n_audios:,}"
    if heard.n_skipped:
        n_bad = len(heard.refused)
        yield warning, f"trials left out: {heard.n_skipped:,}, as audios were refused: {n_bad:,}"
    if heard.n_mislabelled:
        of_two = f"{heard.n_mislabelled:,} trials of two people have audios that others"
        yield warning, f"{of_two} tie to one person: some labels are wrong"


def add_arguments(parser: argparse.ArgumentParser, *, is_required: bool = True) -> None:
    """Add the list of trials, and what its audios are embedded with, to ``parser``."""
    add = parser.add_argument
    trials = "text with 'LABEL A B' lines, CSV or JSON lines with a, b and same; see docs/scores.md"
    root = "where relative paths in it begin; default: its own folder"
    speech = "what of an audio is embedded; default: %(default)s, its speech alone"
    n_lists = None if is_required else "?"
    add("trials", nargs=n_lists, type=Path, metavar="TRIALS", help=trials)
    add("--root", type=Path, metavar="DIR", help=root)
    add("--speech", choices=("auto", "all", "require"), default="auto", help=speech)
    add("--model", metavar="ID|DIR", help=f"default: {DEFAULT_MODEL}")
    add_models_dir(parser)
    add("--offline", action="store_true", help="never use the network")
    add("--device", default="auto", metavar="auto|cpu|cuda|cuda:N", help="default: %(default)s")
    corpus = "embed nothing: what corpus embed has written has it; a path in TRIALS may be an id"
    add("--corpus", metavar="OUT", help=corpus)


def hear(options: argparse.Namespace, progress: ProgressLine) -> HeardTrials:
    """Embed what the list names, or look it up in ``--corpus``, and score its trials.

    Raises:
        Refusal: the list or the data set cannot be used, the sidecar does not start or dies, or too
            little of the audio can be embedded for trials of both kinds.
    """
    if not DEVICE_PATTERN.fullmatch(options.device):
        raise Refusal(f"--device {options.device}: must be auto, cpu, cuda or cuda:N", EXIT_USAGE)
    listed = read_trials(options.trials, options.root)
    paths = list(dict.fromkeys(path for trial in listed for path in (trial.a, trial.b)))
    if options.corpus is None:
        heard = _embedded(paths, options, progress)
    else:
        start = (options.root or options.trials.parent).expanduser().absolute()
        heard = _looked_up(paths, start, options.corpus)
    refused = {path: one for path, one in heard.items() if isinstance(one, str)}
    for path, reason in refused.items():
        complain(f"{path}: {reason}")
    return score(
        listed, {path: one for path, one in heard.items() if not isinstance(one, str)}, refused
    )


def _embedded(
    paths: Sequence[Path], options: argparse.Namespace, progress: ProgressLine
) -> dict[Path, Result | str]:
    words = ["--model", options.model or DEFAULT_MODEL, "--device", options.device]
    if options.models_dir is not None:
        words += ["--models-dir", str(options.models_dir)]
    if options.offline:
        words.append("--offline")
    with started_sidecar(words, progress) as (client, _start):
        return embed_each(client.send, paths, options.speech, progress)


def _looked_up(paths: Sequence[Path], start: Path, place: str) -> dict[Path, Result | str]:
    """What a data set has of these paths, which may be ids below ``start``."""
    if importlib.util.find_spec("pyarrow") is None:
        how = "pip install 'speaker-sidecar[corpus]'"
        raise Refusal(f"for --corpus, pyarrow must be installed: {how}", EXIT_UNAVAILABLE)
    collection = importlib.import_module("sidecar.corpus.collection")
    names = {path: [str(path), _id_of(path, start)] for path in paths}
    try:
        results = collection.open_collection(place).results(
            name for either in names.values() for name in either
        )
    except collection.BadDataSet as error:
        raise Refusal(str(error), EXIT_USAGE) from error
    return {
        path: next((results[name] for name in either if name in results), f"it is not in {place}")
        for path, either in names.items()
    }


def _id_of(path: Path, start: Path) -> str:
    return path.relative_to(start).as_posix() if path.is_relative_to(start) else str(path)


def embed_each(
    send: Send,
    paths: Sequence[Path],
    speech: SpeechUse,
    progress: ProgressLine,
) -> dict[Path, Result | str]:
    """Each path's result of ``embed``, or why there is none."""
    heard: dict[Path, Result | str] = {}
    waiting: deque[tuple[Path, Future[Result]]] = deque()

    def take_first() -> None:
        path, future = waiting.popleft()
        while not future.done():  # on Windows, Ctrl-C is noticed between two waits
            concurrent.futures.wait([future], POLL_S)
        try:
            heard[path] = future.result()
        except RemoteError as error:
            heard[path] = error.message

    for number, path in enumerate(paths, start=1):
        progress.show("embedding", f"audio {number} of {len(paths)}")
        waiting.append((path, send(EmbedParams(as_audio(path), speech=speech))[1]))
        if len(waiting) == _IN_FLIGHT:
            take_first()
    while waiting:
        take_first()
    progress.clear()
    return heard


def score(
    listed: Sequence[ListedTrial], heard: dict[Path, Result], refused: dict[Path, str]
) -> HeardTrials:
    """The trials whose two audios were embedded.

    Who speaks is what the list itself says: audios that trials of one person tie together are one
    speaker's, and all others are speakers of their own.

    Raises:
        Refusal: there are no trials of one of the two kinds.
    """
    kept = [trial for trial in listed if trial.a in heard and trial.b in heard]
    if {trial.same for trial in kept} != {True, False}:
        why = next(iter(refused.values()))
        raise Refusal(f"too few audios could be embedded: {why}", EXIT_UNAVAILABLE)
    rows = {path: row for row, path in enumerate(heard)}
    embeddings = np.array([np.frombuffer(one["embedding"], "<f4") for one in heard.values()], float)
    speech_s = np.array([_speech_s(one) for one in heard.values()])
    a, b = (np.array([rows[getattr(trial, side)] for trial in kept]) for side in "ab")
    is_target = np.array([trial.same for trial in kept])
    speakers = _speakers(len(rows), a[is_target], b[is_target])
    trials = Trials(
        scores=np.einsum("ij,ij->i", embeddings[a], embeddings[b]),
        is_target=is_target,
        speakers_a=speakers[a],
        speakers_b=speakers[b],
        weights=np.ones(len(kept)),
    )
    return HeardTrials(
        trials=trials,
        speech_s_a=speech_s[a],
        speech_s_b=speech_s[b],
        fingerprint=next(iter(heard.values()))["fingerprint"],
        n_audios=len(heard),
        n_skipped=len(listed) - len(kept),
        refused=refused,
        n_mislabelled=int((~is_target & (speakers[a] == speakers[b])).sum()),
    )


def _speech_s(result: Result) -> float:
    """How much speech there was; where that is not known, how long the audio was."""
    known = (result.get("quality") or {}).get("speech_s")
    return float(result["duration_s"] if known is None else known)


def _speakers(n_audios: int, a: NDArray[np.intp], b: NDArray[np.intp]) -> NDArray[np.intp]:
    """A number for the speaker of each audio: those that pairs tie together have the same."""
    leaders = list(range(n_audios))

    def leader(audio: int) -> int:
        while leaders[audio] != audio:
            leaders[audio] = audio = leaders[leaders[audio]]
        return audio

    for one, other in zip(a.tolist(), b.tolist(), strict=True):
        leaders[leader(other)] = leader(one)
    return np.array([leader(audio) for audio in range(n_audios)])
