"""What a report is made from: one run's score tables, operating points and facts, without any post text."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from reports.tables import Table
    from screening.calibration.temperature import TemperatureScaling
    from screening.config import RunConfig
    from screening.taxonomy import RiskTarget, Taxonomy
    from screening.thresholds.abstention import AbstentionBand
    from screening.thresholds.budget import BudgetAssessment
    from screening.thresholds.operating_point import OperatingPoint

CONTROL_KIND = "control_kind"


@dataclass(frozen=True)
class Comparator:
    """Another scorer on the same posts, with operating points fitted the same way.

    ``rule_threshold`` holds, by target, the score from which the scorer's own rule flags a post, where it has one that
    no recall promise stands behind (a keyword list: any phrase); ``rule`` says it in a few words. A score table without
    ``prob_`` columns names no classes.
    """

    name: str
    test: pd.DataFrame
    controls: pd.DataFrame | None = None
    operating_points: tuple[OperatingPoint, ...] = ()
    rule_threshold: dict[str, float] = field(default_factory=dict)
    rule: str = ""


@dataclass(frozen=True, eq=False)
class CascadeResults:
    """What a report says of a first stage.

    Parameters
    ----------
    card : dict
        JSON form of ``pipelines.calibrating.cascade.FirstStageCard``: its threshold, and the controls it learnt from.
    encoder_points : tuple of OperatingPoint
        What the encoder alone would promise, from the same calibration posts.
    held_out : pandas.DataFrame
        ``label`` and ``gate_score`` of the training and validation posts that the threshold was chosen on.
    gate_scores : pandas.DataFrame
        ``split`` (test, controls), ``post_id``, ``label``, ``gate_score``.
    speed : dict
        Posts, tokens and seconds of both stages, as measured.
    """

    card: dict[str, Any]
    encoder_points: tuple[OperatingPoint, ...]
    held_out: pd.DataFrame
    gate_scores: pd.DataFrame
    speed: dict[str, Any]


@dataclass(frozen=True, eq=False)
class RunResults:
    """Everything one report needs; compared and kept by identity.

    Parameters
    ----------
    config, taxonomy
        The resolved configuration and the labels of the task.
    run_info : dict
        ``run_id``, ``commit``, ``seed``, ``created_at``, ``versions``, ``hardware``; whatever ``run.json`` holds.
    data_card : dict
        JSON form of ``screening.data``'s data card.
    history : pandas.DataFrame
        One row per epoch; may be empty.
    temperature : TemperatureScaling or None
        Fitted on the validation split.
    operating_points : tuple of OperatingPoint
        One per risk target, fitted on the calibration split.
    calibration, test : pandas.DataFrame
        Score tables with ``label``.
    controls : pandas.DataFrame or None
        Score table of posts from outside the task, with ``control_kind``; none of them counts as a positive.
    comparators : dict of str to Comparator
        Other scorers on the same test posts.
    explanations : pandas.DataFrame or None
        Explanation table of flagged posts.
    alternatives : tuple of OperatingPoint
        Points at other recalls from the same calibration posts; their promises share one confidence.
    budgets : tuple of BudgetAssessment
        Whether each operating point stays within the alert budget, where one was set.
    alternative_budgets : tuple of BudgetAssessment
        The same for each alternative.
    bands : tuple of AbstentionBand
        Scores between which a person decides, one band per operating point, where asked for.
    robustness : pandas.DataFrame or None
        Risk scores of positive test posts after small changes of their text: ``post_id``, ``label``, ``perturbation``.
    text_facts : pandas.DataFrame or None
        Yes-or-no facts about the text of each test post, by ``post_id``.
    external : pandas.DataFrame or None
        Score table of labelled posts from another place or time.
    external_card : dict or None
        Where the external posts come from and how many each step dropped.
    fitted_until : pandas.Timestamp or None
        Time of the latest training, validation or calibration post, where posts have one.
    faithfulness : pandas.DataFrame or None
        How much scores fall when explained words are masked, against random words, per explained post.
    single_words : pandas.DataFrame or None
        Rank correlation of weights with the change of score when each word alone is masked, per post.
    random_models : pandas.DataFrame or None
        Rank correlation of weights with those of models with random weights, per post and stage.
    plausibility : pandas.DataFrame or None
        Agreement of explained words with what people marked, per post that has rationales.
    cascade : CascadeResults or None
        The first stage, where the run has one; ``test`` and ``controls`` then hold the scores of both stages together.
    """

    config: RunConfig
    taxonomy: Taxonomy
    run_info: dict[str, Any]
    data_card: dict[str, Any]
    history: pd.DataFrame
    temperature: TemperatureScaling | None
    operating_points: tuple[OperatingPoint, ...]
    calibration: pd.DataFrame
    test: pd.DataFrame
    controls: pd.DataFrame | None = None
    comparators: dict[str, Comparator] = field(default_factory=dict)
    explanations: pd.DataFrame | None = None
    alternatives: tuple[OperatingPoint, ...] = ()
    budgets: tuple[BudgetAssessment, ...] = ()
    alternative_budgets: tuple[BudgetAssessment, ...] = ()
    bands: tuple[AbstentionBand, ...] = ()
    robustness: pd.DataFrame | None = None
    text_facts: pd.DataFrame | None = None
    external: pd.DataFrame | None = None
    faithfulness: pd.DataFrame | None = None
    single_words: pd.DataFrame | None = None
    random_models: pd.DataFrame | None = None
    plausibility: pd.DataFrame | None = None
    external_card: dict[str, Any] | None = None
    fitted_until: pd.Timestamp | None = None
    cascade: CascadeResults | None = None

    @property
    def is_synthetic(self) -> bool:
        """Whether the posts were made by the shipped generator."""
        return bool(self.data_card.get("is_synthetic")) or self.config.data.source == "synthetic"

    @property
    def has_word_model(self) -> bool:
        """Whether the logits of TF-IDF + logistic regression are added to the encoder's in every score."""
        return bool(self.run_info.get("words_weight"))

    @property
    def point_by_target(self) -> dict[str, OperatingPoint]:
        """Operating points by the name of their risk target."""
        return {point.name: point for point in self.operating_points}

    @property
    def targets(self) -> tuple[RiskTarget, ...]:
        """Risk targets that have an operating point, most urgent first."""
        return tuple(target for target in self.taxonomy.targets if target.name in self.point_by_target)

    @property
    def scored_targets(self) -> tuple[RiskTarget, ...]:
        """Risk targets whose score stands in the test table, with or without an operating point."""
        return tuple(target for target in self.taxonomy.targets if f"risk_{target.name}" in self.test)


