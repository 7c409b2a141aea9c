"""The gallery of people: whom the child knows by voice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

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
from protocol.gallery_reports import (
    EnrollResult,
    ForgetResult,
    IdentifyResult,
    ImportResult,
    MatchReport,
    PersonDetails,
    PersonName,
    PersonReport,
    PrintReport,
    VerifyResult,
)
from protocol.methods import Params
from protocol.params import SpeechUse, StoredEmbedding
from protocol.python.embedding import AudioSource, Embedding, Voice, as_audio, as_stored, as_voice
from protocol.python.results import read


class People:
    """What a sidecar's ``people`` can do; each method raises what ``SpeakerSidecar.call`` does.

    A child without ``--gallery FILE`` has its people in memory: they are gone when it ends.
    ``far`` and ``prior`` say where "the same person" begins, as in ``score``.
    """

    def __init__(self, ask: Callable[[Params], dict[str, Any]]) -> None:
        self._ask = ask

    def enroll(  # noqa: PLR0913 - all are named
        self,
        *,
        name: str | None = None,
        person_id: str | None = None,
        audio: AudioSource | None = None,
        embeddings: Iterable[Embedding | StoredEmbedding] = (),
        speech: SpeechUse = "auto",
        deadline_ms: float | None = None,
    ) -> EnrollResult:
        """A new person, or more of the person ``person_id``; by an audio, or by embeddings.

        The result tells what is missing for a print, if anything is. Each of the embeddings must
        know of how much speech it was made, as those of ``embed`` do.
        """
        params = EnrollParams(
            name,
            person_id,
            None if audio is None else as_audio(audio),
            tuple(as_stored(embedding) for embedding in embeddings),
            speech,
            deadline_ms,
        )
        return read(EnrollResult, self._ask(params))

    def list(self) -> tuple[PersonReport, ...]:
        """Everybody, in the order in which they were enrolled."""
        pages = self._pages(PeopleParams())
        return tuple(read(PersonReport, person) for page in pages for person in page["people"])

    def get(self, person_id: str) -> PersonDetails:
        """One person with all prints, the oldest first."""
        result = self._ask(PersonParams(person_id))
        prints = tuple(read(PrintReport, one) for one in result["prints"])
        return PersonDetails(read(PersonReport, result["person"]), prints)

    def rename(self, person_id: str, name: str) -> PersonReport:
        """Another name for the same voice."""
        return read(PersonReport, self._ask(RenamePersonParams(person_id, name)))

    def forget(
        self,
        person_id: str,
        *,
        print_id: str | None = None,
    ) -> ForgetResult:
        """A person with everything that was kept, or one of their prints; nothing of it remains."""
        return read(ForgetResult, self._ask(ForgetPersonParams(person_id, print_id)))

    def verify(  # noqa: PLR0913 - all but the first two are named
        self,
        person_id: str,
        audio: Voice,
        *,
        speech: SpeechUse = "auto",
        far: float | None = None,
        prior: float | None = None,
        deadline_ms: float | None = None,
    ) -> VerifyResult:
        """Whether a voice is that of the person ``person_id``."""
        params = VerifyParams(person_id, as_voice(audio), speech, far, prior, deadline_ms)
        return read(VerifyResult, self._ask(params))

    def identify(  # noqa: PLR0913 - all but the first are named
        self,
        audio: Voice,
        *,
        top: int = 5,
        speech: SpeechUse = "auto",
        far: float | None = None,
        prior: float | None = None,
        adapt: bool = False,
        deadline_ms: float | None = None,
    ) -> IdentifyResult:
        """Whose voice it is; ``top`` are told.

        ``adapt`` adds an audio that is surely a person's to that person.
        """
        params = IdentifyParams(
            as_voice(audio), top, speech, far, prior, adapt=adapt, deadline_ms=deadline_ms
        )
        result = self._ask(params)
        person = result.get("person")
        named = {
            "person": None if person is None else read(PersonName, person),
            "matches": tuple(read(MatchReport, match) for match in result["matches"]),
        }
        return read(IdentifyResult, {**result, **named})

    def export(self, ids: Iterable[str] = ()) -> tuple[bytes, ...]:
        """Everybody, or some people, as bytes for ``import_``: one piece, or several.

        They are as secret as the voices are.
        """
        return tuple(page["data"] for page in self._pages(ExportPeopleParams(tuple(ids))))

    def import_(self, data: bytes | Iterable[bytes], *, replace: bool = False) -> ImportResult:
        """What ``export`` gave, each piece all or nothing; ``replace`` who is there already."""
        pieces = [data] if isinstance(data, bytes) else data
        results = [
            read(ImportResult, self._ask(ImportPeopleParams(piece, replace))) for piece in pieces
        ]
        return ImportResult(
            added=sum(result.added for result in results),
            replaced=sum(result.replaced for result in results),
            kept=sum(result.kept for result in results),
        )

    def _pages(self, params: PeopleParams | ExportPeopleParams) -> Iterable[Mapping[str, Any]]:
        """All answers to ``params``, each of which names where the next one begins."""
        while True:
            page = self._ask(params)
            yield page
            if page.get("next") is None:
                return
            params = replace(params, after=page["next"])
