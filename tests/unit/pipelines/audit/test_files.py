import json

import pandas as pd
import pytest

from pipelines.audit.auditing import draw_sample
from pipelines.audit.files import locate_manifest, read_decisions, read_sample
from screening.exceptions import SchemaError

TARGET = "suicidewatch"


def test_a_changed_or_lonely_sample_is_refused(scores, promise, tmp_path):
    sample = tmp_path / "sample.csv"
    draw_sample(scores, sample, promise, TARGET, 50, seed=7)
    manifest = locate_manifest(sample)
    table = pd.read_csv(sample)
    table.iloc[1:].to_csv(sample, index=False)
    with pytest.raises(SchemaError, match="does not hold the posts"):
        read_sample(sample)
    table.sample(frac=1, random_state=1).to_csv(sample, index=False)
    assert read_sample(sample)[1].n_posts == 1_500  # another order is no change
    content = json.loads(manifest.read_text(encoding="utf-8"))
    manifest.write_text(json.dumps(content | {"n_posts": "many"}), encoding="utf-8")
    with pytest.raises(SchemaError, match="draw the sample again"):
        read_sample(sample)
    manifest.unlink()
    with pytest.raises(SchemaError, match="keep it beside the sample"):
        read_sample(sample)


@pytest.mark.parametrize(
    ("header", "cells", "expected"),
    [
        ("decision", ["escalate", "needs_follow_up", "no_concern", "unsure"], [True, True, False, None]),
        ("decision", ["True", "false", "1", ""], [True, False, True, None]),
        ("reader", ["1", "0", "0", ""], [True, False, False, None]),
    ],
)
def test_decisions_are_read_from_words_and_truth_values(tmp_path, header, cells, expected):
    path = tmp_path / "d.csv"
    rows = "\n".join(f"p{i},{cell},free words" for i, cell in enumerate(cells))
    path.write_text(f"post_id,{header},note\n{rows}\n", encoding="utf-8")
    found = read_decisions(path)
    assert [None if pd.isna(value) else value for value in found] == expected
    assert found.index.tolist() == ["p0", "p1", "p2", "p3"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("id,decision\np1,escalate\n", "expected a column post_id"),
        ("post_id,decision\np1,urgent\n", "none of escalate"),
        ("post_id,decision\np1,escalate\np1,no_concern\n", "more than one decision for a post; .*2 rows, first ids p1"),
        ("post_id,a,b\np1,1,0\n", "found 2 among"),
        ("post_id,note\np1,something\n", "found none among"),
    ],
)
def test_decisions_that_can_be_misread_are_refused(tmp_path, content, said):
    path = tmp_path / "d.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SchemaError, match=said):
        read_decisions(path)


def test_a_refused_decision_is_not_quoted_because_it_may_hold_words_of_a_post(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("post_id,decision\np1,words of a post\n", encoding="utf-8")
    with pytest.raises(SchemaError) as caught:
        read_decisions(path)
    assert "words of a post" not in str(caught.value)


def test_the_same_decision_twice_is_one_decision(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("post_id,decision\np1,escalate\np1,escalate\n", encoding="utf-8")
    assert read_decisions(path).tolist() == [True]


def test_every_decision_of_the_reviewer_app_is_understood():
    from apps.review.services.judging import DECISIONS
    from pipelines.audit.files import NEGATIVE_DECISIONS, POSITIVE_DECISIONS, UNCLEAR_DECISIONS

    assert set(DECISIONS) <= {*POSITIVE_DECISIONS, *NEGATIVE_DECISIONS, *UNCLEAR_DECISIONS}
