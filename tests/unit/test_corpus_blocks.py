"""What an actor does with a block, with an embedder that may end its process."""

import pytest

pytest.importorskip("pyarrow", reason="pyarrow, of the extra [corpus], is not installed")

import pyarrow as pa
from pyarrow import dataset
from unit.corpus_rows import FINGERPRINT, embedded
from unit.made_voices import DIM, voices

from protocol.errors import ModelUnavailable
from sidecar.config import Config
from sidecar.corpus import block_embedder
from sidecar.corpus.block_embedder import BlockEmbedder
from sidecar.corpus.output import Output
from sidecar.corpus.rate import Tally
from sidecar.corpus.tables import LISTED
from sidecar.corpus.utterances import Failed

BLOCK = pa.Table.from_pylist([{"id": name, "path": f"/{name}.wav"} for name in "abcd"], LISTED)


class ProcessEnds(BaseException):
    """Nothing of the process runs on."""


class Embedder:
    model, fingerprint, dim = "made-up", FINGERPRINT, DIM

    def __init__(self, _config, _speech, _n_decoders, fatal=(), bad=()):
        self.fatal, self.bad, self.asked = fatal, bad, []

    def embed(self, rows, begin=None):
        self.asked.append(([row.id for row in rows], begin is not None))
        for row in rows:
            if begin:
                begin(row)
            if row.id in self.fatal:
                raise ProcessEnds
            if row.id in self.bad:
                yield Failed(row, "corrupt", "it is")
            else:
                yield embedded(row.id, voices(1, 1)[0])


@pytest.fixture
def started(tmp_path, monkeypatch):
    output = Output(str(tmp_path))
    output.take_over("auto", with_failures=False)

    def start(fingerprint=FINGERPRINT, **faults):
        monkeypatch.setattr(block_embedder, "Embedder", lambda *given: Embedder(*given, **faults))
        return BlockEmbedder(Config(), "auto", 0, fingerprint, output)

    return start


def tally_of(actor):
    """What comes of the block, behind the word that it has begun."""
    begun, done = (table.to_pylist()[0] for table in actor(BLOCK))
    assert Tally(**begun) in {Tally(), Tally(fault=done["fault"])}
    return done


def rows_in(folder, name):
    return {
        row["id"]: row
        for row in dataset.dataset(folder / name, format="parquet").to_table().to_pylist()
    }


def test_a_block_is_written_and_told_of(started, tmp_path):
    told = tally_of(started(bad="b"))
    assert (told["rows"], told["failures"], told["audio_s"]) == (4, 1, 9.0)
    assert set(rows_in(tmp_path, "embeddings")) == set("acd")
    assert rows_in(tmp_path, "failures")["b"]["kind"] == "corrupt"


def test_another_model_is_refused(started):
    told = tally_of(started(fingerprint="other.0"))
    assert "install the same release" in told["fault"]
    assert told["rows"] == 0


def test_an_encoder_that_cannot_serve_says_why(monkeypatch):
    def fail(*_given):
        raise ModelUnavailable("it is damaged")

    monkeypatch.setattr(block_embedder, "Embedder", fail)
    actor = BlockEmbedder(Config(), "auto", 0, FINGERPRINT, Output("/nowhere"))
    assert tally_of(actor)["fault"] == "it is damaged"


def test_a_file_that_ends_its_process_is_left_out_the_third_time(started, tmp_path):
    for careful in (False, True):
        actor = started(fatal="c")
        with pytest.raises(ProcessEnds):
            tally_of(actor)
        assert actor._embedder.asked == [(list("abcd"), careful)]
    told = tally_of(started(fatal="c"))
    assert (told["rows"], told["failures"]) == (4, 1)
    assert set(rows_in(tmp_path, "embeddings")) == set("abd")
    assert rows_in(tmp_path, "failures")["c"]["kind"] == "process_died"


def test_a_process_that_was_killed_by_chance_costs_nothing(started, tmp_path):
    with pytest.raises(ProcessEnds):
        tally_of(started(fatal="c"))
    told = tally_of(started())
    assert (told["rows"], told["failures"]) == (4, 0)
    assert set(rows_in(tmp_path, "embeddings")) == set("abcd")


def test_a_run_that_another_has_taken_over_says_so(started, tmp_path):
    actor = started()
    Output(str(tmp_path)).take_over("auto", with_failures=False)
    told = tally_of(actor)
    assert told["rows"] == 0
    assert "another run writes" in told["fault"]
    assert not list((tmp_path / "embeddings").iterdir())
