"""Whether the speakers that a stream goes on with are of the model that serves."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

from protocol.errors import IncompatibleEmbeddings, InvalidParams
from protocol.streams import KnownSpeaker
from sidecar.requests.responses import Served


def check_known(speakers: Sequence[KnownSpeaker], served: Served | None) -> None:
    """Check them; None: the model still loads, and they are checked once it is there.

    Raises:
        IncompatibleEmbeddings: one was embedded by another model.
        InvalidParams: an embedding has no direction.
    """
    if served is None:
        return
    for speaker in speakers:
        if speaker.fingerprint != served.fingerprint or len(speaker.embedding) != 4 * served.dim:
            raise IncompatibleEmbeddings(
                f"the speaker {speaker.label!r:.80} was embedded by {speaker.fingerprint!r:.80}, "
                f"and {served.fingerprint} serves: leave them out, and they are new",
                a=speaker.fingerprint[:100],
                b=served.fingerprint,
            )
        values = struct.unpack(f"<{served.dim}f", speaker.embedding)
        if not 0 < math.hypot(*values) < math.inf:
            raise InvalidParams(f"the embedding of {speaker.label!r:.80} has no direction")
