"""The scheduler against a model of it under a fake clock: whatever happens, in whatever order.

Each job is finished exactly once, nothing is over a limit or overtaken, and nobody starves.
``SCHEDULER_EXAMPLES`` chooses how many interleavings.
"""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from mutations import number_from
from unit.decoded_audio import outcomes_of, steps_of

from protocol.errors import (
    BadAudio,
    Cancelled,
    DeadlineExceeded,
    DeviceError,
    Draining,
    Overloaded,
    UnknownPerson,
)
from protocol.gallery_params import PeopleParams
from protocol.hello import Limits
from sidecar.audio.waveform import Decoded
from sidecar.engine.batch_limits import BatchLimits
from sidecar.requests.jobs import Job, Lane, Stage
from sidecar.requests.questions import Desk
from sidecar.requests.scheduler import Scheduler

LIMITS = Limits(
    max_frame_bytes=1000,
    max_in_flight=12,
    max_batch_items=4,
    max_queued_bytes=200,
    max_windows=5,
    max_segments=5,
)
MAX_DECODED_BYTES = 4000
LENGTHS = st.sampled_from([40, 50, 90, 100, 100, 100, 200])
BATCH_LIMITS = st.builds(
    BatchLimits,
    max_items=st.integers(1, 5),
    max_padded_samples=st.sampled_from([0, 150, 400, 2000]),
    min_likeness=st.sampled_from([0.3, 0.8, 1.0]),
)


