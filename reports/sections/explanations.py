"""How many explanations add up, and whether the words they name matter more than random words; no words of any post."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from reports.estimates import spread_estimate
from reports.figures.explanations import plot_masking
from reports.page import Section
from reports.sections.explained_posts import ALL, count_explained_posts
from reports.sections.explanation_estimates import (
    AGREEMENT,
    estimate_explanations,
    estimate_over_posts,
    estimate_reliability,
    estimate_stages,
)
from reports.tables import Column, Table

if TYPE_CHECKING:
    from reports.results import RunResults
    from screening.types import Estimate

TITLE = "Words the score depended on"
WORDS = ("Marked words are words the score depended on. They are not reasons.",)
KINDS = {"comprehensiveness": "Fall without them", "sufficiency": "Fall with them alone"}
SHARES = {"1": "1%", "5": "5%", "10": "10%", "20": "20%", "50": "50%", "aopc": "mean of the five"}
STAGES = {
    "heads": "Weights with random heads",
    "upper_layers": "… and a random upper half of the encoder",
    "all_layers": "… and all layers random",
    "everything": "… and random word embeddings",
}
AGREEMENTS = dict(zip(AGREEMENT, ("F1 of words", "F1 of runs of words", "Average precision"), strict=True))
TABLES = ("explanations", "faithfulness", "single_words", "random_models", "plausibility")


def build_explanation_section(results: RunResults) -> Section | None:
    """Build what is known about explanations, where the run explained anything."""
    masking = build_faithfulness(results)
    built = (build_explanations(results), masking, build_word_order(results), build_plausibility(results))
    tables = tuple(table for table in built if table is not None)
    pictures = () if masking is None else (plot_masking(masking.frame, masking.split),)
    return Section("explanations", TITLE, WORDS, tables, pictures=pictures) if tables else None


def collect_tables(results: RunResults) -> dict[str, pd.DataFrame]:
    """Collect the run's tables about explanations that hold anything, as their estimates are made from them."""
    found = {name: getattr(results, name) for name in TABLES}
    return {name: table for name, table in found.items() if table is not None and not table.empty}


def build_explanations(results: RunResults) -> Table | None:
    """Count reliable explanations per head; ``None`` where the run made none."""
    spans = results.explanations
    if spans is None or spans.empty:
        return None
    posts = dict(list(spans.drop_duplicates(["post_id", "head"]).groupby("head")))
    rows = [_describe_head(head, posts[head], share) for head, share in estimate_reliability(spans).items()]
    columns = [
        Column("head", "Explained score"),
        Column("n_posts", "Explained posts", "count"),
        Column("reliable", "Reliable", "fraction", interval=True),
        Column("median_n_steps", "Median steps", "count"),
        Column("median_delta_relative", "Median error", "fraction"),
    ]
    if "unreliable_because" in spans:
        columns.append(Column("unreliable_because", "Why others are not"))
    note = "Reliable: integrated gradients add up to the change of score within 5%. Exact 95% intervals."
    if results.faithfulness is None:
        note += " Whether marked words matter more than random words was not measured here."
    split, about = _describe_posts(results)
    return Table("explanations", "Reliability of explanations", pd.DataFrame(rows), tuple(columns), split, note + about)


def build_faithfulness(results: RunResults) -> Table | None:
    """Set the fall of the score under masked words beside that under random words; ``None`` where not measured."""
    posts = results.faithfulness
    if posts is None or posts.empty:
        return None
    rows = []
    for share, words in SHARES.items():
        record: dict[str, object] = {"share": words}
        for kind in KINDS:
            marked, random = posts[f"{kind}_{share}"], posts[f"{kind}_{share}_random"]
            record |= spread_estimate(kind, estimate_over_posts(marked))
            record |= spread_estimate(f"{kind}_random", estimate_over_posts(random))
            record |= spread_estimate(f"{kind}_gain", estimate_over_posts(marked - random))
        rows.append(record)
    columns = (
        Column("share", "Share of words", n_key="comprehensiveness_n"),
        *(
            Column(f"{kind}{suffix}", f"{heading}{whose}", "signed", interval=True)
            for kind, heading in KINDS.items()
            for suffix, whose in (("", ", marked"), ("_random", ", random"), ("_gain", ": marked less random"))
        ),
    )
    split, about = _describe_posts(results)
    return Table("faithfulness", "Marked words against random words", pd.DataFrame(rows), columns, split,
                 _write_note(posts) + about)  # fmt: skip


