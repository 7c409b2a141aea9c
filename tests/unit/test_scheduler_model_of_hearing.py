"""The model of the scheduler again, with audios that are listened to, or wait until they can be."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from mutations import number_from
from unit.decoded_audio import steps_of
from unit.test_scheduler_model import LENGTHS, AnyInterleaving

from protocol.quality import Quality
from sidecar.audio.waveform import Decoded
from sidecar.requests.jobs import Stage

QUALITY = Quality(1.0, -20.0, 30.0, 0.0, 8000.0, None, ())


class WithHearing(AnyInterleaving):
    def __init__(self):
        super().__init__()
        self.is_there = False
        self.aside = []

    def undecoded(self):
        return [source for source in super().undecoded() if source not in self.aside]

    def turn_of(self, data):
        return self.decoding.pop(data.draw(st.integers(0, len(self.decoding) - 1)))

    @precondition(lambda self: self.decoding)
    @rule(data=st.data())
    def nothing_can_be_done_yet(self, data):
        source = self.turn_of(data)
        waits = source.stage is Stage.WORKED_ON and not self.is_there
        self.put(source)
        step = Decoded(None, until=lambda: self.is_there)
        self.note(self.scheduler.decoded(source, [step], self.now))
        if waits:
            self.aside.append(source)

    @rule(there=st.booleans())
    def something_comes_or_goes(self, there):
        self.is_there = there
        if there:
            # Those of one line stay in the order in which they came.
            for source in self.aside:
                self.put(source)
            self.aside = []
        self.scheduler.look_again()

    @precondition(lambda self: self.decoding)
    @rule(data=st.data(), length=LENGTHS)
    def it_is_handed_over_to_be_listened_to(self, data, length):
        source = self.turn_of(data)
        [step] = steps_of(length, first=len(source.items))
        cut = replace(step, is_last=False, is_cut=True, held_bytes=4 * length)
        self.put(source)
        self.note(self.scheduler.decoded(source, [cut], self.now))
        self.ready += [
            item for item in source.items if item.stage is Stage.WAITING and item not in self.ready
        ]

    @precondition(lambda self: any(source.is_cut for source in self.decoding))
    @rule(data=st.data())
    def its_quality_is_known(self, data):
        [*cut] = [source for source in self.decoding if source.is_cut]
        source = cut[data.draw(st.integers(0, len(cut) - 1))]
        self.decoding.remove(source)
        is_open = source.stage is Stage.WORKED_ON
        items = list(source.items)
        self.note(
            self.scheduler.decoded(source, [Decoded(None, is_last=True, quality=QUALITY)], self.now)
        )
        assert not is_open or all(item.quality is QUALITY for item in items)

    def teardown(self):
        self.something_comes_or_goes(there=True)
        super().teardown()


WithHearing.TestCase.settings = settings(
    max_examples=number_from("SCHEDULER_EXAMPLES", 500), stateful_step_count=50, deadline=None
)
TestWithHearing = WithHearing.TestCase
