"""``screening data reddit2013`` writes a folder that ``prepare`` reads, whole or not at all."""

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from pipelines.cli import app
from screening.config import DataConfig
from screening.data.reddit2013 import CONTROLS, LABELS
from screening.data.sources import read_source
from screening.exceptions import ConfigError, DataAccessError

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


def test_a_folder_that_is_there_is_left_alone_unless_forced(crawl: Path, tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    _call("--to", str(made), "--from", str(crawl))  # an empty folder is no loss
    (made / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="--force"):
        _call("--to", str(made), "--from", str(crawl))
    assert (made / "mine.txt").exists()
    _call("--to", str(made), "--from", str(crawl), "--force")
    assert sorted(path.name for path in made.iterdir()) == ["controls.csv", "test.csv", "train.csv", "validation.csv"]


def test_a_crawl_with_a_file_missing_leaves_nothing(crawl: Path, tmp_path: Path) -> None:
    (crawl / "data" / "jobs.csv").unlink()
    with pytest.raises(DataAccessError, match=r"jobs\.csv"):
        _call("--to", str(tmp_path / "made"), "--from", str(crawl))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["crawl"]


def test_a_copy_without_identifiers_keeps_rows_order_and_other_columns(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"post_id": ["a", "b", "c"], "text": [f"{SECRET} u/nobody", "plain", ""], "label": ["x", "y", "z"]}
    )
    table.to_csv(tmp_path / "posts.csv", index=False)
    result = CliRunner().invoke(
        app, ["data", "deidentify", str(tmp_path / "posts.csv"), "-o", str(tmp_path / "out.parquet")]
    )
    assert result.exit_code == 0, result.exception
    assert "3 posts, 1 changed; replaced: 0 e-mail, 0 link, 1 user, 0 phone" in result.output
    assert "not anonymous" in result.output
    assert SECRET not in result.output
    copied = pd.read_parquet(tmp_path / "out.parquet")
    assert copied["text"].tolist() == [f"{SECRET} [user]", "plain", ""]
    pd.testing.assert_frame_equal(copied[["post_id", "label"]], table[["post_id", "label"]], check_dtype=False)


def test_the_copy_never_takes_the_place_of_its_input(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text("text\nhello u/nobody\n")
    for arguments, message in (
        (["-o", str(path), "--overwrite"], "both input and output"),
        (["-o", str(tmp_path / "out.csv"), "--region", "nowhere"], "two capital letters"),
        (["-o", str(tmp_path / "out.csv"), "--text-column", "body"], "body"),
    ):
        result = CliRunner().invoke(app, ["data", "deidentify", str(path), *arguments])
        assert message in str(result.exception)
    assert path.read_text() == "text\nhello u/nobody\n"
    assert list(tmp_path.iterdir()) == [path]
