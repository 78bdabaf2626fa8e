"""The data card as tables: how many posts each filter left, and what the splits hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from reports.page import Section
from reports.results import RunResults
from reports.tables import Column, Table
from screening.exceptions import SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FIRST_STEP, CHANGING_STEP, FINAL_STEP = "read", "cleaned", "kept"


@dataclass(frozen=True)
class DataFacts:
    """What the checks need from a data card; ``None`` where the card does not say.

    ``is_author_known`` is False only where the card says that the source names no authors.
    """

    is_author_known: bool
    n_shared_authors: int | None
    n_near_duplicates: int | None
    n_exact_duplicates: int | None
    n_ids_in_two_splits: int | None
    first_date: str | None
    last_date: str | None


def read_data_facts(card: Mapping[str, Any]) -> DataFacts:
    """Read a data card; the only place that knows the names of its fields."""
    leakage = card.get("leakage", {})
    n_shared = leakage.get("n_authors_in_two_splits")
    return DataFacts(
        is_author_known="n_authors_in_two_splits" not in leakage or n_shared is not None,
        n_shared_authors=n_shared,
        n_near_duplicates=leakage.get("n_near_duplicates"),
        n_exact_duplicates=leakage.get("n_exact_duplicates"),
        n_ids_in_two_splits=leakage.get("n_ids_in_two_splits"),
        first_date=card.get("first_date"),
        last_date=card.get("last_date"),
    )


def build_data_section(results: RunResults) -> Section:
    """Build the way of posts through every filter."""
    facts = read_data_facts(results.data_card)
    words = [f"Source: {results.config.data.source}. {results.taxonomy.description} {results.taxonomy.label_meaning}"]
    if facts.first_date and facts.last_date:
        words.append(f"Posts are from {facts.first_date} to {facts.last_date}.")
    return Section("data", "Data", tuple(words), (build_flow(results), build_splits(results)))


def build_flow(results: RunResults) -> Table:
    """List what each filter dropped and the posts left after it.

    Raises
    ------
    SchemaError
        If the posts read less the posts dropped are not the posts kept.

    Notes
    -----
    The card's ``cleaned`` counts texts that changed (no post is dropped there), ``read`` and ``kept`` count posts that
    are there, and every other step counts posts that were dropped.
    """
    columns = (
        Column("step", "Step"),
        Column("description", "What it does"),
        Column("n_dropped", "Dropped", "count"),
        Column("n_posts", "Posts left", "count"),
    )
    rows = _count_posts_left(results.data_card.get("filters", ()))
    frame = pd.DataFrame(rows, columns=["step", "description", "n_posts", "n_dropped"])
    return Table("data_flow", "Posts through every filter", frame, columns, "all splits and controls")


def _count_posts_left(steps: Iterable[Mapping[str, Any]]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    n_left = 0
    for step in steps:
        name, n_posts, description = str(step["step"]), int(step["n_posts"]), str(step["description"])
        n_dropped = None if name == FIRST_STEP else 0 if name in (CHANGING_STEP, FINAL_STEP) else n_posts
        n_left = n_posts if name == FIRST_STEP else n_left - (n_dropped or 0)
        if name == CHANGING_STEP:
            description = f"{description}: {n_posts:,}; none is dropped"
        if name == FINAL_STEP and n_left != n_posts:
            message = (
                f"data card: expected {n_left:,} posts kept (posts read less posts dropped), found {n_posts:,}; "
                "run `screening prepare` again"
            )
            raise SchemaError(message)
        words = {"step": name.replace("_", " "), "description": description}
        rows.append({**words, "n_posts": n_left, "n_dropped": n_dropped})
    return rows


def build_splits(results: RunResults) -> Table:
    """Count posts by split and label after the last filter."""
    final = [step for step in results.data_card.get("filters", ()) if step["step"] == FINAL_STEP]
    counts: dict[str, dict[str, int]] = final[0]["counts"] if final else {}
    labels = sorted({label for by_label in counts.values() for label in by_label}, key=_label_order(results))
    rows = [
        {"split": split, "n_samples": sum(by_label.values())}
        | {f"n_{label}": by_label.get(label, 0) for label in labels}
        for split, by_label in counts.items()
    ]
    columns = (
        Column("split", "Split"),
        Column("n_samples", "Posts", "count"),
        *(Column(f"n_{label}", label.removeprefix("control_"), "count") for label in labels),
    )
    frame = pd.DataFrame(rows, columns=["split", "n_samples", *(f"n_{label}" for label in labels)])
    note = (
        "Train fits the model, validation chooses the epoch and the temperature, calibration only the thresholds, "
        "test gives the numbers on this page. Controls are posts from outside the task."
    )
    return Table("splits", "Posts by split and label", frame, columns, "after the last filter", note)


def _label_order(results: RunResults) -> Any:
    known = {name: i for i, name in enumerate(results.taxonomy.names)}
    return lambda label: (known.get(label, len(known)), label)
