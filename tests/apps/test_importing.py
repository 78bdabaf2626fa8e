from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import select

from apps.review.identity.records import SignedIn
from apps.review.services import importing, importing_explanations
from apps.review.services.audit_sampling import AuditSlice
from apps.review.services.context import ReviewContext
from apps.review.services.importing import import_scores
from apps.review.services.importing_explanations import import_explanations
from apps.review.services.judging import record_decision
from apps.review.services.leases import claim_post
from apps.review.services.posts import load_post
from apps.review.services.queue import count_queue
from apps.review.services.tables import read_numbers, read_posts, validate_scores
from apps.review.services.verifying import verify_chain
from apps.review.store.models import Event, Highlight, Post, PostText
from screening.exceptions import DataAccessError, SchemaError

BACKENDS = ("sqlite", "postgresql")

SignIn = Callable[..., SignedIn]
MakeTable = Callable[..., pd.DataFrame]


def test_only_flagged_posts_are_imported_by_default(
    context: ReviewContext, operator: SignedIn, make_scores: MakeTable, make_posts: MakeTable
) -> None:
    summary = import_scores(context, operator, make_scores(), make_posts())
    assert (summary.n_imported, summary.n_already_there, summary.n_left_out) == (3, 0, 1)
    summary = import_scores(context, operator, make_scores(), make_posts(), include_unflagged=True)
    assert (summary.n_imported, summary.n_already_there, summary.n_left_out) == (1, 3, 0)


def test_a_second_import_changes_nothing_not_even_a_decided_post(
    filled: ReviewContext, operator: SignedIn, sign_in: SignIn, make_scores: MakeTable, make_posts: MakeTable
) -> None:
    ada = sign_in()
    claim_post(filled, ada, "p3")
    record_decision(filled, ada, "p3", "escalate")
    with filled.store.read() as session:
        events = len(session.scalars(select(Event)).all())
    assert import_scores(filled, operator, make_scores(), make_posts()).n_imported == 0
    assert count_queue(filled, ada).n_waiting == 2
    with filled.store.read() as session:
        assert len(session.scalars(select(Event)).all()) == events


def test_a_known_post_with_another_text_stops_the_whole_import_and_is_named_by_id(
    context: ReviewContext, operator: SignedIn, make_scores: MakeTable, make_posts: MakeTable
) -> None:
    import_scores(context, operator, make_scores(12).query("post_id != 'p1'"), make_posts(12))
    changed = make_posts(12).assign(text="a planted phrase")
    with pytest.raises(SchemaError, match=r"10 posts .* another text, ids p10, p11, p2.*--database") as caught:
        import_scores(context, operator, make_scores(12), changed)
    assert "planted" not in str(caught.value)
    with context.store.read() as session:
        assert session.get(Post, "p1") is None
        assert len(session.scalars(select(Event)).all()) == 1


@pytest.mark.parametrize("change", [{"model_version": "ffffffffffff"}, {"risk_urgent": 0.9}, {"triage": "review"}])
def test_known_posts_with_another_model_or_score_keep_the_first_and_are_counted(
    filled: ReviewContext, operator: SignedIn, make_scores: MakeTable, make_posts: MakeTable, change: dict
) -> None:
    scores = make_scores()
    scores.loc[scores["post_id"] == "p3", list(change)] = list(change.values())
    summary = import_scores(filled, operator, scores, make_posts())
    assert (summary.n_imported, summary.n_already_there, summary.n_other_scores) == (0, 3, 1)
    with filled.store.read() as session:
        post = session.get_one(Post, "p3")
        assert (post.model_version, post.risk, post.triage) == ("0123456789ab", 0.75, "refer")


def test_a_table_without_flagged_posts_imports_nothing(
    context: ReviewContext, operator: SignedIn, make_scores: MakeTable, make_posts: MakeTable
) -> None:
    summary = import_scores(context, operator, make_scores().assign(triage="no_flag"), make_posts())
    assert (summary.n_imported, summary.n_already_there, summary.n_left_out) == (0, 0, 4)


