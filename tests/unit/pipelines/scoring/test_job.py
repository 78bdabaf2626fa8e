"""Scoring a file: the score table in the asked format, whole or not at all."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipelines.stages import score as stage
from pipelines.stages.score import score_file
from screening.exceptions import ConfigError, DataAccessError, SchemaError
from screening.scoring import Screener

TEXTS = ["so tired today", "my dog is happy, really", "line one\nline two", "no sleep 😀"]


@pytest.fixture(scope="module")
def bundle_dir(save_small_bundle: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_bundle(tmp_path_factory.mktemp("score") / "bundle")


@pytest.fixture
def posts() -> pd.DataFrame:
    return pd.DataFrame({"id": ["a", "b", "c", "d"], "body": TEXTS})


def _write(posts: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".parquet":
        posts.to_parquet(path)
    elif path.suffix == ".jsonl":
        posts.to_json(path, orient="records", lines=True)
    else:
        posts.to_csv(path, index=False)
    return path


def _read(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_json(path, lines=True) if path.suffix == ".jsonl" else pd.read_csv(path)


@pytest.mark.parametrize("out_suffix", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("in_suffix", [".csv", ".jsonl", ".parquet"])
def test_formats_in_and_out_give_the_screeners_own_scores(
    posts: pd.DataFrame, bundle_dir: Path, tmp_path: Path, in_suffix: str, out_suffix: str
) -> None:
    source, out = _write(posts, tmp_path / f"posts{in_suffix}"), tmp_path / "new" / f"scores{out_suffix}"
    summary = score_file(source, bundle_dir, out, text_column="body", id_column="id", progress=False)
    screener = Screener.load(bundle_dir)
    expected = screener.score(TEXTS, ["a", "b", "c", "d"]).assign(model_version=screener.version)
    pd.testing.assert_frame_equal(_read(out), expected, check_dtype=False, rtol=1e-12)
    assert summary.n_posts == sum(summary.n_by_triage.values()) == 4
    assert summary.model_version == screener.version
    assert summary.is_synthetic
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_posts_without_an_id_column_are_named_by_file_and_row(
    posts: pd.DataFrame, bundle_dir: Path, tmp_path: Path
) -> None:
    source, out = _write(posts, tmp_path / "posts.csv"), tmp_path / "scores.csv"
    score_file(source, bundle_dir, out, text_column="body", progress=False)
    assert _read(out)["post_id"].tolist() == ["posts-1", "posts-2", "posts-3", "posts-4"]


def test_no_text_reaches_the_output(posts: pd.DataFrame, bundle_dir: Path, tmp_path: Path) -> None:
    source, out = _write(posts, tmp_path / "posts.csv"), tmp_path / "scores.csv"
    score_file(source, bundle_dir, out, text_column="body", id_column="id", progress=False)
    assert not any(word in out.read_text(encoding="utf-8") for word in ("tired", "happy", "line one", "😀"))


def test_an_existing_output_is_kept_unless_it_may_be_replaced(
    posts: pd.DataFrame, bundle_dir: Path, tmp_path: Path
) -> None:
    source, out = _write(posts, tmp_path / "posts.csv"), tmp_path / "scores.csv"
    out.write_text("precious", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"exists already.*--overwrite"):
        score_file(source, bundle_dir, out, text_column="body", progress=False)
    assert out.read_text(encoding="utf-8") == "precious"
    score_file(source, bundle_dir, out, text_column="body", overwrite=True, progress=False)
    assert len(_read(out)) == 4


def test_the_input_is_never_overwritten(posts: pd.DataFrame, bundle_dir: Path, tmp_path: Path) -> None:
    source = _write(posts, tmp_path / "posts.csv")
    before = source.read_bytes()
    with pytest.raises(ConfigError, match="both input and output"):
        score_file(source, bundle_dir, source, text_column="body", overwrite=True, progress=False)
    assert source.read_bytes() == before


def test_an_unknown_output_format_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"found '.xlsx'"):
        score_file(tmp_path / "none.csv", tmp_path / "none", tmp_path / "scores.xlsx")


def test_bad_rows_stop_the_file_by_id_and_nothing_is_written(
    posts: pd.DataFrame, bundle_dir: Path, tmp_path: Path
) -> None:
    posts.loc[2, "body"] = ""
    source, out = _write(posts, tmp_path / "posts.csv"), tmp_path / "scores.csv"
    with pytest.raises(SchemaError, match=r"text is empty.*\(c\)") as caught:
        score_file(source, bundle_dir, out, text_column="body", id_column="id", progress=False)
    assert "tired" not in str(caught.value)
    assert not out.exists()


def test_a_missing_input_says_so(bundle_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(DataAccessError, match=r"none\.csv"):
        score_file(tmp_path / "none.csv", bundle_dir, tmp_path / "scores.csv", progress=False)


def test_a_failed_write_leaves_nothing_behind(
    posts: pd.DataFrame, bundle_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = _write(posts, tmp_path / "posts.csv"), tmp_path / "out" / "scores.csv"

    def fill_the_disk(self: pd.DataFrame, path: Path, **_: object) -> None:
        path.write_text("half a ta", encoding="utf-8")
        message = "No space left on device"
        raise OSError(message)

    monkeypatch.setattr(stage.pd.DataFrame, "to_csv", fill_the_disk)
    with pytest.raises(OSError, match="No space"):
        score_file(source, bundle_dir, out, text_column="body", progress=False)
    assert list(out.parent.iterdir()) == []
