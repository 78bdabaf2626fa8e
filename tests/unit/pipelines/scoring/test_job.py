"""The scoring job: every input format, whole outputs, rows rejected with a reason, and going on where it ended."""

import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from filelock import FileLock
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.scoring import assembling, places
from pipelines.scoring.checking import Reject
from pipelines.scoring.job import ScoreOptions, ScoreSummary, score_posts
from pipelines.scoring.job_folder import JobFolder
from pipelines.scoring.parts import describe_part
from screening.data.file_readers import read_table
from screening.exceptions import ConfigError, DataAccessError, SchemaError
from screening.scoring import Screener

TEXTS = ["so tired today", "my dog is happy, really", "line one\nline two", "no sleep 😀"]
IDS = ["a", "b", "c", "d"]


@pytest.fixture(scope="module")
def bundle_dir(save_small_bundle: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_bundle(tmp_path_factory.mktemp("score") / "bundle")


@pytest.fixture(scope="module")
def screener(bundle_dir: Path) -> Screener:
    return Screener.load(bundle_dir)


@pytest.fixture
def posts() -> pd.DataFrame:
    return pd.DataFrame({"id": IDS, "body": TEXTS})


@pytest.fixture
def score(bundle_dir: Path, screener: Screener) -> Callable[..., ScoreSummary]:
    """Score with the loaded screener; options by name."""

    def run(inputs: Path | list[Any], out: Path, **options: Any) -> ScoreSummary:
        given = inputs if isinstance(inputs, list) else [inputs]
        chosen = ScoreOptions(**{"text_column": "body", "progress": False, **options})
        return score_posts(given, bundle_dir, out, chosen, load_screener=lambda _: screener)

    return run


def _write(posts: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".parquet":
        posts.to_parquet(path)
    elif path.suffix == ".jsonl":
        posts.to_json(path, orient="records", lines=True)
    else:
        posts.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    return path


def _read(path: Path) -> pd.DataFrame:
    if path.is_dir() or path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_json(path, lines=True) if path.suffix == ".jsonl" else pd.read_csv(path)


def _list_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


@pytest.mark.parametrize("out_name", ["scores.csv", "scores.jsonl", "scores.parquet", "scores"])
@pytest.mark.parametrize("in_suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_formats_in_and_out_give_the_screeners_own_scores(
    posts: pd.DataFrame, screener: Screener, score: Any, tmp_path: Path, in_suffix: str, out_name: str
) -> None:
    source, out = _write(posts, tmp_path / f"posts{in_suffix}"), tmp_path / "new" / out_name
    done = score(source, out, id_column="id")
    expected = screener.score(TEXTS, IDS)
    for point in screener.manifest.operating_points:
        expected[f"threshold_{point.name}"] = point.threshold
    expected["model_version"] = screener.version
    pd.testing.assert_frame_equal(_read(out), expected, check_dtype=False, rtol=1e-12)
    assert done.totals.n_posts == sum(done.totals.n_by_triage.values()) == done.n_scored == 4
    assert _list_files(out.parent) == [out.name]
    assert done.is_synthetic
    assert done.is_met


def test_a_folder_holds_parts_and_the_record_of_the_job(
    posts: pd.DataFrame, screener: Screener, score: Any, tmp_path: Path
) -> None:
    out = tmp_path / "scores"
    score(_write(posts, tmp_path / "posts.csv"), out, id_column="id", part_rows=3)
    assert _list_files(out) == ["_job.json", "part-000000.parquet", "part-000001.parquet"]
    record = json.loads((out / "_job.json").read_text(encoding="utf-8"))
    assert record["model_version"] == screener.version
    assert record["totals"]["n_posts"] == 4
    points = screener.manifest.operating_points
    assert [point["target_recall"] for point in record["operating_points"]] == [point.target_recall for point in points]
    assert read_table(out)["post_id"].tolist() == IDS


def test_several_inputs_folders_and_patterns_are_read_in_order_and_once(
    posts: pd.DataFrame, score: Any, tmp_path: Path
) -> None:
    for place, name in enumerate(("one/posts.csv", "two/posts.jsonl", "two/_hidden.csv", "three/posts.parquet")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        _write(posts[["body"]].iloc[place : place + 1], tmp_path / name)
    score([tmp_path / "one", tmp_path / "t*" / "p*", tmp_path / "two"], tmp_path / "scores")
    ids = _read(tmp_path / "scores")["post_id"].tolist()
    assert ids == ["posts-1", "posts.2-1", "posts.3-1"]


def test_posts_without_an_id_column_are_named_by_file_and_row(posts: pd.DataFrame, score: Any, tmp_path: Path) -> None:
    score(_write(posts, tmp_path / "posts.csv"), tmp_path / "scores.csv")
    assert _read(tmp_path / "scores.csv")["post_id"].tolist() == ["posts-1", "posts-2", "posts-3", "posts-4"]


def test_standard_input_is_scored_and_goes_on_when_the_same_comes_again(
    posts: pd.DataFrame, score: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = posts.to_json(orient="records", lines=True).encode()

    def pipe(given: bytes) -> ScoreSummary:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        return score(["-"], tmp_path / "scores", text_format="jsonl", part_rows=2)

    assert pipe(content).n_scored == 4
    assert pipe(content).n_scored == 0
    with pytest.raises(SchemaError, match="made from other rows"):
        pipe(content.replace(b"tired", b"happy"))
    assert _read(tmp_path / "scores")["post_id"].tolist() == [f"stdin-{row}" for row in range(1, 5)]


@pytest.mark.parametrize("text_format", [None, "parquet"])
def test_standard_input_needs_a_format_it_can_be_read_in(score: Any, tmp_path: Path, text_format: str | None) -> None:
    with pytest.raises(ConfigError, match="needs --format csv, tsv or jsonl"):
        score(["-"], tmp_path / "scores", text_format=text_format)


def test_no_text_reaches_scores_rejects_or_record(posts: pd.DataFrame, score: Any, tmp_path: Path) -> None:
    posts.loc[4] = ["an id of words", "planted phrase one"]
    posts.loc[5] = ["a", "planted phrase two"]
    out = tmp_path / "scores"
    score(_write(posts, tmp_path / "posts.csv"), out, id_column="id", max_rejected=1)
    written = b"".join(path.read_bytes() for path in out.iterdir()) + (out / "_rejects.csv").read_bytes()
    for words in (b"tired", b"happy", b"line one", b"planted", b"an id of"):
        assert words not in written


def test_rejected_rows_are_listed_with_their_place_and_reason(posts: pd.DataFrame, score: Any, tmp_path: Path) -> None:
    rows = {"body": [*TEXTS, "", "&#8203;", "x" * 40_001, "fine", "a\x00b"], "id": [*IDS, "e", "f", "g", "a", "h"]}
    out = tmp_path / "scores"
    done = score(_write(pd.DataFrame(rows), tmp_path / "posts.parquet"), out, id_column="id", part_rows=6)
    rejects = pd.read_csv(out / "_rejects.csv", keep_default_na=False)
    assert list(zip(rejects["row"], rejects["post_id"], rejects["reason"], strict=True)) == [
        (5, "e", "text is empty"),
        (6, "f", "text is empty after cleaning"),
        (7, "g", "text is over 40000 characters"),
        (8, "", "id is not unique"),
        (9, "h", "text holds NUL bytes"),
    ]
    assert (done.totals.n_posts, done.totals.n_rejected, done.totals.n_rows) == (4, 5, 9)
    assert not done.is_met
    assert _read(out)["post_id"].tolist() == IDS


def test_of_repeated_ids_the_first_post_that_can_be_scored_is_kept(score: Any, tmp_path: Path) -> None:
    first = pd.DataFrame({"id": ["a", "b"], "body": ["", "so tired"]})
    second = pd.DataFrame({"id": ["a", "b"], "body": ["my dog", "happy"]})
    inputs = [_write(first, tmp_path / "1.csv"), _write(second, tmp_path / "2.jsonl")]
    score(inputs, tmp_path / "scores", id_column="id", part_rows=1)
    assert _read(tmp_path / "scores")["post_id"].tolist() == ["b", "a"]


def test_a_single_file_has_its_rejects_beside_it(posts: pd.DataFrame, score: Any, tmp_path: Path) -> None:
    posts.loc[2, "body"] = " "
    done = score(_write(posts, tmp_path / "posts.csv"), tmp_path / "scores.csv", id_column="id")
    assert _list_files(tmp_path) == ["posts.csv", "scores.csv", "scores.csv.rejects.csv"]
    assert done.place.rejects == tmp_path / "scores.csv.rejects.csv"
    assert len(_read(tmp_path / "scores.csv")) == 3


def test_a_part_without_a_good_row_leaves_a_whole_table(score: Any, tmp_path: Path) -> None:
    posts = pd.DataFrame({"body": ["", "", "so tired", "happy"]})
    for name in ("scores.jsonl", "scores.parquet", "scores"):
        score(_write(posts, tmp_path / "posts.csv"), tmp_path / name, part_rows=2)
        assert _read(tmp_path / name)["post_id"].tolist() == ["posts-3", "posts-4"]


def test_a_finished_job_does_nothing_until_an_input_changes(posts: pd.DataFrame, score: Any, tmp_path: Path) -> None:
    source, out = _write(posts, tmp_path / "posts.csv"), tmp_path / "scores"
    score(source, out, part_rows=2)
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    again = score(source, out, part_rows=2)
    assert (again.n_scored, again.totals.n_posts) == (0, 4)
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before
    _write(posts.assign(body=[*TEXTS[:3], "other"]), source)
    with pytest.raises(SchemaError, match=r"part-000001.*an input changed"):
        score(source, out, part_rows=2)
    _write(posts.iloc[:2], source)
    with pytest.raises(SchemaError, match=r"part-000001.*an input changed"):
        score(source, out, part_rows=2)


def test_an_unfinished_job_scores_only_what_is_missing(
    posts: pd.DataFrame, screener: Screener, score: Any, tmp_path: Path
) -> None:
    source, out = _write(posts, tmp_path / "posts.csv"), tmp_path / "scores"
    score(source, out, part_rows=1)
    whole = _read(out)
    (out / "part-000002.parquet").unlink()
    (out / "_UNFINISHED").touch()
    with pytest.raises(SchemaError, match="not finished"):
        read_table(out)
    assert score(source, out, part_rows=1, overwrite=True).n_scored == 1
    pd.testing.assert_frame_equal(_read(out), whole)


def test_a_job_of_other_inputs_options_or_bundle_is_refused_unless_it_may_be_replaced(
    posts: pd.DataFrame, score: Any, tmp_path: Path
) -> None:
    source, out = _write(posts, tmp_path / "posts.csv"), tmp_path / "scores"
    score(source, out)
    before = {path: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(ConfigError, match=r"another id_column.*--overwrite"):
        score(source, out, id_column="id")
    with pytest.raises(ConfigError, match=r"another inputs.*--overwrite"):
        score(_write(posts, tmp_path / "more.csv"), out)
    with pytest.raises(SchemaError, match="expected a column 'absent'"):
        score(source, out, id_column="absent", overwrite=True)
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    score(source, out, id_column="id", overwrite=True)
    assert _read(out)["post_id"].tolist() == IDS


def test_a_folder_of_something_else_is_never_touched(posts: pd.DataFrame, score: Any, tmp_path: Path) -> None:
    source, out = _write(posts, tmp_path / "posts.csv"), tmp_path / "mine"
    out.mkdir()
    (out / "part-000000.parquet").write_text("precious", encoding="utf-8")
    with pytest.raises(ConfigError, match="not a folder of scores"):
        score(source, out, overwrite=True)
    assert (out / "part-000000.parquet").read_text(encoding="utf-8") == "precious"


def test_two_processes_do_not_write_to_one_output(posts: pd.DataFrame, score: Any, tmp_path: Path) -> None:
    source, out = _write(posts, tmp_path / "posts.csv"), tmp_path / "scores"
    out.mkdir()
    with FileLock(out / ".lock"), pytest.raises(ConfigError, match="another process writes"):
        score(source, out)


def test_an_existing_file_is_kept_unless_it_may_be_replaced(posts: pd.DataFrame, score: Any, tmp_path: Path) -> None:
    source, out = _write(posts, tmp_path / "posts.csv"), tmp_path / "scores.csv"
    out.write_text("precious", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"exists already.*--overwrite"):
        score(source, out)
    assert out.read_text(encoding="utf-8") == "precious"
    score(source, out, overwrite=True)
    assert len(_read(out)) == 4


def test_the_output_is_never_an_input_nor_among_them(posts: pd.DataFrame, score: Any, tmp_path: Path) -> None:
    (tmp_path / "posts").mkdir()
    source = _write(posts, tmp_path / "posts" / "posts.csv")
    before = source.read_bytes()
    for inputs, out, said in (
        ([source], source, "both input and output"),
        ([tmp_path / "posts"], tmp_path / "posts" / "scores", "lies in the input folder"),
        ([source], tmp_path / "posts", "holds one of the inputs"),
        ([source], tmp_path / "scores.xlsx", r"found '\.xlsx'"),
    ):
        with pytest.raises(ConfigError, match=said):
            score(inputs, out, overwrite=True)
    assert source.read_bytes() == before
    assert _list_files(tmp_path) == ["posts"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.csv", None, "found nothing of that name"),
        ("posts.xlsx", b"x", "say what it is with --format"),
        ("posts.csv", b"", "at least one row"),
        ("posts.csv", b"body\n", "at least one row"),
        ("posts.csv", b"text,id\nx,1\n", "expected a column 'body', found text, id"),
        ("posts.csv", "body\nx\n".encode("utf-16"), "expected a column 'body'"),
        ("posts.jsonl", b'{"text": 1}\n', "expected a column 'body', found text"),
        ("posts.jsonl", b"[1]\n", "expected a column 'body'"),
        ("posts.parquet", b"PAR1 and rubbish", "not a readable Parquet file"),
        ("posts.parquet", b"", "not a readable Parquet file"),
    ],
)
def test_an_input_that_is_no_table_of_posts_is_refused_and_nothing_is_made(
    score: Any, tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    for out in ("scores", "scores.csv"):
        with pytest.raises((ConfigError, DataAccessError, SchemaError), match=said):
            score(tmp_path / name, tmp_path / out)
    assert [path.name for path in tmp_path.iterdir()] == ([name] if content is not None else [])


def test_texts_that_are_no_strings_are_refused_by_the_type_of_their_column(score: Any, tmp_path: Path) -> None:
    source = _write(pd.DataFrame({"body": [1, 2]}), tmp_path / "posts.parquet")
    with pytest.raises(SchemaError, match="expected strings in column 'body', found int64"):
        score(source, tmp_path / "scores")
    assert not (tmp_path / "scores").exists()


def test_a_failed_write_keeps_the_parts_and_goes_on_later(
    posts: pd.DataFrame, score: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = _write(posts, tmp_path / "posts.csv"), tmp_path / "scores.csv"

    def fill_the_disk(aside: Path, path: Path) -> None:
        message = "No space left on device"
        raise OSError(message)

    with monkeypatch.context() as patched:
        patched.setattr(assembling, "put_in_place", fill_the_disk)
        with pytest.raises(OSError, match="No space"):
            score(source, out)
    assert _list_files(tmp_path) == [".scores.csv.parts", "posts.csv"]
    assert score(source, out).n_scored == 0
    assert len(_read(out)) == 4


def test_the_command_says_what_it_did_and_exits_3_when_too_many_rows_are_rejected(
    posts: pd.DataFrame, bundle_dir: Path, tmp_path: Path
) -> None:
    posts.loc[2, "body"] = ""
    source, out = _write(posts, tmp_path / "posts.csv"), tmp_path / "scores"
    command = ["score", str(source), "--bundle", str(bundle_dir), "--out", str(out), "--text-column", "body"]
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code == 3
    assert "read 1 file\n" in shown.output
    assert "scored 3 posts, 3 of them now at" in shown.output
    assert "rejected: 1 of 4 rows" in shown.output
    assert "nobody has screened them" in shown.stderr
    again = CliRunner().invoke(app, [*command, "--max-rejected", "0.25"])
    assert again.exit_code == 0, again.output
    assert "all of it was there before" in again.output


def test_lost_parts_and_rejects_of_a_finished_job_are_made_again(
    posts: pd.DataFrame, score: Any, tmp_path: Path
) -> None:
    posts.loc[1, "body"] = ""
    source, out = _write(posts, tmp_path / "posts.csv"), tmp_path / "scores"
    score(source, out, part_rows=1)
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.name != "_job.json"}
    for lost in ("part-000003.parquet", "_part-000001.rejects.csv", "_rejects.csv"):
        (out / lost).unlink()
        assert score(source, out, part_rows=1).totals.n_posts == 3
        assert {path.name: path.read_bytes() for path in out.iterdir() if path.name != "_job.json"} == before


def test_parts_that_no_job_wrote_there_are_refused(posts: pd.DataFrame, score: Any, tmp_path: Path) -> None:
    source, out = _write(posts, tmp_path / "posts.csv"), tmp_path / "scores"
    score(source, out)
    for foreign, said in (("copy.parquet", "'copy.parquet', which no job"), ("part-000007.parquet", "part-000007")):
        shutil.copy(out / "part-000000.parquet", out / foreign)
        with pytest.raises((ConfigError, SchemaError), match=said):
            score(source, out)
        (out / foreign).unlink()
    (out / "part-000000.parquet").write_bytes(b"rubbish")
    with pytest.raises(ConfigError, match="is damaged; delete it and run the command again"):
        score(source, out)
    (out / "part-000000.parquet").unlink()
    assert score(source, out).n_scored == 4


def test_rejects_have_no_limit_of_the_footer(tmp_path: Path) -> None:
    rejects = (Reject(input="posts.csv", row=row, line=None, post_id=None, reason="text is empty") for row in range(9))
    folder = JobFolder(tmp_path)
    scores = pd.DataFrame({"post_id": ["a"], "triage": ["review"], "is_truncated": [False]})
    folder.write_part(0, scores, describe_part(scores, 10, "digest"), rejects)
    assert b"text is empty" not in (tmp_path / "part-000000.parquet").read_bytes()
    assert pd.read_parquet(tmp_path)["post_id"].tolist() == ["a"]
    listed = (tmp_path / "_part-000000.rejects.csv").read_text(encoding="utf-8").splitlines()
    assert (len(listed), listed[0]) == (9, "posts.csv,0,,,text is empty")


def test_neither_an_input_nor_a_file_of_others_gives_way_to_the_rejects(
    posts: pd.DataFrame, score: Any, tmp_path: Path
) -> None:
    rejects, out = tmp_path / "x.csv.rejects.csv", tmp_path / "x.csv"
    before = _write(posts, rejects).read_bytes()
    with pytest.raises(ConfigError, match="both input and output"):
        score(rejects, out, overwrite=True)
    with pytest.raises(ConfigError, match=r"rejects.csv exists already"):
        score(_write(posts, tmp_path / "posts.csv"), out)
    assert rejects.read_bytes() == before


def test_a_job_stopped_between_its_rejects_and_its_scores_goes_on(
    posts: pd.DataFrame, score: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    posts.loc[1, "body"] = ""
    source, out = _write(posts, tmp_path / "posts.csv"), tmp_path / "scores.csv"
    with monkeypatch.context() as patched:
        patched.setattr(places, "assemble", lambda *_: sys.exit("stopped"))
        with pytest.raises(SystemExit):
            score(source, out)
    assert (tmp_path / "scores.csv.rejects.csv").is_file()
    assert score(source, out).totals.n_posts == 3


def test_files_of_a_folder_that_are_not_read_are_counted_and_recorded(
    posts: pd.DataFrame, score: Any, tmp_path: Path
) -> None:
    folder, out = tmp_path / "posts", tmp_path / "scores"
    (folder / "_left").mkdir(parents=True)
    _write(posts, folder / "a.csv")
    for name in ("b.csv.gz", "c.json", "d.txt", "e.txt", ".hidden", "_left/f.txt"):
        (folder / name).write_text("x", encoding="utf-8")
    (folder / "elsewhere").symlink_to(tmp_path, target_is_directory=True)
    done = score(folder, out)
    assert (done.n_files, done.skipped) == (1, {".gz": 1, ".json": 1, ".txt": 2, "linked folder": 1})
    assert json.loads((out / "_job.json").read_text(encoding="utf-8"))["skipped"] == done.skipped


def test_an_address_of_spark_without_spark_is_refused(tmp_path: Path) -> None:
    command = ["score", "x.csv", "--bundle", "b", "--out", str(tmp_path / "out"), "--master", "local[2]"]
    with pytest.raises(ConfigError, match="--engine spark"):
        CliRunner().invoke(app, command, catch_exceptions=False)