def test_a_post_without_text_stops_the_whole_import_and_is_named_by_id(
    context: ReviewContext, operator: SignedIn, make_scores: MakeTable, make_posts: MakeTable
) -> None:
    with pytest.raises(SchemaError, match=r"1 scored posts have no text .*p3.*same --id-column"):
        import_scores(context, operator, make_scores(), make_posts(3))
    with context.store.read() as session:
        assert session.scalars(select(Event)).all() == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"triage": "urgent"}, "triage is not one of"),
        ({"risk_urgent": 1.5}, "risk_urgent is not between 0 and 1"),
        ({"risk_urgent": float("nan")}, "risk_urgent is not between 0 and 1"),
        ({"post_id": "p1"}, "stands twice"),
        ({"post_id": ""}, "without a post_id"),
    ],
)
def test_a_broken_score_table_is_refused(
    context: ReviewContext,
    operator: SignedIn,
    make_scores: MakeTable,
    make_posts: MakeTable,
    change: dict,
    complaint: str,
) -> None:
    with pytest.raises(SchemaError, match=complaint):
        import_scores(context, operator, make_scores().assign(**change), make_posts())


def test_missing_columns_are_named(context: ReviewContext, operator: SignedIn, make_posts: MakeTable) -> None:
    with pytest.raises(SchemaError, match="lacks the columns triage"):
        import_scores(context, operator, pd.DataFrame({"post_id": ["a"]}), make_posts())
    with pytest.raises(SchemaError, match="risk_<target>"):
        import_scores(context, operator, pd.DataFrame({"post_id": ["a"], "triage": ["refer"]}), make_posts())


def test_a_score_table_without_a_header_shows_no_cell() -> None:
    with pytest.raises(SchemaError) as refused:
        validate_scores(pd.DataFrame(columns=["t3_x1", "alice", "hopeless"]))
    assert "alice" not in str(refused.value)
    assert "hopeless" not in str(refused.value)


def test_dates_of_any_zone_are_kept_as_moments(
    context: ReviewContext, operator: SignedIn, sign_in: SignIn, make_scores: MakeTable, make_posts: MakeTable
) -> None:
    posts = make_posts().assign(created_at=["", "2026-01-01", "2026-01-02T03:00:00+02:00", "2026-01-02T03:00:00Z"])
    import_scores(context, operator, make_scores(), posts.replace("", None))
    ada = sign_in()
    claim_post(context, ada, "p2")
    assert load_post(context, ada, "p2").created_at == datetime.fromisoformat("2026-01-02T01:00:00+00:00")


