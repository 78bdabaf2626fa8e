import numpy as np
import pandas as pd
import pytest

from pipelines.audit.score_tables import read_promise, read_scores
from screening.exceptions import BundleError, ConfigError, SchemaError


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"risk_suicidewatch": 1.2}, "not between 0 and 1: 1500 rows, first ids post-0, post-1"),
        ({"risk_suicidewatch": np.nan}, "not a finite number"),
        ({"post_id": "same"}, "post_id is not unique"),
        ({"post_id": "words of a post \x1b]0;forged"}, "not unique: 1500 rows, first ids <id of 26 characters>$"),
        ({"is_truncated": "perhaps"}, "neither true nor false"),
    ],
)
def test_damaged_score_tables_are_refused_by_id(scores, promise, tmp_path, change, said):
    bad = tmp_path / "bad.parquet"
    pd.read_parquet(scores).assign(**change).to_parquet(bad)
    with pytest.raises(SchemaError, match=said):
        read_scores(bad, promise, ["risk_suicidewatch", "is_truncated"])


def test_a_score_table_without_a_column_names_it(scores, promise, tmp_path):
    bad = tmp_path / "bad.parquet"
    pd.read_parquet(scores).drop(columns="model_version").to_parquet(bad)
    with pytest.raises(SchemaError, match="found no model_version"):
        read_scores(bad, promise, ["risk_suicidewatch"])


def test_a_promise_comes_from_a_run_or_a_bundle_and_not_from_both(run, tiny_bundle, tmp_path):
    assert read_promise(run, None) == read_promise(None, tiny_bundle)
    for folders in ((None, None), (run, tiny_bundle)):
        with pytest.raises(ConfigError, match="either --run or --bundle"):
            read_promise(*folders)
    with pytest.raises(BundleError):
        read_promise(tmp_path, None)


def test_scores_without_a_model_version_or_an_id_are_refused(scores, promise, tmp_path):
    table = pd.read_parquet(scores)
    for name, said in (("model_version", r"come from model \(none\)"), ("post_id", "post_id is missing: 1 rows")):
        damaged = table.astype({name: object})
        damaged.loc[3, name] = None
        damaged.to_parquet(tmp_path / "damaged.parquet")
        with pytest.raises(SchemaError, match=said):
            read_scores(tmp_path / "damaged.parquet", promise, ["risk_suicidewatch"])
