"""Data sets as ``corpus embed`` writes them, of embeddings that are made up."""

import numpy as np
import pytest

pytest.importorskip("pyarrow", reason="pyarrow, of the extra [corpus], is not installed")

from sidecar.corpus.output import Output
from sidecar.corpus.tables import embedded_table, failed_table
from sidecar.corpus.utterances import Embedded, Listed

MODEL, FINGERPRINT = "made-up", "made.0123456789abcdef"


def embedded(name, unit, speaker=None, path=None):
    return Embedded(
        listed=Listed(name, path or f"/audio/{name}.wav", speaker=speaker),
        voice=None,
        start_s=0.0,
        end_s=3.0,
        turns=(),
        duration_s=3.0,
        embedding=np.asarray(unit, np.float32),
        speech_s=2.5,
        quality=None,
    )


def write(place, rows, fingerprint=FINGERPRINT, n_blocks=3):
    """A data set of these rows, in so many files."""
    output = Output(str(place))
    output.take_over("auto", with_failures=False)
    for number in range(n_blocks):
        some = rows[number::n_blocks]
        dim = len(rows[0].embedding)
        output.commit(
            f"{fingerprint[:4]}{number}",
            embedded_table(some, dim, MODEL, fingerprint),
            failed_table([], MODEL, fingerprint),
        )
    return str(place)