def once_per_run(build: Callable[[RunResults], Table]) -> Callable[[RunResults], Table]:
    """Keep the table a builder makes for as long as its run is in use: several sections and checks read the same one.

    Nobody changes a table's frame after it was built.
    """
    kept: WeakKeyDictionary[RunResults, Table] = WeakKeyDictionary()

    @functools.wraps(build)
    def build_once(results: RunResults) -> Table:
        if results not in kept:
            kept[results] = build(results)
        return kept[results]

    return build_once


def binarize_labels(scores: pd.DataFrame, target: RiskTarget) -> np.ndarray:
    """Mark the posts whose label belongs to a risk target, shape (n,), bool."""
    return scores["label"].isin(target.labels).to_numpy()


def extract_scores(scores: pd.DataFrame, target: RiskTarget) -> np.ndarray:
    """Read the risk score of a target in the precision it was stored in, shape (n,), in [0, 1]."""
    return scores[f"risk_{target.name}"].to_numpy()


def extract_probabilities(scores: pd.DataFrame, taxonomy: Taxonomy) -> np.ndarray:
    """Read the class probabilities in taxonomy order, shape (n, n_classes); rows sum to 1."""
    return scores[[f"prob_{name}" for name in taxonomy.names]].to_numpy(dtype=float)


def mark_read(scores: pd.DataFrame) -> np.ndarray:
    """Mark the posts that no first stage cleared, shape (n,), bool; all of them where there is none."""
    if "is_cleared" not in scores:
        return np.ones(len(scores), dtype=bool)
    is_read: np.ndarray = ~scores["is_cleared"].to_numpy(dtype=bool)
    return is_read


def encode_labels(scores: pd.DataFrame, taxonomy: Taxonomy) -> np.ndarray:
    """Encode true labels as class indices in taxonomy order, shape (n,)."""
    codes, labels = pd.factorize(scores["label"], use_na_sentinel=False)
    return np.array(taxonomy.encode(labels), dtype=int)[codes]


def predict_labels(scores: pd.DataFrame, taxonomy: Taxonomy) -> np.ndarray:
    """Take the most probable class of each post, shape (n,)."""
    return extract_probabilities(scores, taxonomy).argmax(axis=1)


def control_groups(controls: pd.DataFrame | None) -> list[tuple[str, pd.DataFrame]]:
    """Divide controls by kind, in order of name; empty without controls."""
    if controls is None or controls.empty:
        return []
    if CONTROL_KIND not in controls:
        return [("all", controls)]
    return [(str(kind), group) for kind, group in controls.groupby(CONTROL_KIND, observed=True, sort=True)]
