"""``screening data reddit2013`` writes a folder that ``prepare`` reads, whole or not at all."""

import csv
import json
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from pipelines.cli import app
from screening.config import DataConfig
from screening.data.reddit2013 import CONTROLS, LABELS
from screening.data.sources import read_source
from screening.exceptions import ConfigError, DataAccessError, ScreeningError

SECRET = "a walk at dusk that nobody may read of"


@pytest.fixture
def crawl(tmp_path: Path) -> Path:
    folder = tmp_path / "crawl" / "data"
    folder.mkdir(parents=True)
    for name in (*LABELS, *CONTROLS):
        bodies = [f"{SECRET} {name} {i}" for i in range(20)]
        table = pd.DataFrame({"selftext": bodies, "title": "t", "is_self": "True", "score": "3", "created_utc": "1.0"})
        table.to_csv(folder / f"{name}.csv", index=False)
    return folder.parent


def _call(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["data", "reddit2013", *arguments])
    if result.exception is not None:
        raise result.exception
    return result.output


def test_it_writes_what_the_configuration_reads_and_says_what_comes_next(crawl: Path, tmp_path: Path) -> None:
    said = _call("--to", str(tmp_path / "made"), "--from", str(crawl))
    assert "train.csv: 84 posts, differs from the shipped one" in said
    assert f"next: screening run --config reddit2013 --set data.path={tmp_path / 'made'}" in said
    assert SECRET not in said
    posts, controls = read_source(DataConfig(source="reddit2013", path=str(tmp_path / "made"), taxonomy="mh5"), seed=0)
    assert posts["source_split"].value_counts().to_dict() == {"train": 84, "test": 24, "validation": 12}
    assert set(posts["label"]) == set(LABELS.values())
    assert controls is not None
    assert len(controls) == 20 * len(CONTROLS)
    assert (posts["text"].str.contains(SECRET)).all()


