"""A pipeline whose stages are all one fake."""

from __future__ import annotations

import threading

from unit.decoded_audio import outcomes_of, steps_of

from protocol.errors import OutOfMemory
from sidecar.config import DEFAULT_LIMITS
from sidecar.engine.batch_limits import BatchLimits
from sidecar.requests.jobs import Job
from sidecar.requests.pipeline import Pipeline
from sidecar.requests.scheduler import Scheduler

PATIENCE_S = 30
LIMITS = BatchLimits(max_items=8, max_padded_samples=10**6, min_likeness=0.1)


class Stages:
    """Engine, decoder, encoder, outbox and lifecycle in one.

    Decodes n to a waveform of n samples; the device fits ``fits`` samples at a time.
    """

    batch_limits = LIMITS

    def __init__(self, scheduler, n_audios, fits=10**6):
        self.scheduler = scheduler
        self.fits = fits
        self.undecoded = threading.Semaphore(0)
        self.n_audios = n_audios
        self.answers = {}
        self.calls = []
        self.error = None
        self.asked, self.answer = [], "the gallery's answer"
        self.is_closed = False
        self.ended = threading.Event()

    def import_libraries(self):
        return self

    def libraries_imported(self):
        pass

    def open(self, on_progress, should_stop):
        for _ in range(self.n_audios):  # so that all are there for one batch
            assert self.undecoded.acquire(timeout=PATIENCE_S)
        return self

    def loading(self, progress):
        pass

    def serving(self, encoder):
        assert encoder is self

    def is_stopping(self):
        return False

    def decode(self, audio, params, is_given_up):
        self.undecoded.release()
        yield from steps_of(audio)

    def rest(self):
        pass

    def embed(self, waveforms):
        lengths = tuple(waveform.n_samples for waveform in waveforms)
        self.calls.append(lengths)
        if sum(lengths) > self.fits:
            raise OutOfMemory("too little memory")
        return [f"embedding of {n_samples}" for n_samples in lengths]

    def ask(self, job):
        self.asked.append(job.id)
        return self.answer

    def close(self):
        self.is_closed = True

    def finish(self, job):
        assert job.id not in self.answers
        self.answers[job.id] = outcomes_of(job)

    def failed(self, error):
        self.error = error
        self.ended.set()


def run(stages_type=Stages, audios=(100,), params=None, **options):
    scheduler = Scheduler(DEFAULT_LIMITS)
    stages = stages_type(scheduler, len(audios), **options)
    pipeline = Pipeline(scheduler, stages, stages, stages, stages)
    for number, audio in enumerate(audios):
        pipeline.admit(Job(number, params, 1, 0.0), [audio], retry_after_ms=1)
    pipeline.start()
    return pipeline, stages


def finish(pipeline):
    assert pipeline.wait_until_idle(PATIENCE_S)
    pipeline.stop(PATIENCE_S)