def test_ids_of_digits_and_the_word_na_survive_a_csv_file(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    pd.DataFrame({"post_id": ["007", "NA"], "text": ["null", "NA"]}).to_csv(path, index=False)
    table = read_posts(path)
    assert table["post_id"].tolist() == ["007", "NA"]
    assert table["text"].tolist() == ["null", "NA"]


def test_ids_are_made_and_named_as_scoring_makes_and_names_them(tmp_path: Path) -> None:
    path = tmp_path / "day1.csv"
    pd.DataFrame({"body": ["one", "two"], "key": ["x", "y"]}).to_csv(path, index=False)
    assert read_posts(path, text_column="body")["post_id"].tolist() == ["day1-1", "day1-2"]
    assert read_posts(path, text_column="body", id_column="key")["post_id"].tolist() == ["x", "y"]


def test_posts_are_cleaned_as_scoring_cleans_them_so_that_highlights_fit(tmp_path: Path) -> None:
    path = tmp_path / "day1.csv"
    pd.DataFrame({"text": ["  It&#39;s \u200b late "]}).to_csv(path, index=False)
    assert read_posts(path)["text"].tolist() == ["It's late"]


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".jsonl"])
def test_every_kind_of_file_gives_the_same_queue(
    context: ReviewContext,
    operator: SignedIn,
    sign_in: SignIn,
    tmp_path: Path,
    make_scores: MakeTable,
    make_posts: MakeTable,
    ending: str,
) -> None:
    posts = make_posts().assign(created_at=["2026-01-01", "", "2026-01-02", "2026-01-03T00:00:00+00:00"])
    for name, table in (("scores", make_scores()), ("posts", posts)):
        write = {".csv": "to_csv", ".parquet": "to_parquet", ".jsonl": "to_json"}[ending]
        options = {".csv": {"index": False}, ".jsonl": {"orient": "records", "lines": True}}.get(ending, {})
        getattr(table, write)(tmp_path / f"{name}{ending}", **options)
    scores = read_numbers(tmp_path / f"scores{ending}")
    import_scores(context, operator, scores, read_posts(tmp_path / f"posts{ending}"))
    ada = sign_in()
    claim_post(context, ada, "p3")
    record_decision(context, ada, "p3", "unsure")
    post = load_post(context, ada, "p3")
    assert post.created_at == datetime(2026, 1, 3, tzinfo=UTC)
    assert post.is_truncated is False
    assert post.revealed is not None
    assert post.revealed.scores["prob_urgent"] == 0.75


def test_files_that_cannot_be_read_are_refused_without_quoting_them(tmp_path: Path) -> None:
    with pytest.raises(DataAccessError):
        read_posts(tmp_path / "none.parquet")
    broken = tmp_path / "broken.parquet"
    broken.write_text("a secret sentence")
    with pytest.raises(SchemaError) as caught:
        read_numbers(broken)
    assert "secret" not in str(caught.value)


def test_signs_a_database_cannot_hold_are_replaced_one_for_one(
    context: ReviewContext, operator: SignedIn, make_scores: MakeTable, make_posts: MakeTable
) -> None:
    posts = make_posts()
    posts["text"] = pd.Series(["a\x00b\ud800c"] * len(posts), dtype=object)
    import_scores(context, operator, make_scores(), posts)
    with context.store.read() as session:
        assert session.get_one(PostText, "p3").text == "a\N{SYMBOL FOR NULL}b\N{REPLACEMENT CHARACTER}c"


def test_highlights_appear_after_the_first_judgement_and_are_imported_once(
    filled: ReviewContext, operator: SignedIn, sign_in: SignIn
) -> None:
    spans = pd.DataFrame(
        {
            "post_id": ["p3", "p3", "not imported"],
            "head": ["class:urgent", "valence", "class:urgent"],
            "start": [0, 2, 0],
            "end": [1, 7, 1],
            "weight": [-0.5, 2.0, 1.0],
            "model_version": "0123456789ab",
        }
    )
    assert import_explanations(filled, operator, spans).n_explained == 1
    again = import_explanations(filled, operator, spans)
    assert (again.n_explained, again.n_other_model) == (0, 0)
    ada = sign_in()
    claim_post(filled, ada, "p3")
    assert load_post(filled, ada, "p3").revealed is None
    record_decision(filled, ada, "p3", "unsure")
    revealed = load_post(filled, ada, "p3").revealed
    assert revealed is not None
    assert [(span.start, span.end, span.weight) for span in revealed.highlights] == [(0, 1, -1.0)]


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize(
    ("reason", "kept"), [("no_change", None), ("delta", [1.0]), ("<script>alert(1)</script>", [1.0])]
)
def test_why_an_explanation_is_unreliable_is_kept_and_noise_marks_no_word(
    filled: ReviewContext, operator: SignedIn, sign_in: SignIn, tmp_path: Path, suffix: str, reason: str,
    kept: list[float] | None,
) -> None:  # fmt: skip
    spans = pd.DataFrame(
        {
            "post_id": ["p3", "p2"],
            "head": "class:urgent",
            "start": 0,
            "end": 1,
            "weight": 1e-9,
            "model_version": "0123456789ab",
            "is_reliable": [False, True],
            "unreliable_because": [reason, ""],
        }
    )
    file = tmp_path / f"spans.{suffix}"
    if suffix == "csv":
        spans.to_csv(file, index=False)
    elif suffix == "parquet":
        spans.to_parquet(file)
    else:
        spans.to_json(file, orient="records", lines=True)
    import_explanations(filled, operator, read_numbers(file))
    with filled.store.read() as session:
        rows = session.execute(select(Highlight.post_id, Highlight.unreliable_because).order_by(Highlight.post_id))
        known = reason if reason in ("no_change", "delta") else None
        assert [tuple(row) for row in rows] == [("p2", None), ("p3", known)]
    ada = sign_in()
    for post_id, weights, is_reliable in (("p3", kept or [], False), ("p2", [1.0], True)):
        claim_post(filled, ada, post_id)
        record_decision(filled, ada, post_id, "unsure")
        revealed = load_post(filled, ada, post_id).revealed
        assert revealed is not None
        assert [span.weight for span in revealed.highlights] == weights
        assert (revealed.is_reliable, revealed.is_unchanged) == (is_reliable, not weights)


