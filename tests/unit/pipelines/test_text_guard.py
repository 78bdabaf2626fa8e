"""Files that may hold a person's text or name stay in the run folder."""

import pandas as pd
import pytest

from pipelines.text_guard import validate_shareable
from screening.exceptions import MissingArtifactError, SchemaError

POSTS = pd.DataFrame({"post_id": ["a", "b"], "text": ["first planted phrase", "second planted phrase"]})


def test_report_folder_is_listed_in_order(tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "index.html").write_text("<p>numbers</p>")
    (tmp_path / "tables" / "recall.csv").write_text("target,recall\nany_risk,0.96\n")
    files = validate_shareable(tmp_path)
    assert [file.relative_to(tmp_path).as_posix() for file in files] == ["index.html", "tables/recall.csv"]


@pytest.mark.parametrize("name", ["posts.parquet", "posts.csv", "posts.tsv", "posts.jsonl"])
def test_table_with_a_text_column_is_refused_without_quoting_it(tmp_path, name):
    path = tmp_path / name
    writers = {
        ".parquet": lambda: POSTS.to_parquet(path),
        ".csv": lambda: POSTS.to_csv(path, index=False),
        ".tsv": lambda: POSTS.to_csv(path, index=False, sep="\t"),
        ".jsonl": lambda: POSTS.to_json(path, orient="records", lines=True),
    }
    writers[path.suffix]()
    with pytest.raises(SchemaError, match=r"posts\.\w+: has column text") as caught:
        validate_shareable(tmp_path)
    assert "planted" not in str(caught.value)


def test_table_with_an_author_column_is_refused_however_it_is_written(tmp_path):
    (tmp_path / "scores.csv").write_text("post_id, Author_ID ,risk\na,b,0.5\n")
    with pytest.raises(SchemaError, match="has column author_id"):
        validate_shareable(tmp_path)


def test_score_table_without_text_passes(tmp_path):
    POSTS.drop(columns="text").assign(risk_any=0.5).to_parquet(tmp_path / "test.parquet")
    assert len(validate_shareable(tmp_path)) == 1


def test_everything_in_a_data_folder_is_refused_except_the_card(tmp_path):
    data = tmp_path / "run" / "data"
    data.mkdir(parents=True)
    (data / "data_card.json").write_text("{}")
    assert validate_shareable(data / "data_card.json") == (data / "data_card.json",)
    assert validate_shareable(data) == (data / "data_card.json",)
    (data / "notes.txt").write_text("x")
    for path in (data, data / "notes.txt", tmp_path / "run"):
        with pytest.raises(SchemaError, match=r"notes\.txt: lies in a data folder"):
            validate_shareable(path)


def test_a_data_folder_further_up_says_nothing_about_a_report(tmp_path):
    report = tmp_path / "data" / "runs" / "demo" / "report"
    report.mkdir(parents=True)
    (report / "index.html").write_text("x")
    assert len(validate_shareable(report)) == 1


def test_databases_are_refused(tmp_path):
    (tmp_path / "review.db").write_bytes(b"")
    with pytest.raises(SchemaError, match="is a database"):
        validate_shareable(tmp_path)


def test_absent_path_is_said_to_be_absent(tmp_path):
    with pytest.raises(MissingArtifactError, match="run the stage that writes it first"):
        validate_shareable(tmp_path / "report")


def test_a_run_that_is_named_data_may_show_its_configuration(tmp_path):
    config = tmp_path / "data" / "config.yaml"
    config.parent.mkdir()
    config.write_text("name: data")
    assert validate_shareable(config) == (config,)
