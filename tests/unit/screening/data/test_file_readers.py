import os
from pathlib import Path

import pandas as pd
import pytest

from screening.data.file_readers import UNFINISHED, list_tables, read_table, show_columns
from screening.exceptions import DataAccessError, SchemaError

SECRET = "the purple walrus sang"


def test_csv_keeps_words_that_look_like_missing_values(tmp_path):
    path = tmp_path / "posts.csv"
    path.write_text("text,label\nNA,a\nnull,b\n,c\n", encoding="utf-8")
    assert read_table(path)["text"].tolist() == ["NA", "null", ""]


def test_csv_accepts_a_byte_order_mark_and_line_breaks_in_quotes(tmp_path):
    path = tmp_path / "posts.csv"
    path.write_bytes(b'\xef\xbb\xbftext,label\n"one\ntwo",a\n')
    table = read_table(path)
    assert table.columns.tolist() == ["text", "label"]
    assert table["text"][0] == "one\ntwo"


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_other_encodings_are_refused_with_byte_and_line(tmp_path, suffix):
    path = tmp_path / f"posts.{suffix}"
    path.write_bytes(b"text,label\n" + SECRET.encode() + b",a\ncaf\xe9,b\n")
    with pytest.raises(
        SchemaError, match=r"posts\.\w+: expected UTF-8, found byte 0xe9 at byte 39 \(line 3\)"
    ) as caught:
        read_table(path)
    assert SECRET not in str(caught.value)


def test_utf_16_is_refused(tmp_path):
    path = tmp_path / "posts.csv"
    path.write_text("text,label\nhello,a\n", encoding="utf-16")
    with pytest.raises(SchemaError, match="expected UTF-8"):
        read_table(path)


def test_nul_bytes_in_plain_text_are_refused_with_their_line(tmp_path):
    path = tmp_path / "posts.csv"
    path.write_bytes(b"text,label\nok,a\nno\x00t ok,b\n")
    with pytest.raises(SchemaError, match=r"NUL byte at byte 18 \(line 3\)"):
        read_table(path)


@pytest.mark.parametrize(
    "content",
    [
        f"text,label\n{SECRET},a\nb,c,d,e\n",  # too many cells in one row
        f"text,label\n{SECRET},a,b\n{SECRET},a,b\n",  # too many cells in every row
        f'text,label\n"{SECRET},a\n',  # quote never closed
    ],
)
def test_csv_parse_errors_name_the_file_and_no_text(tmp_path, content):
    path = tmp_path / "posts.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SchemaError, match=r"posts\.csv: not a readable CSV") as caught:
        read_table(path)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", ["posts.csv", "posts.jsonl"])
def test_files_without_rows_are_refused(tmp_path, name):
    path = tmp_path / name
    path.write_text("", encoding="utf-8")
    with pytest.raises(SchemaError, match="at least one row"):
        read_table(path)


def test_csv_with_a_header_only_is_refused(tmp_path):
    path = tmp_path / "posts.csv"
    path.write_text("text,label\n", encoding="utf-8")
    with pytest.raises(SchemaError, match="at least one row"):
        read_table(path)


@pytest.mark.parametrize(
    ("line", "problem"),
    [("{not json", "not valid JSON"), ('{"text": ' + "9" * 5000 + "}", "too long a number"), ('["a"]', "holds a list")],
)
def test_jsonl_faults_name_the_line(tmp_path, line, problem):
    path = tmp_path / "posts.jsonl"
    path.write_text('{"text": "a"}\n\n' + line, encoding="utf-8")
    with pytest.raises(SchemaError, match=f"line 3.*{problem}|line 3 {problem}"):
        read_table(path)


def test_jsonl_with_lone_surrogates_is_read_so_that_the_schema_can_name_the_row(tmp_path):
    path = tmp_path / "posts.jsonl"
    path.write_text('{"text": "a \\ud800 b"}', encoding="utf-8")
    assert read_table(path)["text"][0] == "a \ud800 b"


def test_parquet_round_trip_keeps_a_named_index(tmp_path):
    path = tmp_path / "posts.parquet"
    pd.DataFrame({"text": ["a", None]}, index=pd.Index(["x", "y"], name="key")).to_parquet(path)
    table = read_table(path)
    assert table["key"].tolist() == ["x", "y"]
    assert pd.isna(table["text"][1])


def test_parquet_that_is_none_is_refused(tmp_path):
    path = tmp_path / "posts.parquet"
    path.write_bytes(b"not parquet at all")
    with pytest.raises(SchemaError, match="not a readable Parquet file"):
        read_table(path)


def test_unknown_endings_are_refused(tmp_path):
    with pytest.raises(SchemaError, match=r"found '\.xlsx'"):
        read_table(tmp_path / "posts.xlsx")


def test_missing_files_are_an_access_error(tmp_path):
    with pytest.raises(DataAccessError, match="cannot be read"):
        read_table(tmp_path / "posts.csv")


def test_column_names_that_may_be_posts_are_not_shown():
    assert show_columns(["text", SECRET]) == f"text, <name of {len(SECRET)} characters>"
    assert show_columns(["text", "a\x00b"]) == "text, <name of 3 characters>"


@pytest.mark.parametrize("cells", [["t3_x1", "alice", "hopeless"], ["\ufffdt\x00e\x00x\x00t\x00"], ["tired", "2013"]])
def test_no_cell_of_a_file_without_a_header_is_shown(cells):
    shown = show_columns(cells)
    assert shown.startswith(f"{len(cells)} columns, none with a usual name")
    assert not any(cell in shown for cell in cells)


def test_a_folder_is_read_as_one_table_without_hidden_and_unfinished_files(tmp_path):
    (tmp_path / "part-1.csv").write_text("post_id,n\nb,2\n", encoding="utf-8")
    (tmp_path / "part-0.csv").write_text("post_id,n\na,1\n", encoding="utf-8")
    pd.DataFrame({"post_id": [], "n": []}).to_parquet(tmp_path / "part-2.parquet")
    for name in ("_rejects.csv", ".part-3.csv", "_job.json", "notes.txt"):
        (tmp_path / name).write_text("planted", encoding="utf-8")
    table = read_table(tmp_path)
    assert table["post_id"].tolist() == ["a", "b"]
    assert list(table.columns) == ["post_id", "n"]


def test_an_unfinished_folder_and_one_without_tables_are_refused(tmp_path):
    with pytest.raises(SchemaError, match="expected a folder with files ending in"):
        read_table(tmp_path)
    (tmp_path / "part-0.csv").write_text("post_id\na\n", encoding="utf-8")
    (tmp_path / UNFINISHED).touch()
    with pytest.raises(SchemaError, match=r"is not finished.*goes on where it ended"):
        read_table(tmp_path)


def test_a_link_to_nothing_and_an_unreadable_folder_are_refused(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_text("text\nx\n", encoding="utf-8")
    (tmp_path / "b.csv").symlink_to(tmp_path / "absent.csv")
    with pytest.raises(DataAccessError, match=r"b\.csv is a link to a file that is not there"):
        list_tables(tmp_path)
    (tmp_path / "b.csv").unlink()
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    (tmp_path / "locked").mkdir()
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataAccessError, match=r"locked cannot be read \(Permission denied\)"):
        list_tables(tmp_path)
