"""An audit's sample on its whole way: drawn, imported, read without a hint, exported, estimated."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from apps.review.cli import app
from apps.review.identity.records import SignedIn
from apps.review.services.audit_sampling import AuditSlice, match_sample
from apps.review.services.context import ReviewContext
from apps.review.services.importing import import_scores
from apps.review.services.judging import record_decision
from apps.review.services.leases import claim_next
from apps.review.services.queue import load_queue
from apps.review.services.verifying import verify_chain
from apps.review.store.models import LeftOut, Post
from pipelines.audit.auditing import draw_sample, estimate_recall
from pipelines.audit.score_tables import Promise
from screening.exceptions import ConfigError, SchemaError
from screening.thresholds.operating_point import OperatingPoint

SignIn = Callable[..., SignedIn]

VERSION = "0123456789ab"
POINT = OperatingPoint(
    name="urgent", labels=("urgent",), triage="refer", target_recall=0.8, confidence_level=0.9, threshold=0.7,
    n_samples=100, n_positive=60, n_allowed_misses=1, recall_lower_bound=0.8, confidence_achieved=0.91,
)  # fmt: skip
POSITIVE = {"=q20", "=q27"} | {f"=q{i}" for i in range(30, 36)}  # q27 is the unflagged post nearest to the threshold


def make_month(n_posts: int = 40) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Posts of rising risk, whose ids a spreadsheet would run; twelve are urgent, another target flags twelve more."""
    ids, risk = [f"=q{i}" for i in range(n_posts)], np.linspace(0, 1, n_posts)
    triage = np.select([risk >= 0.7, risk >= 0.4], ["refer", "review"], "no_flag")
    scores = pd.DataFrame(
        {"post_id": ids, "risk_urgent": risk, "risk_any": risk, "triage": triage, "model_version": VERSION}
    )
    return scores, pd.DataFrame({"post_id": ids, "text": [f"A quiet walk, number {i}." for i in range(n_posts)]})


@pytest.fixture
def month(tmp_path: Path) -> Path:
    """A folder with the scores and posts of a period, and a sample of ten unflagged posts and all flagged ones."""
    scores, posts = make_month()
    scores.to_parquet(tmp_path / "scores.parquet")
    posts.to_parquet(tmp_path / "posts.parquet")
    promise = Promise(version=VERSION, operating_points=(POINT,))
    draw_sample(tmp_path / "scores.parquet", tmp_path / "sample.csv", promise, "urgent", 10, seed=3, near_share=0.2)
    return tmp_path


def import_month(context: ReviewContext, month: Path, *options: str) -> str:
    tables = [str(month / "scores.parquet"), "--posts", str(month / "posts.parquet")]
    arguments = ["import", *tables, "--sample", str(month / "sample.csv"), "--database", context.store.url, *options]
    return CliRunner().invoke(app, arguments, catch_exceptions=False).output


def read_strata(month: Path) -> dict[str, str]:
    sample = pd.read_csv(month / "sample.csv")
    return dict(zip(sample["post_id"].str.removeprefix("'"), sample["stratum"], strict=True))


def test_a_sample_is_imported_judged_exported_and_estimated(
    context: ReviewContext, sign_in: SignIn, month: Path, operator: SignedIn
) -> None:
    strata = read_strata(month)
    assert "Imported 22 posts; 0 were there already, 18 are not in the sample" in import_month(context, month)
    with context.store.read() as session:
        assert set(session.scalars(select(Post.post_id))) == set(strata)
        assert len(session.scalars(select(LeftOut.post_id)).all()) == 18
    people = [sign_in("ada"), sign_in("bob"), sign_in("lea", "lead")]
    for person in (people[0], *people):  # ada reads all; the others give the second readings, which agree
        while (post_id := claim_next(context, person)) is not None:
            record_decision(context, person, post_id, "escalate" if post_id in POSITIVE else "no_concern")
    out = str(month / "decisions.csv")
    CliRunner().invoke(app, ["export", out, "--database", context.store.url], catch_exceptions=False)
    outcome = estimate_recall(month / "sample.csv", Path(out), Path(out), missing="refuse")
    found = POSITIVE & {post_id for post_id, stratum in strata.items() if stratum != "flagged"}
    assert strata["=q27"] == "near"
    assert (outcome.n_flagged_positive, outcome.n_missed_found, outcome.n_unflagged_read) == (6, len(found), 10)
    assert outcome.n_outside == 0
    assert verify_chain(context, operator).is_intact


