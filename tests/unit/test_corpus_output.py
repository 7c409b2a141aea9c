import os

import numpy as np
import pytest

pytest.importorskip("pyarrow", reason="pyarrow, of the extra [corpus], is not installed")

import pyarrow as pa
from pyarrow import dataset
from unit.corpus_rows import FINGERPRINT, MODEL, embedded
from unit.made_voices import voices

from sidecar.corpus import output as outputs
from sidecar.corpus.blocks import missing
from sidecar.corpus.output import OtherSpeech, Output, Superseded, block_name
from sidecar.corpus.tables import LISTED, embedded_table, failed_table
from sidecar.corpus.utterances import Failed, Listed

UNIT = voices(1, 1)[0]


def tables(good, bad=(), fingerprint=FINGERPRINT):
    return (
        embedded_table([embedded(name, UNIT) for name in good], len(UNIT), MODEL, fingerprint),
        failed_table(
            [Failed(Listed(name, "/x"), "corrupt", "it is") for name in bad], MODEL, fingerprint
        ),
    )


def begun(place, **options):
    output = Output(str(place))
    output.take_over(options.pop("speech", "auto"), with_failures=options.pop("retry", False))
    return output


def rows_in(place, name):
    return sorted(dataset.dataset(place / name, format="parquet").to_table()["id"].to_pylist())


def done(output, fingerprint=FINGERPRINT):
    return sorted(output.done(fingerprint).to_pylist())


def test_what_was_embedded_or_has_failed_is_done(tmp_path):
    output = begun(tmp_path)
    assert done(output) == []
    output.commit("one", *tables(["a", "b"], ["c"]))
    output.commit("two", *tables([], ["d"]))
    output.commit("three", *tables(["e"], fingerprint="other.0"))
    assert done(begun(tmp_path)) == ["a", "b", "c", "d"]
    assert done(output, "other.0") == ["e"]


def test_a_block_that_is_done_again_replaces_what_it_was(tmp_path):
    output = begun(tmp_path)
    output.commit("one", *tables(["a", "b"], ["c"]))
    output.commit("one", *tables(["a", "b", "c"]))
    assert rows_in(tmp_path, "embeddings") == ["a", "b", "c"]
    assert list((tmp_path / "failures").iterdir()) == []


def test_failures_are_tried_again_only_if_that_is_asked_for(tmp_path):
    begun(tmp_path).commit("one", *tables(["a"], ["b"]))
    assert done(begun(tmp_path)) == ["a", "b"]
    assert done(begun(tmp_path, retry=True)) == ["a"]


def test_an_older_run_writes_nothing_more(tmp_path):
    older = begun(tmp_path)
    older.commit("one", *tables(["a"]))
    newer = begun(tmp_path)
    with pytest.raises(Superseded):
        older.commit("two", *tables(["b"]))
    assert done(newer) == ["a"]
    newer.commit("two", *tables(["b"]))


def test_a_run_that_is_taken_over_while_it_writes_leaves_nothing(tmp_path, monkeypatch):
    older, write = begun(tmp_path), outputs.parquet.write_table

    def write_and_lose(*args, **options):
        write(*args, **options)
        begun(tmp_path)

    monkeypatch.setattr(outputs.parquet, "write_table", write_and_lose)
    with pytest.raises(Superseded):
        older.commit("one", *tables(["a"]))
    assert list((tmp_path / "embeddings").iterdir()) == []


def test_a_kill_before_a_file_is_whole_leaves_no_file(tmp_path, monkeypatch):
    output, write = begun(tmp_path), outputs.parquet.write_table

    def write_half(table, path, **options):
        write(table, path, **options)
        os.truncate(path, 100)
        raise KeyboardInterrupt

    monkeypatch.setattr(outputs.parquet, "write_table", write_half)
    with pytest.raises(KeyboardInterrupt):
        output.commit("one", *tables(["a"]))
    assert list((tmp_path / "embeddings").iterdir()) == []
    assert len(list((tmp_path / "_writing").iterdir())) == 1
    assert done(begun(tmp_path)) == []
    assert list((tmp_path / "_writing").iterdir()) == []


def test_another_speech_is_refused(tmp_path):
    begun(tmp_path, speech="all")
    with pytest.raises(OtherSpeech, match="--speech all"):
        begun(tmp_path, speech="auto")


def test_what_ends_a_process_twice_is_left_out_the_third_time(tmp_path):
    output = begun(tmp_path)
    assert output.begin("one") == (frozenset(), None)  # it dies somewhere in the block
    fatal, note = output.begin("one")
    assert fatal == frozenset()
    note("a")
    note("b")  # it dies of that
    fatal, note = output.begin("one")
    assert fatal == {"b"}
    note("c")  # and of that
    fatal, _ = output.begin("one")
    assert fatal == {"b", "c"}
    output.commit("one", *tables(["a"], ["b", "c"]))
    assert output.begin("one") == (frozenset(), None)


def test_a_store_that_fsspec_writes():
    import fsspec

    store = fsspec.filesystem("memory")
    try:
        output = begun("memory://out")
        output.commit("one", *tables(["a"], ["b"]))
        output.commit("one", *tables(["a"], ["b"]))
        assert done(begun("memory://out")) == ["a", "b"]
    finally:
        store.rm("/out", recursive=True)


def listed(n):
    rows = [{"id": f"u{row}", "path": f"/{row}.wav", "speaker": "x"} for row in range(n)]
    return pa.Table.from_pylist(rows, LISTED)


def test_what_is_done_is_not_missing():
    left = missing(listed(4), pa.array(["u1", "u3", "gone"]))
    assert left["id"].to_pylist() == ["u0", "u2"]


def test_a_blocks_name_follows_from_its_ids_and_the_model():
    ids = listed(3)["id"]
    assert block_name(ids, "m") == block_name(pa.chunked_array([ids.combine_chunks()]), "m")
    assert len({block_name(ids, "m"), block_name(ids, "n"), block_name(ids[:2], "m")}) == 3


def test_all_that_is_told_is_in_the_table():
    table, _ = tables(["a"])
    [row] = table.to_pylist()
    assert (row["path"], row["end_s"], row["speech_s"]) == ("/audio/a.wav", 3.0, 2.5)
    assert np.array(row["embedding"], np.float32) == pytest.approx(UNIT)