def build_word_order(results: RunResults) -> Table | None:
    """Compare the order of words by weight with the change when each is masked, and with weights of random models."""
    rows = []
    if results.single_words is not None and not results.single_words.empty:
        found = estimate_over_posts(results.single_words["rank_correlation"])
        most = int(results.single_words["n_masked"].max())
        rows.append(_describe_order("Fall of the score when each word alone is masked", found,
                                    f"higher is better; up to {most} words a post, drawn at random"))  # fmt: skip
    if results.random_models is not None and not results.random_models.empty:
        for stage, found in estimate_stages(results.random_models).items():
            rows.append(_describe_order(STAGES[stage], found, "lower is better; compared without signs"))
    if not rows:
        return None
    columns = (
        Column("other", "Compared with"),
        Column("rank_correlation", "Rank correlation", "ratio", interval=True, n_key="rank_correlation_n"),
        Column("reading", "How to read it"),
    )
    note = (
        "Spearman's, between the weights of a post's words and another column, mean over posts; 95% Student intervals "
        "over posts (over models, where weights are random). Words that say the same thing each change little alone, "
        "so the first need not be near 1. An explanation that stays the same when the weights of the model are random "
        "shows the text and not the model; long and rare words weigh more in any model, so the last need not be 0."
    )
    split, about = _describe_posts(results)
    return Table("word_order", "Order of words by weight", pd.DataFrame(rows), columns, split, note + about)


def build_plausibility(results: RunResults) -> Table | None:
    """Set agreement with what people marked beside that of random words; ``None`` where nobody marked anything."""
    posts = results.plausibility
    if posts is None or posts.empty:
        return None
    found = estimate_explanations({"plausibility": posts})
    rows = []
    for name, words in AGREEMENTS.items():
        record: dict[str, object] = {"metric": words}
        for key, suffix in (("marked", ""), ("random", "_random"), ("gain", "_gain")):
            record |= spread_estimate(key, found[f"plausibility_{name}{suffix}"])
        rows.append(record)
    columns = (
        Column("metric", "Agreement", n_key="marked_n"),
        Column("marked", "Marked words", "ratio", interval=True),
        Column("random", "Random words", "ratio", interval=True),
        Column("gain", "Marked less random", "signed", interval=True),
    )
    note = (
        "Against spans that people marked in these posts, as in ERASER: as many words of highest weight as people mark "
        "on average; a run of words is found if it shares half of its union with one of theirs; average precision of "
        "all weights. Higher is better. Agreement with people is not faithfulness. 95% Student intervals over posts."
    )
    split, about = _describe_posts(results)
    title = "Marked words against people's rationales"
    return Table("plausibility", title, pd.DataFrame(rows), columns, split, note + about)


def _describe_posts(results: RunResults) -> tuple[str, str]:
    """Name the posts, and say what intervals over them are about."""
    explained = count_explained_posts(results)
    return (ALL, "") if explained is None else (explained.name, explained.note)


def _write_note(posts: pd.DataFrame) -> str:
    n_draws = int(posts["n_draws"].max())
    return (
        "Fall of the explained score (log-odds for a risk target) when a share of words is masked. Without them: the "
        "marked words are masked; higher is better. With them alone: all other words are masked; lower is better. "
        f"Random: as many random words, mean of {n_draws} seeded draws. Less random: difference per post. 95% "
        "Student intervals over posts. A drawn sample of the explained posts."
    )


def _describe_order(other: str, found: Estimate, reading: str) -> dict[str, object]:
    record: dict[str, object] = {"other": other, "reading": reading}
    return record | spread_estimate("rank_correlation", found)


def _describe_head(head: str, posts: pd.DataFrame, reliable: Estimate) -> dict[str, object]:
    record: dict[str, object] = {
        "head": head,
        "n_posts": len(posts),
        "median_n_steps": float(posts["n_steps"].median()),
        "median_delta_relative": float(posts["delta_relative"].abs().median()),
    }
    if "unreliable_because" in posts:
        reasons = posts.loc[~posts["is_reliable"], "unreliable_because"].value_counts()
        record["unreliable_because"] = "; ".join(f"{reason}: {n:,}" for reason, n in reasons.items()) or None
    return record | spread_estimate("reliable", reliable)