def test_highlights_of_another_model_than_the_posts_are_left_out_and_counted(
    filled: ReviewContext, operator: SignedIn
) -> None:
    spans = pd.DataFrame({"post_id": ["p2", "p3"], "head": "class:urgent", "start": 0, "end": 1, "weight": 1.0})
    added = import_explanations(filled, operator, spans.assign(model_version=["0123456789ab", "ffffffffffff"]))
    assert (added.n_explained, added.n_other_model) == (1, 1)
    with filled.store.read() as session:
        assert session.scalars(select(Highlight.post_id)).all() == ["p2"]
    with pytest.raises(SchemaError, match="model_version"):
        import_explanations(filled, operator, spans)


def test_highlights_of_posts_without_a_known_model_are_left_out(
    context: ReviewContext, operator: SignedIn, make_scores: MakeTable, make_posts: MakeTable
) -> None:
    import_scores(context, operator, make_scores().drop(columns="model_version"), make_posts())
    with context.store.read() as session:
        assert session.get_one(Post, "p3").model_version == "unknown"
    spans = pd.DataFrame({"post_id": ["p3"], "head": "class:urgent", "start": 0, "end": 1, "weight": 1.0})
    added = import_explanations(context, operator, spans.assign(model_version="0123456789ab"))
    assert (added.n_explained, added.n_other_model) == (0, 1)


@pytest.mark.parametrize(("start", "end"), [([0, 3], [4, 5]), ([0, 5], [2, 999]), ([0, 3], [2, 3]), ([-1, 3], [2, 4])])
def test_highlights_outside_a_post_or_over_each_other_are_refused(
    filled: ReviewContext, operator: SignedIn, start: list[int], end: list[int]
) -> None:
    spans = pd.DataFrame({"post_id": "p3", "head": "class:urgent", "start": start, "end": end, "weight": 1.0})
    spans["model_version"] = "0123456789ab"
    with pytest.raises(SchemaError, match="highlight of post p3"):
        import_explanations(filled, operator, spans)


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], object]], None]:
    """Let something else happen once, while an import computes."""

    def _interrupt(name: str, happen: Callable[[], object]) -> None:
        module = importing if hasattr(importing, name) else importing_explanations
        compute = getattr(module, name)

        def _compute(*args: Any, **kwargs: Any) -> Any:
            monkeypatch.setattr(module, name, compute)
            happen()
            return compute(*args, **kwargs)

        monkeypatch.setattr(module, name, _compute)

    return _interrupt