def test_a_folder_that_is_there_is_left_alone(crawl: Path, tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    _call("--to", str(made), "--from", str(crawl))  # an empty folder is no loss
    with pytest.raises(ConfigError, match="--force"):
        _call("--to", str(made), "--from", str(crawl))
    (made / "test.csv").unlink()
    _call("--to", str(made), "--from", str(crawl), "--force")
    assert sorted(path.name for path in made.iterdir()) == ["controls.csv", "test.csv", "train.csv", "validation.csv"]
    (made / "mine.txt").write_text("mine")
    for place in (made, made / "mine.txt", Path()):
        with pytest.raises(ConfigError, match="left as it is; name a new folder"):
            _call("--to", str(place), "--from", str(crawl), "--force")
    assert (made / "mine.txt").read_text() == "mine"


def test_a_crawl_with_a_file_missing_leaves_nothing(crawl: Path, tmp_path: Path) -> None:
    (crawl / "data" / "jobs.csv").unlink()
    with pytest.raises(DataAccessError, match=r"jobs\.csv"):
        _call("--to", str(tmp_path / "made"), "--from", str(crawl))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["crawl"]


def _copy(source: Path, out: Path, *options: str) -> Any:
    return CliRunner().invoke(app, ["data", "deidentify", str(source), "-o", str(out), *options])


@pytest.mark.parametrize("ending", [".csv", ".tsv"])
def test_a_copied_table_keeps_rows_order_and_other_columns(tmp_path: Path, ending: str) -> None:
    mark = {".csv": ",", ".tsv": "\t"}[ending]
    lines = ["a", "self", "a"], ["01", f"{SECRET}\nu/nobody", "NA"], ["", "plain", '"q"'], ["3", "", "@x"]
    with (tmp_path / f"posts{ending}").open("w", newline="") as file:
        csv.writer(file, delimiter=mark).writerows(lines)
    done = _copy(tmp_path / f"posts{ending}", tmp_path / f"out{ending}", "--text-column", "self")
    assert done.exit_code == 0, done.exception
    assert "3 posts, 1 changed; replaced: 0 e-mail, 0 link, 1 user, 0 phone" in done.output
    assert "not anonymous" in done.output
    assert SECRET not in done.output
    with (tmp_path / f"out{ending}").open(newline="") as file:
        copied = list(csv.reader(file, delimiter=mark))
    assert copied == [lines[0], ["01", f"{SECRET}\n[user]", "NA"], *lines[2:]]


def test_a_copied_parquet_file_keeps_its_schema(tmp_path: Path) -> None:
    columns = {
        "id": pa.array([9007199254740993, None, 3], pa.int64()),
        "text": pa.array(["hi u/nobody", None, "plain"], pa.large_string()),
        "at": pa.array([1, 2, 3], pa.timestamp("us", tz="UTC")),
    }
    pq.write_table(pa.table(columns), tmp_path / "posts.parquet")
    assert _copy(tmp_path / "posts.parquet", tmp_path / "out.parquet").exit_code == 0
    expected = pa.table(columns | {"text": pa.array(["hi [user]", None, "plain"], pa.large_string())})
    assert pq.read_table(tmp_path / "out.parquet").equals(expected, check_metadata=False)


def test_copied_lines_keep_their_values(tmp_path: Path) -> None:
    records = [{"text": "hi u/nobody", "n": 9007199254740993, "more": [1, {"a": None}]}, {"text": None, "n": 1.5}]
    (tmp_path / "posts.jsonl").write_text("\n\n".join(map(json.dumps, records)) + "\n")
    assert _copy(tmp_path / "posts.jsonl", tmp_path / "out.jsonl").exit_code == 0
    copied = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert copied == [records[0] | {"text": "hi [user]"}, records[1]]


def test_half_a_character_and_a_blank_row_are_no_hindrance_and_line_ends_stay(tmp_path: Path) -> None:
    (tmp_path / "posts.jsonl").write_text('{"text": "cut \\ud83d u/nobody"}\n{"text": "ключ"}\n', encoding="utf-8")
    assert _copy(tmp_path / "posts.jsonl", tmp_path / "out.jsonl").exit_code == 0
    copied = (tmp_path / "out.jsonl").read_text(encoding="utf-8")
    assert copied == '{"text": "cut \\ud83d [user]"}\n{"text": "ключ"}\n'
    (tmp_path / "posts.csv").write_bytes(b"text,n\nhi,1\n\n")
    assert _copy(tmp_path / "posts.csv", tmp_path / "out.csv").exit_code == 0
    assert (tmp_path / "out.csv").read_bytes() == b"text,n\nhi,1\n"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"text,b\nx\n", "found 1 in row 1"),
        ("a.csv", b"body,b\nx,y\n", "--text-column"),
        ("a.csv", b"text\n\xff\n", "UTF-8"),
        ("a.csv", b"", "--text-column"),
        ("a.jsonl", b'{"text": "x"}\n{"text": ["a secret"]}\n', "row 2"),
        ("a.jsonl", b'{"text": "x"}\na secret\n', "line 2"),
        ("a.parquet", b"no parquet", "Parquet"),
        ("a.txt", b"text\n", "one ending"),
    ],
)
def test_a_file_that_cannot_be_copied_whole_is_not_copied(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    done = _copy(tmp_path / name, tmp_path / f"out{Path(name).suffix}")
    assert isinstance(done.exception, ScreeningError)
    assert said in str(done.exception)
    assert "secret" not in str(done.exception)
    assert list(tmp_path.iterdir()) == [tmp_path / name]


def test_the_copy_never_takes_the_place_of_its_input(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text("text\nhello u/nobody\n")
    for out, options in ((path, ["--overwrite"]), (tmp_path / "out.csv", ["--region", "nowhere"])):
        assert isinstance(_copy(path, out, *options).exception, ConfigError)
    assert _copy(path, tmp_path / "out.csv").exit_code == 0
    assert isinstance(_copy(path, tmp_path / "out.csv").exception, ConfigError)
    assert _copy(path, tmp_path / "out.csv", "--overwrite").exit_code == 0
    assert path.read_text() == "text\nhello u/nobody\n"


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_only_its_owner_can_read_a_copy_even_where_a_killed_call_left_an_open_part(tmp_path: Path, ending: str) -> None:
    posts = pd.DataFrame({"text": ["hi u/nobody"]})
    write = {"csv": posts.to_csv, "jsonl": partial(posts.to_json, orient="records", lines=True)}
    write.get(ending, posts.to_parquet)(tmp_path / f"posts.{ending}")
    out, part = tmp_path / f"out.{ending}", tmp_path / f".out.{ending}.part"
    part.write_text("half")
    part.chmod(0o644)
    assert _copy(tmp_path / f"posts.{ending}", out).exit_code == 0
    assert out.stat().st_mode & 0o077 == 0
    assert not part.exists()
