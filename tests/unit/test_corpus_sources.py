import json

import pytest

pytest.importorskip("pyarrow", reason="pyarrow, of the extra [corpus], is not installed")

import pyarrow as pa
from pyarrow import parquet

from sidecar.corpus.sources import BadSource, read_source
from sidecar.corpus.tables import LISTED, SOURCE


def rows_of(source):
    table = read_source(str(source))
    assert table.schema == SOURCE
    return table.select(LISTED.names).to_pylist()


def row(name, path, **more):
    return {"id": name, "path": str(path), "start_s": None, "end_s": None, "speaker": None} | more


@pytest.fixture
def folder(tmp_path):
    for name in ("b.WAV", "a.flac", "notes.txt", "deep/er/c.mp3"):
        file = tmp_path / "audio" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return tmp_path / "audio"


def test_a_folder_has_its_recordings_and_those_below_it(folder):
    assert rows_of(folder) == [
        row("a.flac", folder / "a.flac"),
        row("b.WAV", folder / "b.WAV"),
        row("deep/er/c.mp3", folder / "deep/er/c.mp3"),
    ]


@pytest.fixture
def sounds(tmp_path):
    for name, n_bytes in (("a.wav", 10), ("b.wav", 200)):
        (tmp_path / name).write_bytes(bytes(n_bytes))
    return tmp_path


def sizes_of(source):
    return read_source(str(source))["n_bytes"].to_pylist()


def test_a_folder_tells_how_long_its_files_are(sounds):
    assert sizes_of(sounds) == sizes_of(f"{sounds}/*.wav") == [10, 200]


def test_the_files_of_a_list_are_looked_at_where_that_is_of_use(sounds):
    (sounds / "list.csv").write_text(
        "path,start_s,end_s,n_bytes\na.wav,,,7\nb.wav,1,,7\nb.wav,1,2,7\nno.wav,,,\ns3://b/c.wav,,,\n"
    )
    assert sizes_of(sounds / "list.csv") == [10, 200, None, None, None]
    (sounds / "wav.scp").write_text(f"one {sounds}/a.wav\n")
    assert sizes_of(sounds) == [10]


def test_a_pattern_takes_what_it_matches(folder):
    assert [one["id"] for one in rows_of(f"{folder}/*.flac")] == ["a.flac"]
    assert [one["id"] for one in rows_of(f"{folder}/deep/*/?.mp3")] == ["er/c.mp3"]


def test_a_folder_may_have_a_pattern_in_its_name(folder):
    folder = folder.rename(folder.parent / "audio [2024]")
    assert len(rows_of(folder)) == 3


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_manifests_of_all_kinds_say_the_same(tmp_path, suffix):
    listed = [
        {"path": "x/one.wav", "start_s": 0.5, "end_s": 2.0, "speaker": "007", "id": "1"},
        {"path": "/else/two.wav", "start_s": None, "end_s": None, "speaker": None, "id": "2"},
    ]
    file = tmp_path / f"manifest.{suffix}"
    if suffix == "parquet":
        parquet.write_table(pa.Table.from_pylist(listed), file)
    elif suffix == "jsonl":
        file.write_text("".join(json.dumps(one) + "\n" for one in listed))
    else:
        mark = "\t" if suffix == "tsv" else ","
        lines = [listed[0].keys(), *(one.values() for one in listed)]
        text = "\n".join(mark.join("" if v is None else str(v) for v in line) for line in lines)
        file.write_text(text)
    one = row("1", tmp_path / "x" / "one.wav", start_s=0.5, end_s=2.0, speaker="007")
    assert rows_of(file) == [one, row("2", "/else/two.wav")]


def test_without_ids_the_path_is_one_and_a_part_of_a_file_has_its_times(tmp_path):
    file = tmp_path / "manifest.csv"
    file.write_text("path,start_s,end_s\na.wav,,\nb.wav,1.5,\nb.wav,3,4.25\n")
    assert [one["id"] for one in rows_of(file)] == ["a.wav", "b.wav@1.5-", "b.wav@3-4.25"]


def test_times_that_differ_by_a_millisecond_are_two_ids(tmp_path):
    file = tmp_path / "manifest.csv"
    file.write_text("path,start_s,end_s\na.wav,3600.001,3601\na.wav,3600.002,3601\n")
    assert len(rows_of(file)) == 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("file\nx.wav\n", "no column path"),
        ("path,id\na.wav,1\nb.wav,1\n", "the id '1' more than once"),
        ("path\n", "no recording"),
        ("path,start_s\na.wav,soon\n", "cannot be used"),
        ("id,path\n1,\n", "no path"),
    ],
)
def test_a_manifest_that_cannot_be_used_says_why(tmp_path, text, why):
    file = tmp_path / "manifest.csv"
    file.write_text(text)
    with pytest.raises(BadSource, match=why):
        read_source(str(file))


@pytest.mark.parametrize("name", ["nowhere", "file.xyz"])
def test_what_is_no_source_says_so(tmp_path, name):
    (tmp_path / "file.xyz").touch()
    with pytest.raises(BadSource, match="cannot be used"):
        read_source(str(tmp_path / name))


def test_kaldis_folder_with_segments(tmp_path):
    (tmp_path / "wav.scp").write_text("rec1 /audio/one file.wav\nrec2 s3://bucket/two.flac\n")
    (tmp_path / "segments").write_text("u1 rec1 0.5 2\nu2 rec1 3.0 -1\nu3 rec2 0 1\n")
    (tmp_path / "utt2spk").write_text("u1 alice\nu3 bob\n")
    expected = [
        row("u1", "/audio/one file.wav", start_s=0.5, end_s=2.0, speaker="alice"),
        row("u2", "/audio/one file.wav", start_s=3.0),
        row("u3", "s3://bucket/two.flac", start_s=0.0, end_s=1.0, speaker="bob"),
    ]
    assert rows_of(tmp_path) == rows_of(tmp_path / "wav.scp") == expected


def test_kaldis_list_alone(tmp_path):
    (tmp_path / "wav.scp").write_text("rec1 /audio/one.wav\n\nrec2 /audio/two.wav\n")
    assert [one["id"] for one in rows_of(tmp_path / "wav.scp")] == ["rec1", "rec2"]


@pytest.mark.parametrize(
    ("file", "text", "why"),
    [
        ("wav.scp", "rec1 sph2pipe -f wav x.sph |\n", "by a command"),
        ("wav.scp", "rec1\n", "one word"),
        ("segments", "u1 rec9 0 1\n", "recording rec9"),
        ("segments", "u1 rec1 0 soon\n", "no times for u1"),
    ],
)
def test_kaldis_mistakes_say_what_they_are(tmp_path, file, text, why):
    (tmp_path / "wav.scp").write_text("rec1 /audio/one.wav\n")
    (tmp_path / file).write_text(text)
    with pytest.raises(BadSource, match=why):
        read_source(str(tmp_path))


def test_a_store_that_fsspec_reads():
    import fsspec

    store = fsspec.filesystem("memory")
    store.pipe("/archive/a.wav", b"")
    store.pipe("/archive/b/c.flac", b"")
    store.pipe("/lists/manifest.csv", b"path\nx.wav\ns3://bucket/y.wav\n")
    try:
        assert rows_of("memory://archive") == [
            row("a.wav", "memory://archive/a.wav"),
            row("b/c.flac", "memory://archive/b/c.flac"),
        ]
        paths = [one["path"] for one in rows_of("memory://lists/manifest.csv")]
        assert paths == ["memory://lists/x.wav", "s3://bucket/y.wav"]
    finally:
        store.rm("/archive", recursive=True)
        store.rm("/lists", recursive=True)