@pytest.mark.parametrize("step", ["build_rows", "add_facts", "build_left_out", "compute_import_digest"])
def test_decisions_are_taken_while_an_import_computes(
    filled: ReviewContext, operator: SignedIn, sign_in: SignIn, make_scores: MakeTable, make_posts: MakeTable,
    interrupt: Callable[..., None], step: str,
) -> None:  # fmt: skip
    ada = sign_in()
    claim_post(filled, ada, "p3")
    interrupt(step, lambda: record_decision(filled, ada, "p3", "escalate"))
    assert import_scores(filled, operator, make_scores(6), make_posts(6)).n_imported == 2
    assert count_queue(filled, ada).n_waiting == 4
    assert verify_chain(filled, operator).is_intact


def test_decisions_are_taken_while_highlights_are_checked(
    filled: ReviewContext, operator: SignedIn, sign_in: SignIn, interrupt: Callable[..., None]
) -> None:
    ada = sign_in()
    claim_post(filled, ada, "p3")
    interrupt("_validate_spans", lambda: record_decision(filled, ada, "p3", "escalate"))
    spans = pd.DataFrame({"post_id": ["p3"], "head": "valence", "start": 0, "end": 1, "weight": 1.0})
    assert import_explanations(filled, operator, spans.assign(model_version="0123456789ab")).n_explained == 1


def test_an_import_that_met_another_one_computes_again_and_imports_nothing_twice(
    context: ReviewContext, operator: SignedIn, make_scores: MakeTable, make_posts: MakeTable,
    interrupt: Callable[..., None],
) -> None:  # fmt: skip
    scores = make_scores(40).assign(triage=["no_flag"] * 20 + ["refer"] * 20)
    plan = AuditSlice(fraction=0.5)
    interrupt("build_rows", lambda: import_scores(context, operator, scores, make_posts(40), audit=plan))
    summary = import_scores(context, operator, scores, make_posts(40), audit=plan)
    assert (summary.n_imported, summary.n_already_there, summary.n_audit) == (0, 20, 0)
    with context.store.read() as session:
        assert len(session.scalars(select(Event).where(Event.kind == "imported")).all()) == 1
        assert len(session.scalars(select(Post).where(Post.is_audit)).all()) == 10
    assert verify_chain(context, operator).is_intact


def test_an_import_that_met_one_with_other_texts_is_refused(
    context: ReviewContext, operator: SignedIn, make_scores: MakeTable, make_posts: MakeTable,
    interrupt: Callable[..., None],
) -> None:  # fmt: skip
    other = make_posts().assign(text="Another walk.")
    interrupt("build_rows", lambda: import_scores(context, operator, make_scores(), other))
    with pytest.raises(SchemaError, match="another text"):
        import_scores(context, operator, make_scores(), make_posts())


def test_highlights_that_came_meanwhile_are_not_written_twice(
    filled: ReviewContext, operator: SignedIn, interrupt: Callable[..., None]
) -> None:
    spans = pd.DataFrame({"post_id": ["p2", "p3"], "head": "valence", "start": 0, "end": 1, "weight": 1.0})
    spans["model_version"] = "0123456789ab"
    interrupt("_validate_spans", lambda: import_explanations(filled, operator, spans[:1]))
    assert import_explanations(filled, operator, spans).n_explained == 1
    with filled.store.read() as session:
        assert session.scalars(select(Highlight.post_id).order_by(Highlight.post_id)).all() == ["p2", "p3"]


@pytest.mark.parametrize("change", [{"start": float("nan")}, {"end": None}, {"start": ""}, {"weight": float("nan")}])
def test_highlights_without_a_place_or_a_weight_are_refused_by_id(
    filled: ReviewContext, operator: SignedIn, change: dict[str, Any]
) -> None:
    spans = pd.DataFrame({"post_id": ["p3"], "head": "valence", "start": 0, "end": 1, "weight": 1.0})
    spans["model_version"] = "0123456789ab"
    with pytest.raises(SchemaError, match="highlight of post p3"):
        import_explanations(filled, operator, spans.assign(**change))
