"""Evaluating: score tables of every scorer, changed posts, facts about texts and external posts; no text anywhere."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from pipelines.artifacts import RunFolder
from pipelines.evaluating.keyword_list import KEYWORDS_FILE, KeywordPoints
from pipelines.evaluating.robustness import choose_positives
from pipelines.run import RunContext
from pipelines.stages import evaluate
from screening.data.perturbation import PERTURBATIONS
from screening.data.text_facts import FACTS
from screening.exceptions import SchemaError
from screening.scoring import Screener
from screening.taxonomy import load_taxonomy
from tests.unit.pipelines.conftest import make_posts

TAXONOMY = load_taxonomy("mh5")


def read(context: RunContext, name: str) -> pd.DataFrame:
    return pd.read_parquet(context.folder.evaluation / f"{name}.parquet")


def test_every_table_is_there_and_none_holds_text_or_author(evaluated: tuple[RunContext, Screener]) -> None:
    context, _ = evaluated
    tables = {path.stem for path in context.folder.evaluation.glob("*.parquet")}
    assert tables == {
        "test", "controls", "baseline_test", "baseline_controls", "keywords_test", "keywords_controls", "robustness",
        "text_facts", "external",
    }  # fmt: skip
    for name in tables:
        table = read(context, name)
        assert not {"text", "author_id"} & set(table), name
        for column in table.select_dtypes(exclude=["number", "bool"]):
            cells = table[column].astype(str)
            assert not cells.str.contains("zyxquartz|lanternfish|someone|tired").any(), (name, column)
    for path in context.folder.evaluation.glob("*.json"):
        assert "zyxquartz" not in path.read_text(encoding="utf-8")


def test_score_tables_name_their_bundle_and_hold_group_columns(evaluated: tuple[RunContext, Screener]) -> None:
    context, screener = evaluated
    for name in ("test", "controls"):
        table = read(context, name)
        assert set(table["model_version"]) == {screener.version}
        assert set(table["community"]) == {"x"}
        assert "model_version" not in read(context, f"baseline_{name}")


def test_changed_posts_are_scored_as_the_screener_scores_their_texts(evaluated: tuple[RunContext, Screener]) -> None:
    context, screener = evaluated
    table = read(context, "robustness")
    assert set(table["label"]) == {"suicidewatch"}
    assert set(table["model_version"]) == {screener.version}
    test = make_posts(40, "test")
    assert set(table["post_id"]) == set(test.loc[test["label"] == "suicidewatch", "post_id"])
    quoted = table[table["perturbation"] == "quoted"]
    texts = [f'A friend wrote: "{text}"' for text in test.set_index("post_id").loc[quoted["post_id"], "text"]]
    expected = screener.score(texts)["risk_suicidewatch"]
    assert quoted["risk_suicidewatch"].to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-6)
    assert set(table["perturbation"]) <= set(PERTURBATIONS)
    assert "first_words" not in set(table["perturbation"])  # every post is shorter
    assert not table.duplicated(["post_id", "perturbation"]).any()


def test_facts_hold_the_listed_phrases_beside_what_is_read_off_the_text(evaluated: tuple[RunContext, Screener]) -> None:
    context, _ = evaluated
    facts = read(context, "text_facts")
    assert list(facts) == ["post_id", *FACTS, "phrase_suicidewatch", "phrase_any_risk"]
    assert facts["post_id"].tolist() == make_posts(40, "test")["post_id"].tolist()
    assert facts["phrase_suicidewatch"].tolist() == [i % 10 == 1 for i in range(40)]
    assert facts["time"].all()


def test_keyword_scores_are_shares_of_the_list_and_its_promise_flags_everything(
    evaluated: tuple[RunContext, Screener],
) -> None:
    context, _ = evaluated
    scores = read(context, "keywords_test")["risk_suicidewatch"]
    n_phrases = len(TAXONOMY.targets[0].keywords)
    assert scores.tolist() == [1 / n_phrases if i % 10 == 1 else 0 for i in range(40)]
    points = KeywordPoints.model_validate_json((context.folder.evaluation / KEYWORDS_FILE).read_bytes())
    fitted = {point.name: point for point in points.operating_points}
    assert points.any_phrase["suicidewatch"] == 1 / n_phrases
    # every second post of r/SuicideWatch and no other holds a phrase: no threshold above 0 finds 95 % of them
    assert {name: point.threshold for name, point in fitted.items()} == {"suicidewatch": 0.0, "any_risk": 0.0}


def test_external_posts_are_scored_without_those_the_model_has_met(evaluated: tuple[RunContext, Screener]) -> None:
    context, screener = evaluated
    external = read(context, "external")
    assert len(external) == 20
    assert set(external["model_version"]) == {screener.version}
    assert set(external["label"]) == set(TAXONOMY.names)


def test_a_bad_external_file_stops_before_anything_changes(
    evaluated: tuple[RunContext, Screener], tmp_path: Path
) -> None:
    context, _ = evaluated
    (tmp_path / "bad.csv").write_text("text,label\nfine,walrus\n", encoding="utf-8")
    before = {path: path.stat().st_mtime_ns for path in context.folder.evaluation.iterdir()}
    data = context.config.data.model_copy(update={"external": tmp_path / "bad.csv"})
    bad = context.config.model_copy(update={"data": data})
    with pytest.raises(SchemaError, match="external-bad-1"):
        evaluate.run(RunContext(bad, TAXONOMY, context.folder, context.console))
    assert {path: path.stat().st_mtime_ns for path in context.folder.evaluation.iterdir()} == before


def test_at_most_five_hundred_positives_are_chosen_by_seed_and_kept_in_order() -> None:
    posts = make_posts(4_000, "test")
    chosen = choose_positives(posts, TAXONOMY.targets[0], seed=3)
    assert len(chosen) == 500
    assert chosen.index.is_monotonic_increasing
    assert set(chosen["label"]) == {"suicidewatch"}
    assert chosen["post_id"].tolist() == choose_positives(posts, TAXONOMY.targets[0], seed=3)["post_id"].tolist()
    assert chosen["post_id"].tolist() != choose_positives(posts, TAXONOMY.targets[0], seed=4)["post_id"].tolist()
    assert len(choose_positives(posts.head(40), TAXONOMY.targets[0], seed=3)) == 8


def test_test_posts_carry_a_number_per_author_only_where_a_promise_counts_authors(
    evaluated: tuple[RunContext, Screener], tmp_path: Path
) -> None:
    context, _ = evaluated
    assert "author_code" not in read(context, "test")
    shutil.copytree(context.folder.root, tmp_path / "r")
    folder = RunFolder(tmp_path / "r")
    posts = pd.read_parquet(folder.split("test"))
    posts["author_id"] = [None if i % 4 == 0 else f"zyxquartz-{i % 4}" for i in range(len(posts))]
    posts.to_parquet(folder.split("test"))
    others = pd.read_parquet(folder.split("calibration"))
    others.assign(author_id=others["post_id"]).to_parquet(folder.split("calibration"))
    calibration = context.config.calibration.model_copy(update={"unit": "author"})
    by_author = context.config.model_copy(update={"calibration": calibration})
    evaluate.run(RunContext(by_author, TAXONOMY, folder, context.console))
    table = pd.read_parquet(folder.evaluation / "test.parquet")
    assert not {"author_id", "text"} & set(table)
    codes = table.set_index("post_id").loc[posts["post_id"], "author_code"]
    assert codes.dtype.kind == "i"
    same = codes.to_numpy()[:, None] == codes.to_numpy()[None, :]
    names = posts["author_id"].fillna(posts["post_id"]).to_numpy()
    assert (same == (names[:, None] == names[None, :])).all()
    assert "author_code" not in pd.read_parquet(folder.evaluation / "controls.parquet")
    assert "author_code" not in pd.read_parquet(folder.evaluation / "baseline_test.parquet")
