"""The sections of a report in reading order: which words, pictures and tables stand together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from reports import figures, intended_use
from reports.calibration import build_calibration_summary, build_reliability
from reports.classification import build_comparison, build_confusion, build_per_class, build_summary
from reports.comparators import build_promise_comparison
from reports.curves import build_curve, build_histogram
from reports.data_flow import build_flow, build_splits, read_data_facts
from reports.explanations import build_explanation_section
from reports.page import Section
from reports.recall import build_alerts, build_deployment, build_performance
from reports.subgroups import build_subgroups
from reports.tables import Column, Table
from reports.thresholds import build_operating_points, build_triage_counts

if TYPE_CHECKING:
    from reports.results import RunResults

HISTORY_CHOICES = ("train_loss", "loss", "validation_loss", "eval_loss", "validation_macro_f1", "eval_macro_f1")


def build_sections(results: RunResults) -> tuple[Section, ...]:
    """Build every section that has something to show."""
    sections = (
        build_recall_section(results),
        build_cost_section(results),
        build_calibration_section(results),
        build_comparator_section(results),
        build_classification_section(results),
        build_subgroup_section(results),
        build_explanation_section(results),
        build_data_section(results),
        build_training_section(results),
        Section("caveats", "What these numbers do not say", points=intended_use.CAVEATS),
    )
    return tuple(section for section in sections if section is not None)


def build_recall_section(results: RunResults) -> Section:
    """Build the promise and what was found."""
    assumptions = dict.fromkeys(sentence for point in results.operating_points for sentence in point.assumptions)
    return Section(
        name="recall",
        title="Recall: promised and found",
        words=(intended_use.PROMISE_IN_WORDS,),
        tables=(build_operating_points(results), build_performance(results)),
        points=tuple(assumptions),
        points_heading="What the promise rests on",
        pictures=tuple(
            figures.plot_scores(
                build_histogram(results, target),
                target.name,
                threshold=results.point_by_target[target.name].threshold,
                split="test split",
            )
            for target in results.targets
        ),
    )


def build_cost_section(results: RunResults) -> Section:
    """Build alerts and reading effort."""
    curve, performance = build_curve(results), build_performance(results)
    return Section(
        name="cost",
        title="What it costs in reading",
        words=(
            "Recall costs reading. How much depends on how common such posts are where the screener runs, and on what "
            "the other posts are like; both are different from this data set almost everywhere.",
        ),
        tables=(build_deployment(results), build_alerts(results), build_triage_counts(results)),
        pictures=(
            figures.plot_recall_alerts(curve.frame, performance.frame, "test split"),
            figures.plot_precision_recall(curve.frame, performance.frame, "test split"),
        ),
        folded=(curve,),
    )


def build_calibration_section(results: RunResults) -> Section:
    """Build calibration before and after temperature scaling."""
    reliability = build_reliability(results)
    return Section(
        name="calibration",
        title="Do probabilities mean what they say?",
        words=(
            "The recall promise does not need calibrated probabilities; people who read a probability do. "
            "Temperature was fitted on the validation split and is judged here on posts it has not seen.",
        ),
        tables=(build_calibration_summary(results),),
        pictures=(figures.plot_reliability(reliability.frame, "test split"),),
        folded=(reliability,),
    )


def build_classification_section(results: RunResults) -> Section:
    """Build decisions for one class per post."""
    confusion = build_confusion(results)
    return Section(
        name="classification",
        title="Telling classes apart",
        words=(
            "For comparison with published work: one class per post. A flag does not use these decisions; it uses the "
            "risk score of a target, the sum of its labels' probabilities.",
        ),
        tables=(build_summary(results), build_per_class(results)),
        pictures=(figures.plot_confusion(confusion.frame.set_index("label"), "test split"),),
        folded=(confusion,),
    )


def build_comparator_section(results: RunResults) -> Section | None:
    """Build the comparison with other scorers, where there are any."""
    if not results.comparators:
        return None
    words = ("Simpler scorers on the same posts. A screener that does not beat them is not worth its cost.",)
    return Section("comparators", "Beside simpler scorers", words,
                   (build_promise_comparison(results), build_comparison(results)))  # fmt: skip


def build_subgroup_section(results: RunResults) -> Section:
    """Build groups of posts."""
    words = ("Groups of posts, not of people. A wide interval is no evidence of equality.",)
    return Section("subgroups", "Groups of posts", words, (build_subgroups(results),))


def build_data_section(results: RunResults) -> Section:
    """Build the way of posts through every filter."""
    facts = read_data_facts(results.data_card)
    words = [f"Source: {results.config.data.source}. {results.taxonomy.description} {results.taxonomy.label_meaning}"]
    if facts.first_date and facts.last_date:
        words.append(f"Posts are from {facts.first_date} to {facts.last_date}.")
    return Section("data", "Data", tuple(words), (build_flow(results), build_splits(results)))


def build_training_section(results: RunResults) -> Section | None:
    """Build the training history, where there is one."""
    history = results.history
    if history.empty or "epoch" not in history:
        return None
    chosen = tuple(column for column in HISTORY_CHOICES if column in history and history[column].notna().any())
    numeric = [column for column in history.columns if pd.api.types.is_numeric_dtype(history[column])]
    columns = tuple(Column(name, name.replace("_", " "), "text" if name == "epoch" else "number") for name in numeric)
    table = Table("history", "Training, by epoch", history[numeric], columns, "train and validation splits")
    pictures = (figures.plot_history(history, chosen),) if chosen else ()
    return Section("training", "Training", pictures=pictures, folded=(table,))
