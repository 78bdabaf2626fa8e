"""Rows of files of every kind: as the readers of whole tables see them, and past lines that cannot be read."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.scoring import csv_records, lines
from pipelines.scoring.inputs import find_sources
from pipelines.scoring.rows import Columns, Row, read_rows
from screening.data.file_readers import read_table
from screening.exceptions import SchemaError, ScreeningError

PIECES = st.sampled_from(["a", "b", '"', ",", "\n", "\r\n", " ", "\t", "é"])


def _read(path: Path, post_id: str | None = None) -> list[Row]:
    return list(read_rows(find_sources([str(path)])[0], Columns("text", post_id), lambda _: None))


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _name(rows: list[Row]) -> list[tuple[int, int | None, object, str | None]]:
    return [(row.number, row.line, row.text, row.fault) for row in rows]


@given(st.lists(PIECES, max_size=40).map("".join), st.sampled_from([".csv", ".tsv"]))
def test_rows_and_their_numbers_are_those_of_the_whole_table(
    tmp_path_factory: pytest.TempPathFactory, body: str, suffix: str
) -> None:
    header = "text,other" if suffix == ".csv" else "text\tother"
    path = _write(tmp_path_factory.getbasetemp() / f"posts{suffix}", f"{header}\n{body}".encode())
    try:
        table = read_table(path)
    except ScreeningError:
        return  # a file that is refused as a whole has nothing to compare
    expected = [(f"posts-{n}", None if pd.isna(text) else text) for n, text in enumerate(table["text"], start=1)]
    assert [(row.post_id, row.text) for row in _read(path)] == expected


def test_broken_lines_of_jsonl_are_faults_and_the_rest_is_read(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbf{"text": "one"}\n\n{broken\n[1]\n{"text": "\xe9"}\n' + b"[" * 100_000 + b'\n{"text": "two"}'
    assert _name(_read(_write(tmp_path / "posts.jsonl", content))) == [
        (1, 1, "one", None),
        (2, 3, None, "line is not valid JSON"),
        (3, 4, None, "line holds a list, not a JSON object"),
        (4, 5, "\udce9", None),
        (5, 6, None, "line is not valid JSON"),
        (6, 7, "two", None),
    ]


def test_numbers_beyond_what_python_reads_are_a_fault_of_their_line(tmp_path: Path) -> None:
    content = b'{"text": "one"}\n{"text": ' + b"1" * 5_000 + b'}\n{"text": "two"}\n'
    assert [row.fault for row in _read(_write(tmp_path / "posts.jsonl", content))][1] == "line is not valid JSON"


def test_ragged_rows_of_csv_are_faults_and_the_rest_is_read(tmp_path: Path) -> None:
    content = b'id,text\r\n1,one\r\n2,two,too many\r\n\r\n3,"line\r\nbreak"\r\n4\r\n5,five,\r\n'
    fault = "row has 3 cells, the header 2; quote cells that hold commas or line breaks"
    assert _name(_read(_write(tmp_path / "posts.csv", content), "id")) == [
        (1, 2, "one", None),
        (2, 3, None, fault),
        (3, 5, "line\r\nbreak", None),
        (4, 7, None, None),
        (5, 8, "five", None),
    ]


def test_a_quote_that_is_never_closed_costs_its_own_line(tmp_path: Path) -> None:
    content = b'id,text\n1,"one"\n2,"two\n3,three\n4,four\n'
    rows = _read(_write(tmp_path / "posts.csv", content), "id")
    assert [(row.line, row.text, row.fault) for row in rows] == [
        (2, "one", None),
        (3, None, csv_records.NEVER_CLOSED),
        (4, "three", None),
        (5, "four", None),
    ]


def test_an_open_quote_is_given_up_after_so_many_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_records, "MAX_LINE_CHARACTERS", 100)
    content = b'id,text\n1,"one\n' + b"".join(b"%d,post\n" % i for i in range(2, 60)) + b'60,"sixty"\n'
    rows = _read(_write(tmp_path / "posts.csv", content), "id")
    assert [row.post_id for row in rows] == ["", *(str(i) for i in range(2, 61))]
    assert rows[0].fault == csv_records.NEVER_CLOSED


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_line_of_any_length_is_a_fault_in_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_CHARACTERS", 50)
    head = b"text\n" if suffix == ".csv" else b'{"text": "head"}\n'
    good = b"short\n" if suffix == ".csv" else b'{"text": "short"}\n'
    rows = _read(_write(tmp_path / f"posts{suffix}", head + b"x" * 1_234 + b"\n" + good))
    assert [row.fault for row in rows][-2:] == [lines.TOO_LONG, None]
    assert rows[-1].text == "short"


def test_latin_1_marks_only_the_rows_that_are_no_utf_8(tmp_path: Path) -> None:
    rows = _read(_write(tmp_path / "posts.csv", "text\nplain\ncafé\n".encode("latin-1")))
    assert [row.text for row in rows] == ["plain", "caf\udce9"]


def test_ids_are_written_as_the_whole_table_has_them(tmp_path: Path) -> None:
    content = (
        b'{"text": "a", "post_id": 7}\n{"text": "b", "post_id": " x "}\n{"text": "c"}\n{"text": "d", "post_id": ["y"]}'
    )
    assert [row.post_id for row in _read(_write(tmp_path / "posts.jsonl", content))] == ["7", "x", "", ""]


def test_parquet_texts_may_be_of_any_string_type_or_not_utf_8(tmp_path: Path) -> None:
    strings = ["one", None, "two"]
    for name, column in {
        "plain": pa.array(strings),
        "large": pa.array(strings, pa.large_string()),
        "view": pa.array(strings, pa.string_view()),
        "dictionary": pa.array(strings).dictionary_encode(),
    }.items():
        pq.write_table(pa.table({"text": column, "n": [1, 2, 3]}), tmp_path / f"{name}.parquet")
        assert [row.text for row in _read(tmp_path / f"{name}.parquet", "n")] == strings
    invalid = pa.Array.from_buffers(pa.string(), 1, pa.array([b"caf\xe9"]).buffers())
    pq.write_table(pa.table({"text": invalid}), tmp_path / "invalid.parquet")
    assert [row.text for row in _read(tmp_path / "invalid.parquet")] == ["caf\udce9"]


def test_a_damaged_parquet_file_is_named_and_its_content_is_not(tmp_path: Path) -> None:
    path = tmp_path / "posts.parquet"
    pd.DataFrame({"text": [f"planted words {i}" for i in range(20_000)]}).to_parquet(path)
    content = bytearray(path.read_bytes())
    content[2_000:60_000] = b"\xff" * 58_000
    path.write_bytes(bytes(content))
    with pytest.raises(SchemaError, match="damaged") as caught:
        _read(path)
    assert "planted" not in str(caught.value)


def test_how_much_is_read_is_reported_from_0_to_1(tmp_path: Path) -> None:
    texts = pd.DataFrame({"text": [f"some words {i}" for i in range(10_000)]})
    texts.to_csv(tmp_path / "posts.csv", index=False)
    texts.to_parquet(tmp_path / "posts.parquet")
    for name in ("posts.csv", "posts.parquet"):
        fractions: list[float] = []
        source = find_sources([str(tmp_path / name)])[0]
        assert len(list(read_rows(source, Columns("text", None), fractions.append))) == 10_000
        assert fractions == sorted(fractions)
        assert 0 < fractions[0] < fractions[-1] <= 1
        assert fractions[-1] > 0.9


@pytest.mark.parametrize("name", ["posts.csv", "posts.jsonl", "posts.parquet"])
def test_the_column_of_the_texts_cannot_be_that_of_the_ids(tmp_path: Path, name: str) -> None:
    posts, path = pd.DataFrame({"text": ["寂しい", "疲れた"]}), tmp_path / name
    writers = {"csv": posts.to_csv, "parquet": posts.to_parquet}
    if path.suffix == ".jsonl":
        posts.to_json(path, orient="records", lines=True)
    else:
        writers[path.suffix[1:]](path, index=False)
    with pytest.raises(SchemaError, match="'text' is to be both text and id"):
        _read(path, "text")


def test_a_file_without_a_header_shows_no_cell_of_its_first_row(tmp_path: Path) -> None:
    for content in (b"t3_x1,alice,hopeless\n", "t3_x1,alice,hopeless\n".encode("utf-16")):
        with pytest.raises(SchemaError, match="columns, none with a usual name") as caught:
            _read(_write(tmp_path / "posts.csv", content))
        assert not any(word in str(caught.value) for word in ("alice", "a\x00l", "hopeless", "\x00"))


def test_lines_that_each_open_a_quote_are_read_on_to_the_end_but_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_handed = 0
    hand_over = csv_records._RecordLines.__next__

    def count(record_lines: csv_records._RecordLines) -> str:
        nonlocal n_handed
        n_handed += 1
        return hand_over(record_lines)

    monkeypatch.setattr(csv_records._RecordLines, "__next__", count)
    content = b"id,text,other\n" + b"".join(b'%d,he said x"y,"z\n' % n for n in range(1_000)) + b"last,fine,z\n"
    rows = _read(_write(tmp_path / "posts.csv", content), "id")
    assert [row.fault for row in rows] == [csv_records.NEVER_CLOSED] * 1_000 + [None]
    assert n_handed < 5_000


@pytest.mark.parametrize("name", ["text", "id"])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_column_that_is_there_twice_is_refused(tmp_path: Path, name: str, suffix: str) -> None:
    path = tmp_path / f"posts{suffix}"
    if suffix == ".csv":
        _write(path, f"id,text,{name}\na,one,two\n".encode())
    else:
        pq.write_table(pa.Table.from_arrays([pa.array(["a"])] * 3, names=["id", "text", name]), path)
    with pytest.raises(SchemaError, match=f"expected one column '{name}', found 2"):
        _read(path, "id")


def test_an_id_that_first_stands_late_in_jsonl_is_used(tmp_path: Path) -> None:
    content = b'{"text": "one"}\n' * 1_000 + b'{"text": "two", "post_id": "t3_x"}\n{"text": "three"}\n'
    rows = _read(_write(tmp_path / "posts.jsonl", content))
    assert [row.post_id for row in rows[998:]] == ["posts-999", "posts-1000", "t3_x", "posts-1002"]


def test_a_path_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "caf\udce9.csv", b"text\none\n")
    with pytest.raises(SchemaError, match=r"expected a path in UTF-8"):
        find_sources([str(path)])