class AnyInterleaving(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.scheduler = Scheduler(LIMITS, MAX_DECODED_BYTES)
        self.now = 0.0
        self.next_id = 0
        self.open = {}
        self.finished = []
        self.decoding, self.running = [], []
        self.ready = []
        self.questions, self.asked = [], []
        self.found_at, self.n_found = {}, 0
        self.cancelled = set()
        self.is_draining = False
        self.n_live_in_a_row = 0
        self.put_at, self.n_puts = {}, 0
        self.calls, self.waits = [], {}

    def note(self, jobs):
        for done in jobs:
            assert self.open.pop(done.id) is done, "finished twice, or never admitted"
            self.finished.append(done.id)
            assert all(source.stage is Stage.DONE for source in done.sources)
            assert all(source.items or source.error is not None for source in done.sources)
            assert all(item.stage is Stage.DONE for item in done.items)
            assert all(item.outcome is not None for item in done.items)
            assert done.question in (None, Stage.DONE)
            has_answer = done.answer is not None or done.fault is not None
            assert done.question is None or has_answer, "a question came to nothing"
        self.ready = [item for item in self.ready if item.stage is Stage.WAITING]
        self.find_questions()

    def find_questions(self):
        """A question is asked once all items of its job are embedded, in that order."""
        self.questions = [job for job in self.questions if job.question is Stage.WAITING]
        found = [
            job
            for job in self.open.values()
            if job.question is Stage.WAITING
            and job not in self.questions
            and all(one.stage is Stage.DONE for one in (*job.sources, *job.items))
        ]
        self.n_found += 1
        self.found_at.update((job.id, self.n_found) for job in found)
        self.questions += found
        assert all(job.fault is None for job in self.questions), "asked although an item failed"

    # What hosts do

    @rule(n_items=st.integers(0, 4), n_bytes=st.integers(0, 60), wait=st.none() | st.integers(1, 9))
    def arrive(self, n_items, n_bytes, wait, *, asks=False):
        self.next_id += 1
        deadline_at = None if wait is None else self.now + wait
        params = PeopleParams() if asks or n_items == 0 else None
        job = Job(self.next_id, params, n_bytes, self.now, deadline_at)
        fits = (
            self.scheduler.n_in_flight + max(1, n_items) <= LIMITS.max_in_flight
            and self.scheduler.queued_bytes + n_bytes <= LIMITS.max_queued_bytes
        )
        audios = [f"audio {n}" for n in range(n_items)]
        if self.is_draining:
            with pytest.raises(Draining):
                self.scheduler.admit(job, audios)
        elif fits:
            self.scheduler.admit(job, audios)
            self.open[job.id] = job
            for source in job.sources:
                self.put(source)
            self.find_questions()
        else:
            with pytest.raises(Overloaded):
                self.scheduler.admit(job, audios)

    @rule(n_items=st.integers(0, 2), wait=st.none() | st.integers(1, 9))
    def a_question_arrives(self, n_items, wait):
        self.arrive(n_items=n_items, n_bytes=1, wait=wait, asks=True)

    @rule()
    def start_to_ask(self):
        waiting = list(self.questions)
        job, late = self.scheduler.next_question(Desk.LOOKUPS, self.now)
        self.note(late)
        in_time = [one for one in waiting if one.question is not Stage.DONE]
        assert (job in in_time) == bool(in_time)
        if job is not None:
            first_at = min(self.found_at[one.id] for one in in_time)
            assert self.found_at[job.id] == first_at, "another one came before"
            assert job.question is Stage.WORKED_ON
            assert job.id in self.open
            self.asked.append(job)

    @precondition(lambda self: self.asked)
    @rule(fails=st.booleans())
    def the_gallery_answers(self, fails):
        job = self.asked.pop(0)
        is_open = job.id in self.open
        answer = UnknownPerson("nobody") if fails else "somebody"
        finished = self.scheduler.answered(job, answer)
        assert finished == ([job] if is_open else [])
        self.note(finished)

    @rule(data=st.data())
    def cancel(self, data):
        job_id = data.draw(st.integers(1, max(1, self.next_id)))
        job = self.open.get(job_id)
        finished = self.scheduler.cancel(job_id)
        if job is not None:
            assert self.only_runs(job)
            self.cancelled.add(job_id)
        self.note(finished)

    def only_runs(self, job):
        runs = (Stage.WORKED_ON, Stage.DONE)
        is_embedding = any(item.stage is Stage.WORKED_ON for item in job.items)
        return (
            all(source.stage is Stage.DONE for source in job.sources)
            and all(item.stage in runs for item in job.items)
            and (is_embedding or job.question in (None, *runs))
        )

    # What the stages do

    @rule()
    def start_to_decode(self):
        source = self.next_undecoded()
        if source is not None:
            self.decoding.append(source)

    def next_undecoded(self):
        """The next audio; where enough is decoded: a begun one, if nothing else makes room."""
        waiting = self.undecoded()
        enough = {is_live: self.has_enough(is_live) for is_live in (True, False)}
        source = self.scheduler.next_undecoded(Lane.FILES, self.now)
        if source is None:
            assert all(enough[other.job.is_live] for other in waiting)
            stuck = [s for s in waiting if not self.ready and not self.decoding]
            assert not stuck, "nothing would ever make room"
        elif enough[source.job.is_live] and not source.is_cut:
            assert source.steps is not None, "another one was begun"
            assert not [i for i in self.ready if i.job.is_live == source.job.is_live]
            assert not [s for s in self.decoding if s.job.is_live == source.job.is_live]
        else:
            of_its_kind = [s for s in waiting if s.job.is_live == source.job.is_live]
            if enough[source.job.is_live]:  # what is only listened to goes on
                of_its_kind = [s for s in of_its_kind if s.is_cut]
            assert source is min(of_its_kind, key=self.put_at.get), "no turns are taken"
        if source is not None:
            source.steps = source.steps or self.steps()
        return source

    def put(self, source):
        self.put_at[source] = self.n_puts
        self.n_puts += 1

    def steps(self):
        while True:
            yield Decoded(None)

    def has_enough(self, is_live):
        n_bytes = sum(item.n_bytes for item in self.ready if item.job.is_live == is_live)
        held = sum(s.held_bytes for s in self.sources() if s.job.is_live == is_live)
        return n_bytes + held >= MAX_DECODED_BYTES

    def sources(self):
        return [source for job in self.open.values() for source in job.sources]

    def undecoded(self):
        return [source for source in self.sources() if source.stage is Stage.WAITING]

    @precondition(lambda self: self.decoding)
    @rule(
        data=st.data(),
        lengths=st.lists(LENGTHS, max_size=3),
        held_bytes=st.sampled_from([0, 0, 400, 2000, 5000]),
        is_last=st.booleans(),
    )
    def decoded(self, data, lengths, held_bytes, is_last):
        source = self.decoding.pop(data.draw(st.integers(0, len(self.decoding) - 1)))
        self.take_in(source, lengths, held_bytes, is_last=is_last or not lengths)

    def take_in(self, source, lengths, held_bytes=0, *, is_last=True):
        first = len(source.items)
        steps = steps_of(*lengths, is_last=False, first=first, held_bytes=held_bytes)
        if is_last and not (lengths or first):
            steps = steps_of(100, is_last=False)
        if is_last:
            steps.append(Decoded(None, is_last=True))
        self.put(source)
        self.note(self.scheduler.decoded(source, steps, self.now))
        self.ready += [
            item for item in source.items if item.stage is Stage.WAITING and item not in self.ready
        ]

    @rule(lengths=st.lists(LENGTHS, min_size=1, max_size=6), wait=st.none() | st.integers(1, 3))
    def a_crowd_arrives_and_is_decoded(self, lengths, wait):
        for _ in lengths:
            self.arrive(n_items=1, n_bytes=1, wait=wait)
        for length in lengths:
            source = self.next_undecoded()
            if source is not None:
                self.take_in(source, [length])

    @precondition(lambda self: self.decoding)
    @rule(data=st.data())
    def cannot_decode(self, data):
        source = self.decoding.pop(data.draw(st.integers(0, len(self.decoding) - 1)))
        self.note(self.scheduler.decoded(source, (), self.now))
        self.note(self.scheduler.failed(source, BadAudio("bad")))

    @initialize(limits=BATCH_LIMITS)
    def the_device(self, limits):
        self.scheduler.batch_limits = limits

    def whose_turn(self, waiting):
        """Live work's, but one call in four is long work's; that waits for no more than three."""
        live = [item for item in waiting if item.job.is_live]
        long = [item for item in waiting if not item.job.is_live]
        is_longs = bool(long) and (not live or self.n_live_in_a_row == 3)
        self.n_live_in_a_row = self.n_live_in_a_row + 1 if long and not is_longs else 0
        return long if is_longs else live

    @precondition(lambda self: not self.running)
    @rule()
    def start_to_run(self):
        waiting = list(self.ready)
        batch, late = self.scheduler.next_batch(self.now)
        self.note(late)
        still_in_time = [item for item in waiting if item.stage is not Stage.DONE]
        assert bool(batch) == bool(still_in_time)
        if not batch:
            return
        limits = self.scheduler.batch_limits
        assert len(set(batch)) == len(batch) <= limits.max_items
        longest = max(item.n_samples for item in batch)
        assert len(batch) == 1 or longest * len(batch) <= limits.max_padded_samples
        turn = self.whose_turn(still_in_time)
        of_its_job = [item for item in turn if item.job is batch[0].job or batch[0].job.is_live]
        assert batch[0] is min(of_its_job, key=lambda item: item.order), "the oldest waits on"
        assert set(batch) <= set(turn), "live and long work share a call"
        if not batch[0].job.is_live:
            self.calls.append(batch[0].job)
            self.note_fairness({item.job for item in turn})
        for item in batch:
            assert item.job.id in self.open
            assert item.job.id not in self.cancelled, "ran although it was cancelled"
            assert item.job.deadline_at is None or item.job.deadline_at > self.now
            overtaken = [
                other
                for other in turn
                if other not in batch
                and other.n_samples == item.n_samples
                and other.order < item.order
                and (item.job is other.job or item.job is not batch[0].job)
            ]
            assert not overtaken
        self.running = batch
        self.ready = [item for item in self.ready if item.stage is Stage.WAITING]

    def note_fairness(self, jobs):
        """No request of long work that has something ready waits for two calls of another one."""
        for job in list(self.waits):
            if job not in jobs:
                del self.waits[job]
        for job in jobs:
            calls = self.waits.setdefault(job, [])
            calls.append(self.calls[-1])
            if self.calls[-1] is job:
                self.waits[job] = []
            others = [other for other in self.waits[job] if other is not job]
            assert max((others.count(other) for other in set(others)), default=0) <= 2

    @precondition(lambda self: self.running)
    @rule(n_without=st.integers(0, 2))
    def complete(self, n_without):
        done, self.running = self.running, []
        outcomes = [BadAudio("not finite")] * n_without + ["embedding"] * len(done)
        self.note(self.scheduler.completed(done, outcomes[: len(done)], self.now))

    @precondition(lambda self: len(self.running) > 1)
    @rule()
    def complete_a_half(self):
        middle = len(self.running) // 2
        done, self.running = self.running[:middle], self.running[middle:]
        self.note(self.scheduler.completed(done, ["embedding"] * len(done), self.now))

    # What passes and ends

    @rule(seconds=st.integers(1, 4))
    def time_passes(self, seconds):
        self.now += seconds
        late = self.scheduler.expire(self.now)
        for job in late:
            assert job.deadline_at <= self.now
            outcomes = (*outcomes_of(job), job.answer)
            assert any(isinstance(one, DeadlineExceeded) for one in outcomes)
        self.note(late)
        next_at = self.scheduler.next_deadline()
        assert next_at is None or next_at > self.now

    @rule(seconds=st.integers(1, 4))
    def time_passes_unnoticed(self, seconds):
        self.now += seconds

    # Rarely: what ends everything would leave little to happen after it.

    @precondition(lambda self: self.next_id > 30)
    @rule()
    def drain(self):
        self.is_draining = True
        self.scheduler.drain()

    @precondition(lambda self: self.next_id % 8 == 7)
    @rule()
    def give_up_what_waits(self):
        self.note(self.scheduler.fail_waiting(Cancelled("the end")))
        assert all(self.only_runs(job) for job in self.open.values())

    @precondition(lambda self: self.next_id % 8 == 7)
    @rule()
    def the_device_fails(self):
        self.note(self.scheduler.fail_all(DeviceError("broken")))
        assert all(job.question is Stage.WORKED_ON for job in self.open.values())

    @invariant()
    def counts_agree(self):
        scheduler, jobs = self.scheduler, self.open.values()
        assert scheduler.is_idle == (not jobs)
        assert scheduler.n_in_flight == sum(job.n_audios for job in jobs) <= LIMITS.max_in_flight
        assert scheduler.queued_bytes == sum(job.n_bytes for job in jobs)
        assert scheduler.queued_bytes <= LIMITS.max_queued_bytes
        queued = [
            one for job in jobs for one in (*job.sources, *job.items) if one.stage is Stage.WAITING
        ]
        n_queued = sum(not getattr(one, "is_cut", False) for one in queued)
        assert scheduler.n_queued == n_queued + len(self.questions)
        assert scheduler.has_question(Desk.LOOKUPS) == bool(self.questions)
        jobs_queued = [*(one.job for one in queued), *self.questions]
        oldest_at = min((job.arrived_at for job in jobs_queued), default=None)
        assert scheduler.oldest_queued() == oldest_at
        assert all(scheduler.holds(job.id) for job in jobs)

    def teardown(self):
        """From anywhere, a device that works on serves the rest in bounded steps: no starvation."""
        for _ in range(1000):
            if not self.open:
                break
            undecoded = self.next_undecoded()
            for source in [*self.decoding, *([undecoded] if undecoded else [])]:
                self.take_in(source, [100])
            self.decoding = []
            batch, self.running = self.running, []
            if not batch:
                batch, late = self.scheduler.next_batch(self.now)
                self.note(late)
            self.note(self.scheduler.completed(batch, ["embedding"] * len(batch), self.now))
            self.start_to_ask()
            while self.asked:
                self.the_gallery_answers(fails=False)
        assert not self.open, "some wait for ever"
        assert len(self.finished) == len(set(self.finished))


AnyInterleaving.TestCase.settings = settings(
    max_examples=number_from("SCHEDULER_EXAMPLES", 500), stateful_step_count=50, deadline=None
)
TestAnyInterleaving = AnyInterleaving.TestCase
