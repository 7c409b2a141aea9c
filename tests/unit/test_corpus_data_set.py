import itertools
import json

import numpy as np
import pytest

pytest.importorskip("pyarrow", reason="pyarrow, of the extra [corpus], is not installed")

from unit.corpus_rows import FINGERPRINT, embedded, write
from unit.made_voices import DIM, voices

from sidecar.__main__ import main
from sidecar.corpus import collection as collections
from sidecar.corpus.check import check
from sidecar.corpus.collection import BadDataSet, open_collection
from sidecar.corpus.evidence import Evidence
from sidecar.corpus.search import most_alike, nearest_others

GUESS = Evidence(None)


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(collections, "_ROWS_AT_A_TIME", 8)


def fifty(*, swapped=()):
    """The voices of five people, ten utterances each; ``swapped`` get the next one's label."""
    labels = ["abcde"[(row // 10 + (row in swapped)) % 5] for row in range(50)]
    return [
        embedded(f"u{row:02d}", unit, label)
        for row, (unit, label) in enumerate(zip(voices(5, 10), labels, strict=True))
    ]


def ids(table):
    return table["id"].to_pylist()


def test_the_most_alike_are_those_of_a_full_sort(tmp_path, small_pieces):
    rows = fifty()
    opened = open_collection(write(tmp_path, rows))
    query = rows[12].embedding
    found = most_alike(opened, query, 7)
    cosines = {row.id: float(row.embedding @ query) for row in rows}
    expected = sorted(cosines, key=lambda name: -cosines[name])[:7]
    assert ids(found) == expected
    assert found["cosine"].to_pylist() == pytest.approx([cosines[name] for name in expected])


def test_more_than_there_are_gives_all(tmp_path, small_pieces):
    assert most_alike(open_collection(write(tmp_path, fifty())), voices(1, 1)[0], 99).num_rows == 50


def test_the_nearest_is_somebody_else_also_across_pieces():
    units = np.concatenate([voices(3, 4), voices(3, 4)[:1]])
    at = np.array([0, 5, 12])
    nearest, cosines = nearest_others([units[:5], units[5:]], units[at], at)
    assert nearest[[0, 2]].tolist() == [12, 0]
    assert nearest[1] in {4, 6, 7}
    assert cosines[0] == pytest.approx(1)


def test_the_three_swapped_labels_are_found(tmp_path, small_pieces):
    swapped = {3, 27, 44}
    checked = check(open_collection(write(tmp_path, fifty(swapped=swapped))), GUESS)
    opened = open_collection(str(tmp_path))
    names = opened.column("id").to_pylist()
    found = {names[one.row]: (one.speaker, one.like) for one in checked.mislabelled}
    assert found == {"u03": ("b", "a"), "u27": ("d", "c"), "u44": ("a", "e")}
    assert checked.twins == []


def test_a_copy_under_another_label_is_told_as_one(tmp_path):
    rows = fifty()
    rows.append(embedded("copy", rows[0].embedding, "e"))
    opened = open_collection(write(tmp_path, rows))
    [found] = check(opened, GUESS).mislabelled
    names = opened.column("id").to_pylist()
    assert (names[found.row], names[found.copy_of], found.like) == ("copy", "u00", "a")


def test_two_labels_of_one_voice_are_told_and_their_utterances_are_not(tmp_path):
    rows = [
        embedded(f"u{row}", unit, "twice" if row < 10 and row % 2 else "abcde"[row // 10])
        for row, unit in enumerate(voices(5, 10))
    ]
    checked = check(open_collection(write(tmp_path, rows)), GUESS)
    assert [set(pair.speakers) for pair in checked.twins] == [{"a", "twice"}]
    assert checked.mislabelled == []


def test_rows_without_a_label_are_left_out(tmp_path):
    rows = fifty()
    rows += [embedded(f"none{row}", unit) for row, unit in enumerate(voices(5, 10)[::10])]
    checked = check(open_collection(write(tmp_path, rows)), GUESS)
    assert (checked.n_labelled, checked.n_labels, checked.mislabelled) == (50, 5, [])


def test_embeddings_of_two_models_are_never_compared(tmp_path):
    write(tmp_path, fifty())
    write(tmp_path, fifty()[:10], fingerprint="other.0")
    with pytest.raises(BadDataSet, match=f"--fingerprint, of .*{FINGERPRINT}"):
        open_collection(str(tmp_path))
    assert open_collection(str(tmp_path), "other.0").n_rows == 10
    opened = open_collection(str(tmp_path), FINGERPRINT)
    assert sum(len(units) for _, units in opened.pieces([])) == opened.n_rows == 50
    with pytest.raises(BadDataSet, match="no embedding of none"):
        open_collection(str(tmp_path), "none")


def test_what_is_no_data_set_is_refused(tmp_path):
    with pytest.raises(BadDataSet, match="no data set"):
        open_collection(str(tmp_path))


def test_a_result_is_found_by_id_and_by_path_unless_that_is_several(tmp_path):
    rows = [*fifty()[:2], embedded("part", voices(1, 1)[0], path="/audio/u01.wav")]
    found = open_collection(write(tmp_path, rows)).results(["u00", "/audio/u00.wav", "part"])
    assert found["u00"]["embedding"] == found["/audio/u00.wav"]["embedding"]
    assert np.frombuffer(found["u00"]["embedding"], "<f4") == pytest.approx(rows[0].embedding)
    both = open_collection(str(tmp_path)).results(["u01", "part"])
    assert set(both) == {"u01", "part"}


def test_the_command_checks(tmp_path, capsys):
    write(tmp_path, fifty(swapped={3}))
    out = tmp_path / "found.csv"
    assert main(["corpus", "check", str(tmp_path), "--json", "--out", str(out)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["id"] for one in told["mislabelled"]] == ["u03"]
    assert "u03" in out.read_text()


def test_the_command_clusters(tmp_path, capsys):
    pytest.importorskip("scipy", reason="scipy is not installed")
    write(tmp_path, fifty())
    out = tmp_path / "who.parquet"
    assert main(["corpus", "speakers", str(tmp_path), "--json", "--out", str(out)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["utterances"] for one in told["speakers"]] == [10] * 5
    assert all(one["probability"] > 0.9 for one in told["speakers"])
    from pyarrow import parquet

    written = parquet.read_table(out)
    assert (
        len({*zip(written["label"].to_pylist(), written["speaker"].to_pylist(), strict=True)}) == 5
    )


@pytest.mark.parametrize("by", ["id", "path"])
def test_trials_are_scored_by_what_is_there(tmp_path, capsys, by):
    rows = fifty()
    write(tmp_path / "out", rows)
    names = [row.id if by == "id" else row.listed.path for row in rows]
    lines = [
        f"{int(a.listed.speaker == b.listed.speaker)} {names[i]} {names[j]}\n"
        for (i, a), (j, b) in itertools.combinations(enumerate(rows), 2)
    ]
    trials = tmp_path / "trials.txt"
    trials.write_text("".join(lines))
    assert main(["evaluate", str(trials), "--corpus", str(tmp_path / "out"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["fingerprint"], told["trials"]["audios"]) == (FINGERPRINT, 50)
    assert told["figures"]["eer"]["value"] == 0


def test_what_a_data_set_lacks_is_left_out_of_the_trials(tmp_path, capsys):
    write(tmp_path / "out", fifty())
    trials = tmp_path / "trials.txt"
    trials.write_text("1 u00 u01\n0 u00 u49\n0 u00 gone\n")
    assert main(["evaluate", str(trials), "--corpus", str(tmp_path / "out"), "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["trials"]["skipped_trials"] == 1
    assert "it is not in" in told.err


def test_the_command_says_what_is_missing(tmp_path, capsys):
    write(tmp_path, [embedded("u", voices(1, 1)[0])])
    assert main(["corpus", "check", str(tmp_path)]) == 64
    assert "has no labels" in capsys.readouterr().err
    assert main(["corpus", "check", str(tmp_path), "--out", "found.txt"]) == 64
    assert "must end in .csv or .parquet" in capsys.readouterr().err


def test_the_dimension_is_in_the_schema(tmp_path):
    from pyarrow import dataset

    write(tmp_path, fifty())
    schema = dataset.dataset(tmp_path / "embeddings", format="parquet").schema
    assert schema.field("embedding").type.list_size == DIM
