"""The Python host's methods of 1.2: what each asks for, and how the golden answers are read."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from protocol.diarization import DiarizeParams, TurnReport
from protocol.framing import FrameDecoder
from protocol.gallery_params import (
    EnrollParams,
    ExportPeopleParams,
    ForgetPersonParams,
    IdentifyParams,
    ImportPeopleParams,
    PeopleParams,
    PersonParams,
    RenamePersonParams,
    VerifyParams,
)
from protocol.gallery_reports import ImportResult, PersonName
from protocol.messages import decode_from_child
from protocol.params import (
    EmbedBatchParams,
    EmbedParams,
    FileAudio,
    ScoreParams,
    SpeechParams,
    StoredEmbedding,
)
from protocol.python import Embedding, Speaker, SpeakerSidecar, stored_embedding
from protocol.python.people import People
from protocol.quality import SpeechResult

VECTORS = Path(__file__).resolve().parents[2] / "protocol" / "vectors"
FILE = FileAudio(b"file")
STORED = StoredEmbedding(struct.pack("<2f", 1, 0), "f", 4.0)


def golden(name):
    """The result of a vector of what a child tells."""
    [payload] = FrameDecoder().feed((VECTORS / f"child_{name}.bin").read_bytes())
    return decode_from_child(payload).result


class Played(SpeakerSidecar):
    """A sidecar without a child: each call has the next golden vector for its answer."""

    def __init__(self, *names):
        self.asked = []
        self._results = [golden(name) for name in names]
        self.people = People(self.call)

    def call(self, params, timeout_s=None, on_progress=None):
        assert timeout_s is None, "a decoder has no limit of time, nor has this"
        assert (on_progress is not None) == getattr(params, "progress", False)
        self.asked.append(params)
        return self._results.pop(0)


def test_an_enrolment_by_audio():
    sidecar = Played("enroll_result")
    enrolled = sidecar.people.enroll(name="Zoë", audio=b"file", speech="all", deadline_ms=5)
    assert sidecar.asked == [EnrollParams("Zoë", None, FILE, (), "all", 5)]
    assert (enrolled.id, enrolled.created, enrolled.progress) == ("p-2", True, 0.5)
    assert enrolled.agreement is None
    assert enrolled.quality.snr_db == 18.25
    [warning] = enrolled.warnings
    assert (warning.kind, warning.details) == ("sounds_like", {"id": "p-1", "name": "Ada"})


def test_an_enrolment_of_more_by_embeddings():
    sidecar = Played("batch_result_with_quality", "enroll_more_result")
    [embedding] = sidecar.embed_batch([b"file"])
    enrolled = sidecar.people.enroll(person_id="p-1", embeddings=[embedding, STORED])
    [_, params] = sidecar.asked
    own = StoredEmbedding(bytes(16), embedding.fingerprint, 0.0)
    assert params == EnrollParams(id="p-1", embeddings=(own, STORED))
    assert enrolled.agreement == 0.875


def test_everybody_and_one_person():
    sidecar = Played("people_result_page", "people_result", "person_result")
    people = sidecar.people.list()
    assert sidecar.asked == [PeopleParams(), PeopleParams(after="p-1")]
    assert [person.id for person in people] == ["p-1", "p-1", "p-2"]
    details = sidecar.people.get("p-1")
    assert sidecar.asked[-1] == PersonParams("p-1")
    assert details.person == people[0]
    assert [(one.id, one.usable, one.adapted) for one in details.prints] == [
        ("r-1", True, False),
        ("r-2", False, True),
    ]


def test_another_name_and_forgetting():
    sidecar = Played("rename_result", "forget_result", "forget_result")
    assert sidecar.people.rename("p-1", "Ada Lovelace").name == "Ada Lovelace"
    assert sidecar.people.forget("p-1", print_id="r-2").prints == 1
    sidecar.people.forget("p-1")
    assert sidecar.asked == [
        RenamePersonParams("p-1", "Ada Lovelace"),
        ForgetPersonParams("p-1", "r-2"),
        ForgetPersonParams("p-1"),
    ]


def test_verify():
    sidecar = Played("verify_result", "verify_result_without_calibration")
    sure = sidecar.people.verify("p-1", STORED, far=0.001)
    unsure = sidecar.people.verify("p-1", b"file", prior=0.5, speech="require")
    assert sidecar.asked == [
        VerifyParams("p-1", STORED, far=0.001),
        VerifyParams("p-1", FILE, "require", prior=0.5),
    ]
    assert (sure.name, sure.same, sure.at, sure.speech_s) == ("Ada", True, "far 1 %", 3.5)
    assert (unsure.same, unsure.llr, unsure.cosine) == (None, None, 0.75)


def test_identify():
    sidecar = Played("identify_result", "identify_result_unknown")
    known = sidecar.people.identify(b"file", top=3, adapt=True)
    unknown = sidecar.people.identify(STORED)
    assert sidecar.asked == [IdentifyParams(FILE, 3, adapt=True), IdentifyParams(STORED)]
    assert (known.decision, known.person) == ("known", PersonName("p-1", "Ada"))
    assert [match.probability for match in known.matches] == [0.998, 0.0005]
    assert known.adapted == "r-2"
    assert (unknown.decision, unknown.person) == ("unknown", None)
    assert unknown.warnings[0].details == {"prints": 3}


def test_an_export_of_several_pieces_and_back():
    sidecar = Played("export_result", "export_result_last", "import_result", "import_result")
    pieces = sidecar.people.export(["p-1", "p-2"])
    assert pieces == (b"\0people\xff", b"\x01")
    assert sidecar.people.import_(pieces, replace=True) == ImportResult(4, 0, 2)
    assert sidecar.asked == [
        ExportPeopleParams(("p-1", "p-2")),
        ExportPeopleParams(("p-1", "p-2"), "p-2"),
        ImportPeopleParams(pieces[0], replace=True),
        ImportPeopleParams(pieces[1], replace=True),
    ]
    alone = Played("import_result")
    assert alone.people.import_(b"piece") == ImportResult(2, 0, 1)
    assert alone.asked == [ImportPeopleParams(b"piece")]


def test_speech():
    sidecar = Played("speech_result")
    assert sidecar.speech(b"file", deadline_ms=9) == SpeechResult(((0.5, 2), (2.75, 4.75)), 3.5, 6)
    assert sidecar.asked == [SpeechParams(FILE, 9)]


def test_who_speaks_when():
    sidecar = Played("diarize_result", "diarize_result_nobody")
    told = sidecar.diarize(
        b"file",
        min_speakers=2,
        max_speakers=4,
        identify=True,
        exclusive=True,
        deadline_ms=9,
        on_progress=print,
    )
    nobody = sidecar.diarize(b"file", n_speakers=2)
    assert sidecar.asked == [
        DiarizeParams(
            FILE, None, 2, 4, identify=True, exclusive=True, deadline_ms=9, progress=True
        ),
        DiarizeParams(FILE, 2),
    ]
    assert told.turns == (
        TurnReport(0.5, 4, "S1", overlap=True),
        TurnReport(3.25, 6.5, "S2", overlap=True),
        TurnReport(7, 9.25, "S1", overlap=False),
    )
    assert told.speakers == (
        Speaker("S1", (1, 0, 0, 0), 5.75, PersonName("p-1", "Ada"), 6.5, 0.9985),
        Speaker("S2", (0, 0.5, -0.5, 0), 3.25),
    )
    assert (told.dim, told.model, told.duration_s) == (4, "campplus-zh-en", 10)
    assert told.warnings[0].details == {"prints": 3}
    assert (nobody.turns, nobody.speakers, nobody.warnings) == ((), (), ())


def test_a_speaker_is_a_voice_to_enrol():
    sidecar = Played("diarize_result", "enroll_result")
    told = sidecar.diarize(b"file")
    speaker = told.speakers[1]
    voice = stored_embedding(speaker.embedding, told.fingerprint, speaker.speech_s)
    sidecar.people.enroll(name="Zoë", embeddings=[voice])
    packed = struct.pack("<4f", 0, 0.5, -0.5, 0)
    stored = StoredEmbedding(packed, told.fingerprint, 3.25)
    assert sidecar.asked[1] == EnrollParams("Zoë", embeddings=(stored,))


def test_what_a_cosine_means():
    sidecar = Played("score_result_with_meaning", "score_result")
    told = sidecar.score(STORED, b"file", speech="auto", far=0.001)
    bare = sidecar.score(STORED, STORED, prior=0.1)
    assert sidecar.asked == [
        ScoreParams(STORED, FILE, "auto", far=0.001),
        ScoreParams(STORED, STORED, prior=0.1),
    ]
    assert (told.same, told.probability, told.threshold) == (True, 0.9985, 1.25)
    assert told.quality_a is None
    assert told.quality_b.speech_s == 3.5
    assert (bare.cosine, bare.same, bare.llr) == (1, None, None)


def test_speech_of_what_is_embedded():
    sidecar = Played("embed_result", "batch_result")
    assert sidecar.embed(b"file", speech="require").quality is None, "of an older child"
    sidecar.embed_batch([b"file"], speech="auto")
    assert sidecar.asked == [
        EmbedParams(FILE, speech="require"),
        EmbedBatchParams((FILE,), speech="auto"),
    ]


def test_the_quality_of_an_embedding_keeps_flags_that_are_new():
    [embedding] = Played("batch_result_with_quality").embed_batch([b"file"])
    assert isinstance(embedding, Embedding)
    assert embedding.quality.flags == ("silent", "little_speech", "later")
    assert embedding.quality.level_dbfs is None


@pytest.mark.parametrize("speech_s", [None, 2.5])
def test_a_voice_that_was_kept_may_know_its_speech(speech_s):
    kept = stored_embedding([1.0, 0.0], "f", speech_s)
    assert kept == StoredEmbedding(STORED.embedding, "f", speech_s)