def test_the_order_and_the_rows_of_a_sample_tell_no_stratum(
    context: ReviewContext, sign_in: SignIn, operator: SignedIn
) -> None:
    scores, posts = make_month(400)
    strata = np.select([scores["risk_urgent"] >= 0.7, scores["risk_urgent"] >= 0.6], ["flagged", "near"], "far")
    sample = scores[["post_id"]].assign(stratum=strata)
    import_scores(context, operator, scores, posts, audit=match_sample(sample, scores))
    rows = load_queue(context, sign_in(), limit=400)
    kind_of = dict(zip(sample["post_id"], strata, strict=True))
    for kind, n_posts in (("flagged", 120), ("near", 40), ("far", 240)):
        places = [i for i, row in enumerate(rows) if kind_of[row.post_id] == kind]
        # Places drawn evenly from 400 have mean 199.5 and standard deviation 115.5, before what was drawn is taken out.
        assert len(places) == n_posts
        assert abs(np.mean(places) - 199.5) < 3 * 115.5 / np.sqrt(n_posts)
    own = {"post_id", "priority", "n_characters"}
    assert len({row.model_dump_json(exclude=own) for row in rows}) == 1


def test_a_sample_without_flagged_posts_is_not_in_order_of_risk(
    context: ReviewContext, sign_in: SignIn, operator: SignedIn
) -> None:
    scores, posts = make_month(400)
    sample = scores.loc[:150, ["post_id"]].assign(stratum="far")
    import_scores(context, operator, scores, posts, audit=match_sample(sample, scores))
    ranks = [int(row.post_id.removeprefix("=q")) for row in load_queue(context, sign_in(), limit=400)]
    # The correlation of 151 independent pairs has a standard error of .08.
    assert abs(np.corrcoef(ranks, np.arange(151))[0, 1]) < 3 * 0.082


@pytest.mark.parametrize("is_sample", [True, False])
def test_unflagged_posts_hide_among_flagged_ones_that_were_imported_before(
    context: ReviewContext, sign_in: SignIn, operator: SignedIn, is_sample: bool
) -> None:
    scores, posts = make_month(400)
    import_scores(context, operator, scores, posts)
    is_flagged = scores["triage"] != "no_flag"
    sample = scores.assign(stratum=np.where(is_flagged, "flagged", "far"))[is_flagged | (scores.index < 120)]
    audit = match_sample(sample, scores) if is_sample else AuditSlice(n_posts=120)
    import_scores(context, operator, scores, posts, audit=audit)
    rows = load_queue(context, sign_in(), limit=400)
    with context.store.read() as session:
        new = set(session.scalars(select(Post.post_id).where(Post.triage == "no_flag")))
    places = [i for i, row in enumerate(rows) if row.post_id in new]
    assert (len(rows), len(places)) == (360, 120)
    # Places drawn evenly from 360 have mean 179.5 and standard deviation 103.9; the end of the queue would have 299.5.
    assert abs(np.mean(places) - 179.5) < 3 * 103.9 / np.sqrt(120)


def test_a_sample_whose_posts_are_there_already_warns_the_auditor(context: ReviewContext, month: Path) -> None:
    assert "another --database" not in import_month(context, month)
    shown = import_month(context, month)
    assert "Imported 0 posts; 22 were there already" in shown
    assert "use another --database for an audit" in shown


def test_a_sample_of_other_scores_is_refused(month: Path) -> None:
    scores, _ = make_month()
    sample = pd.read_csv(month / "sample.csv")
    with pytest.raises(SchemaError, match=r"1 posts of the audit sample are not in the score table, first ids <id of"):
        match_sample(sample, scores[scores["post_id"] != "=q35"])
    with pytest.raises(SchemaError, match="the audit sample lacks the columns stratum"):
        match_sample(sample[["post_id"]], scores)


@pytest.mark.parametrize("options", [("--all",), ("--audit-n", "3"), ("--audit-fraction", "0.1")])
def test_a_sample_and_another_choice_of_posts_exclude_each_other(
    context: ReviewContext, month: Path, options: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError, match="--sample names the posts"):
        import_month(context, month, *options)
