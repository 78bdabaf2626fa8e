"""The lead's numbers against hand-worked days: throughput, times, overturns, backlog, audit and thresholds."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import hypergeom
from typer.testing import CliRunner

from apps.review.cli import app
from apps.review.identity.records import SignedIn
from apps.review.services.audit_sampling import AuditSlice, draw_audit_slice
from apps.review.services.audit_slice import load_audit
from apps.review.services.context import ReviewContext, ReviewSettings
from apps.review.services.dashboard import load_dashboard
from apps.review.services.importing import import_scores
from apps.review.services.judging import record_decision, revise_decision, undo_decision
from apps.review.services.leases import claim_next, claim_post
from apps.review.services.posts import load_post
from apps.review.services.promises import load_promises, read_bundle_points, read_run_points
from apps.review.services.queue import load_queue
from apps.review.services.thresholds import load_thresholds
from apps.review.services.verifying import verify_chain
from apps.review.store.database import open_store
from screening.bundle import MANIFEST, BundleManifest, compute_version
from screening.calibration.temperature import TemperatureScaling
from screening.exceptions import BundleError, MissingArtifactError, SchemaError
from screening.taxonomy import load_taxonomy
from screening.thresholds.operating_point import OperatingPoint
from tests.apps.judged_posts import judge

BACKENDS = ("sqlite", "postgresql")

SignIn = Callable[..., SignedIn]
MakeTable = Callable[..., pd.DataFrame]


def make_scores_of(risks: np.ndarray, threshold: float) -> pd.DataFrame:
    ids = [f"q{i:03d}" for i in range(len(risks))]
    triage = np.where(risks >= threshold, "review", "no_flag")
    return pd.DataFrame({"post_id": ids, "risk_any": risks, "triage": triage, "model_version": "0123456789ab"})


def make_posts_of(scores: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"post_id": scores["post_id"], "text": [f"Words number {i}." for i in range(len(scores))]})


def make_point(threshold: float, target_recall: float = 0.9, **changes: Any) -> OperatingPoint:
    return OperatingPoint(
        name="any",
        labels=("a",),
        triage="review",
        target_recall=target_recall,
        confidence_level=0.95,
        threshold=threshold,
        n_samples=100,
        n_positive=60,
        n_allowed_misses=1,
        recall_lower_bound=target_recall,
        confidence_achieved=0.96,
        **changes,
    )


def test_time_per_post_is_the_median_from_opening_to_deciding_with_idle_gaps_cut(
    filled: ReviewContext, sign_in: SignIn, clock: Any
) -> None:
    for name, post_id, seconds in (("ada", "p3", 20), ("ada", "p2", 40), ("bob", "p1", 870)):
        person = sign_in(name)
        claim_post(filled, person, post_id)
        clock.advance(seconds=seconds)
        record_decision(filled, person, post_id, "no_concern")
    rows = load_dashboard(filled, sign_in("lea", "lead")).time_per_post
    assert [(row.reviewer, row.median_seconds, row.n, row.n_cut) for row in rows] == [
        (None, 40.0, 3, 1),
        ("ada", 30.0, 2, 0),
        ("bob", 600.0, 1, 1),
    ]


def test_throughput_counts_per_day_of_the_house_and_person(filled: ReviewContext, sign_in: SignIn, clock: Any) -> None:
    house = replace(filled, settings=ReviewSettings(time_zone="Pacific/Auckland"))  # 13 hours ahead: midnight at 11:00
    ada = sign_in("ada")
    claim_post(house, ada, "p3")
    record_decision(house, ada, "p3", "no_concern")
    revise_decision(house, ada, "p3", "escalate")
    clock.advance(hours=2)
    ada, bob = sign_in("ada"), sign_in("bob")
    for person, post_id in ((ada, "p2"), (bob, "p1")):
        claim_post(house, person, post_id)
        record_decision(house, person, post_id, "no_concern")
    rows = load_dashboard(house, sign_in("lea", "lead")).throughput
    assert [(str(row.day), row.reviewer, row.n_judgements, row.n_revisions) for row in rows] == [
        ("2026-01-05", "ada", 1, 1),
        ("2026-01-06", "ada", 1, 0),
        ("2026-01-06", "bob", 1, 0),
    ]


def test_overturns_count_blind_judgements_changed_after_the_reveal(filled: ReviewContext, sign_in: SignIn) -> None:
    ada, bob = sign_in("ada"), sign_in("bob")
    for person, post_id in ((ada, "p3"), (ada, "p2"), (bob, "p1")):
        claim_post(filled, person, post_id)
        record_decision(filled, person, post_id, "no_concern")
    load_post(filled, ada, "p3")
    load_post(filled, ada, "p2")  # bob never looks at the scores of p1
    revise_decision(filled, ada, "p3", "escalate")
    revised = revise_decision(filled, ada, "p2", "escalate")
    rows = load_dashboard(filled, sign_in("lea", "lead")).overturns
    assert [(row.reviewer, row.rate.value, row.rate.n_samples) for row in rows] == [(None, 1.0, 2), ("ada", 1.0, 2)]
    undo_decision(filled, ada, revised.seq)
    assert load_dashboard(filled, sign_in("lea", "lead")).overturns[0].rate.value == 0.5


def test_the_reveal_is_an_event_and_happens_once(filled: ReviewContext, operator: SignedIn, sign_in: SignIn) -> None:
    ada = sign_in("ada")
    claim_post(filled, ada, "p3")
    load_post(filled, ada, "p3")
    record_decision(filled, ada, "p3", "no_concern")
    n_before = verify_chain(filled, operator).n_events
    load_post(filled, ada, "p3")
    load_post(filled, ada, "p3")
    assert verify_chain(filled, operator).n_events == n_before + 1


def test_queue_age_and_backlog_follow_from_the_days(
    context: ReviewContext,
    operator: SignedIn,
    sign_in: SignIn,
    clock: Any,
    make_scores: MakeTable,
    make_posts: MakeTable,
) -> None:
    house = replace(context, settings=ReviewSettings(second_read_fraction=0.0))
    import_scores(context, operator, make_scores(10), make_posts(10))  # 9 flagged
    for n_decided in (2, 1):
        ada = sign_in("ada")
        for _ in range(n_decided):
            record_decision(house, ada, claim_next(house, ada) or "", "no_concern")
        clock.advance(hours=24)
    import_scores(context, operator, make_scores(12).tail(1), make_posts(12))
    board = load_dashboard(context, sign_in("lea", "lead"))
    assert (board.queue_age.n_waiting, board.queue_age.n_first) == (7, 7)
    assert (board.queue_age.median_hours, board.queue_age.oldest_hours) == (48.0, 48.0)
    backlog = board.backlog
    assert (backlog.n_days, backlog.decided_per_day, backlog.days_to_clear) == (3, 1.0, 7.0)
    assert backlog.imported_per_day == pytest.approx(10 / 3)
    error = 2 * np.std([2, 1, 0], ddof=1) / np.sqrt(3)
    assert backlog.days_to_clear_low == pytest.approx(7 / (1 + error))
    assert backlog.days_to_clear_high is None  # at the lower end nothing would be decided at all


def test_an_empty_store_has_no_numbers_and_says_so(context: ReviewContext, sign_in: SignIn) -> None:
    lea = sign_in("lea", "lead")
    board = load_dashboard(context, lea)
    assert (board.queue_age.median_hours, board.backlog.decided_per_day, board.backlog.days_to_clear) == (None,) * 3
    assert (board.agreement.alpha.value, board.overturns[0].rate.value) == (None, None)
    assert load_thresholds(context, lea) == ()
    assert load_audit(context, lea).total.misses is None


@pytest.fixture
def audited(context: ReviewContext, operator: SignedIn) -> ReviewContext:
    """60 posts to review, 200 unflagged ones of which 20 are drawn for the audit."""
    scores = make_scores_of(np.linspace(0, 1, 260), 200 / 259)
    summary = import_scores(context, operator, scores, make_posts_of(scores), audit=AuditSlice(fraction=0.1))
    assert (summary.n_imported, summary.n_audit, summary.n_left_out) == (80, 20, 180)
    return context


def test_audit_posts_look_like_any_other_while_judging_is_blind(audited: ReviewContext, sign_in: SignIn) -> None:
    ada = sign_in()
    rows = load_queue(audited, ada, limit=100)
    scores = make_scores_of(np.linspace(0, 1, 260), 200 / 259).set_index("post_id")["triage"]
    places = [i for i, row in enumerate(rows) if scores[row.post_id] == "no_flag"]
    assert len(places) == 20
    # Evenly spread places have mean 39.5 and standard error 4.6 (20 of 80 without replacement).
    assert abs(np.mean(places) - 39.5) < 3 * 4.6
    audit, plain = (
        next(row for row in rows if (scores[row.post_id] == "no_flag") is is_audit) for is_audit in (True, False)
    )
    hidden = {"post_id", "priority", "n_characters"}
    assert audit.model_dump(exclude=hidden) == plain.model_dump(exclude=hidden)
    claim_post(audited, ada, audit.post_id)
    assert load_post(audited, ada, audit.post_id).revealed is None
    record_decision(audited, ada, audit.post_id, "no_concern")
    revealed = load_post(audited, ada, audit.post_id).revealed
    assert revealed is not None
    assert (revealed.triage, revealed.is_audit) == ("no_flag", True)


def test_a_post_taken_back_returns_to_its_hidden_place(audited: ReviewContext, sign_in: SignIn) -> None:
    ada = sign_in()
    before = [row.post_id for row in load_queue(audited, ada, limit=100)]
    receipts = []
    for post_id in before[:20]:
        claim_post(audited, ada, post_id)
        receipts.append(record_decision(audited, ada, post_id, "no_concern"))
    for receipt in receipts:
        undo_decision(audited, ada, receipt.seq)
    assert [row.post_id for row in load_queue(audited, ada, limit=100)] == before


def test_misses_are_bounded_by_exact_tests_and_scaled_to_all_unflagged_posts(
    audited: ReviewContext, sign_in: SignIn
) -> None:
    house = replace(audited, settings=ReviewSettings(daily_cap=None, second_read_fraction=0.0))
    ada, lea = sign_in("ada"), sign_in("lea", "lead")
    drawn = draw_audit_slice([f"q{i:03d}" for i in range(200)], AuditSlice(fraction=0.1))
    for i, post_id in enumerate(sorted(drawn)[:15]):
        claim_post(house, ada, post_id)
        record_decision(house, ada, post_id, "escalate" if i < 2 else "no_concern")
    progress = load_audit(house, lea)
    row = progress.rows[0]
    assert (row.n_unflagged, row.n_sampled, row.n_read, row.n_concern) == (200, 20, 15, 2)
    assert row.misses == pytest.approx(2 / 15 * 200)
    counts = np.arange(2, 200 - 13 + 1)
    kept = counts[(hypergeom.sf(1, 200, counts, 15) > 0.025) & (hypergeom.cdf(2, 200, counts, 15) > 0.025)]
    assert (row.misses_low, row.misses_high) == (kept.min(), kept.max())
    assert (progress.total.misses_low, progress.total.misses_high) == (row.misses_low, row.misses_high)


def test_bounds_of_misses_hold_whatever_posts_that_wait_for_another_reading_turn_out_to_be(
    audited: ReviewContext, sign_in: SignIn
) -> None:
    house = replace(audited, settings=ReviewSettings(daily_cap=None, second_read_fraction=0.0))
    twice = replace(house, settings=ReviewSettings(daily_cap=None, second_read_fraction=1.0))
    ada, bob, lea = sign_in("ada"), sign_in("bob"), sign_in("lea", "lead")
    drawn = sorted(draw_audit_slice([f"q{i:03d}" for i in range(200)], AuditSlice(fraction=0.1)))
    for i, post_id in enumerate(drawn):
        judge(twice if i < 3 else house, ada, post_id, "escalate" if i < 3 else "unsure" if i == 3 else "no_concern")
    for post_id in drawn[:3]:
        judge(twice, bob, post_id, "no_concern")
    total = load_audit(house, lea).total
    assert (total.n_read, total.n_undecided, total.n_concern, total.misses) == (20, 4, 0, None)
    bounds = total.misses_low, total.misses_high
    for n_concern in (0, 4):
        counts = np.arange(n_concern, 200 - (20 - n_concern) + 1)
        tails = hypergeom.sf(n_concern - 1, 200, counts, 20), hypergeom.cdf(n_concern, 200, counts, 20)
        kept = counts[(tails[0] > 0.025) & (tails[1] > 0.025)]
        assert bounds[0] <= kept.min()
        assert kept.max() <= bounds[1]
    assert bounds == (0, kept.max())
    for post_id in drawn[:3]:
        judge(twice, lea, post_id, "escalate")
    judge(house, bob, drawn[3], "escalate")
    settled = load_audit(house, lea).total
    assert (settled.n_undecided, settled.n_concern, settled.misses) == (0, 4, pytest.approx(40))


def test_importing_again_draws_nothing_more_and_a_later_audit_draws_from_what_was_left_out(
    context: ReviewContext, operator: SignedIn, sign_in: SignIn
) -> None:
    scores = make_scores_of(np.linspace(0, 1, 50), 0.8)
    posts = make_posts_of(scores)
    assert import_scores(context, operator, scores, posts).n_audit == 0
    for n_audit in (5, 0):
        assert import_scores(context, operator, scores, posts, audit=AuditSlice(n_posts=5)).n_audit == n_audit
    progress = load_audit(context, sign_in("lea", "lead"))
    assert [(row.n_unflagged, row.n_sampled) for row in progress.rows] == [(40, 5)]
    assert verify_chain(context, operator).is_intact


def test_every_unflagged_post_is_drawn_equally_often() -> None:
    frame = [f"post-{i}" for i in range(30)]
    drawn = [draw_audit_slice(frame, AuditSlice(n_posts=6, seed=seed)) for seed in range(2_000)]
    counts = np.array([sum(post_id in some for some in drawn) for post_id in frame])
    # 2,000 draws at 6/30: mean 400, standard deviation 17.9; the largest of 30 stays within 4 of them.
    assert np.abs(counts - 400).max() < 4 * 17.9
    assert {len(some) for some in drawn} == {6}


def test_a_slid_threshold_counts_alerts_and_what_waits_and_only_promised_points_promise(
    context: ReviewContext, operator: SignedIn, sign_in: SignIn
) -> None:
    risks = np.round(np.random.default_rng(2).random(300), 3)
    scores = make_scores_of(risks, 0.612)
    point, lower = make_point(0.612), make_point(0.404, target_recall=0.95)
    import_scores(context, operator, scores, make_posts_of(scores), operating_points=[point], alternatives=[lower])
    ada, lea = sign_in("ada"), sign_in("lea", "lead")
    judged = []
    for _ in range(7):
        judged.append(claim_next(context, ada) or "")
        record_decision(context, ada, judged[-1], "no_concern")
    (curve,) = load_thresholds(context, lea)
    settled = scores.set_index("post_id").loc[judged, "risk_any"].to_numpy()
    assert curve.n_scored == 300
    for threshold in (0.0, 0.25, 0.404, 0.612, 0.995, 1.0):
        numbers = curve.at(threshold)
        assert numbers.n_alerts == (risks >= threshold).sum()
        assert numbers.n_waiting == (risks >= threshold).sum() - (settled >= threshold).sum()
    assert [promise.target_recall for promise in curve.promises] == [0.95, 0.9]
    at_point = curve.at(0.612)
    assert at_point.promise is not None
    assert (at_point.promise.target_recall, len(at_point.holds)) == (0.9, 1)
    below, above = curve.at(0.5), curve.at(0.7)
    assert (below.promise, [promise.threshold for promise in below.holds]) == (None, [0.612])
    assert (above.promise, above.holds) == (None, ())
    assert len(curve.at(0.1).holds) == 2


def test_operating_points_of_another_run_are_refused(context: ReviewContext, operator: SignedIn) -> None:
    scores = make_scores_of(np.linspace(0, 1, 20), 0.5)
    with pytest.raises(SchemaError, match=r"4 of 20 posts have another triage level .*--run"):
        import_scores(context, operator, scores, make_posts_of(scores), operating_points=[make_point(0.7)])
    other = make_point(0.5).model_copy(update={"name": "acute"})
    with pytest.raises(SchemaError, match="other targets"):
        import_scores(context, operator, scores, make_posts_of(scores), operating_points=[other])


def test_operating_points_are_read_from_a_run(tmp_path: Path) -> None:
    with pytest.raises(MissingArtifactError, match="calibrate"):
        read_run_points(tmp_path)
    folder = tmp_path / "calibration"
    folder.mkdir()
    dumped = make_point(0.5).model_dump_json()
    (folder / "operating_points.json").write_text(f'{{"temperature": {{}}, "operating_points": [{dumped}]}}')
    assert read_run_points(tmp_path) == ((make_point(0.5),), ())
    (folder / "operating_points.json").write_text('{"operating_points": [{"name": "any"}]}')
    with pytest.raises(SchemaError, match="calibrate the run again"):
        read_run_points(tmp_path)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """As much of a bundle as its operating points need."""
    manifest = BundleManifest(
        name="small",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        run_id="0" * 12,
        encoder="random",
        max_tokens=40,
        precision="fp32",
        is_synthetic=True,
        taxonomy=load_taxonomy("mh5"),
        temperature=TemperatureScaling(temperature=1.7, n_samples=100),
        operating_points=(make_point(0.5),),
    )
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / MANIFEST).write_text(manifest.model_dump_json())
    return folder


def test_operating_points_are_read_from_the_bundle_that_made_the_scores(tmp_path: Path, bundle: Path) -> None:
    scores = make_scores_of(np.linspace(0, 1, 20), 0.5)
    with pytest.raises(BundleError, match="holds no"):
        read_bundle_points(tmp_path, scores)
    own = scores.assign(model_version=compute_version(bundle))
    assert read_bundle_points(bundle, own) == ((make_point(0.5),), ())
    own.loc[7, "model_version"] = "another"
    for others, n_others in ((own, 1), (scores.drop(columns="model_version", errors="ignore"), 20)):
        with pytest.raises(SchemaError, match=rf"^{n_others} of 20 posts were not scored by .*--bundle"):
            read_bundle_points(bundle, others)


def test_an_import_with_its_bundle_brings_the_promises(bundle: Path, tmp_path: Path) -> None:
    scores_path, posts_path, database = (tmp_path / name for name in ("scores.parquet", "posts.parquet", "own.db"))
    scores = make_scores_of(np.linspace(0, 1, 20), 0.5).assign(model_version=compute_version(bundle))
    scores.to_parquet(scores_path)
    make_posts_of(scores).to_parquet(posts_path)
    options = {"--posts": posts_path, "--bundle": bundle, "--database": database}
    done = CliRunner().invoke(
        app, ["import", str(scores_path), *(str(part) for pair in options.items() for part in pair)]
    )
    assert done.exit_code == 0
    store = open_store(str(database))
    with store.read() as session:
        assert load_promises(session) == (make_point(0.5),)
    store.engine.dispose()


def test_promises_of_scores_that_no_post_has_do_not_replace_those_there_are(
    context: ReviewContext, operator: SignedIn
) -> None:
    scores = make_scores_of(np.linspace(0, 1, 20), 0.5)
    posts = make_posts_of(scores)
    import_scores(context, operator, scores, posts)
    for point in (make_point(0.5), make_point(0.5).model_copy(update={"target_recall": 0.9})):  # the same scores
        import_scores(context, operator, scores, posts, operating_points=[point])
        with context.store.read() as session:
            assert load_promises(session) == (point,)
    other = make_scores_of(np.linspace(0, 1, 20), 0.7).assign(model_version="another")
    import_scores(context, operator, other, posts, operating_points=[make_point(0.7)])
    with context.store.read() as session:
        assert load_promises(session) == (point,)
