"""Every number about explanations, with its interval and n: for the report, the command line and the tracker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening.metrics.intervals import estimate_mean, estimate_proportion
from screening.types import Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

SPLIT = "flagged posts"
STAGES = ("heads", "upper_layers", "all_layers", "everything")
AGREEMENT = ("token_f1", "iou_f1", "average_precision")


def estimate_explanations(tables: Mapping[str, pd.DataFrame]) -> dict[str, Estimate]:
    """Estimate whatever the tables allow.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Any of ``explanations``, ``faithfulness``, ``single_words``, ``random_models``, ``plausibility``.

    Returns
    -------
    dict of str to Estimate
        ``reliable_<head>``: share of explanations that add up. ``comprehensiveness``, ``sufficiency`` (falls of the
        score, mean over the shares), the same with ``_random``, and with ``_gain`` marked less random, paired.
        ``single_word_rank_correlation``. ``random_<stage>_rank_correlation``. ``plausibility_<metric>``, with
        ``_random`` and ``_gain``.
    """
    found: dict[str, Estimate] = {}
    if "explanations" in tables:
        found |= {
            f"reliable_{head.removeprefix('class:')}": share
            for head, share in estimate_reliability(tables["explanations"]).items()
        }
    if "faithfulness" in tables:
        for kind in ("comprehensiveness", "sufficiency"):
            found |= _compare(tables["faithfulness"], f"{kind}_aopc", kind)
    if "single_words" in tables:
        found["single_word_rank_correlation"] = estimate_over_posts(tables["single_words"]["rank_correlation"])
    if "random_models" in tables:
        found |= {
            f"random_{stage}_rank_correlation": share
            for stage, share in estimate_stages(tables["random_models"]).items()
        }
    if "plausibility" in tables:
        for name in AGREEMENT:
            found |= _compare(tables["plausibility"], name, f"plausibility_{name}")
    return found


def estimate_reliability(spans: pd.DataFrame) -> dict[str, Estimate]:
    """Estimate the share of explained posts whose weights add up, by head; exact intervals."""
    posts = spans.drop_duplicates(["post_id", "head"])
    return {
        str(head): estimate_proportion(int(part["is_reliable"].sum()), len(part), split=SPLIT)
        for head, part in posts.groupby("head", sort=True)
    }


def estimate_stages(random_models: pd.DataFrame) -> dict[str, Estimate]:
    """Estimate the mean rank correlation at each stage of the cascade; posts of one random model vary together."""
    by_stage = dict(list(random_models.groupby("stage")))
    return {
        stage: estimate_mean(by_stage[stage]["rank_correlation"], split=SPLIT, clusters=by_stage[stage]["seed"])
        for stage in STAGES
        if stage in by_stage
    }


def estimate_over_posts(values: pd.Series) -> Estimate:
    """Estimate a mean over posts; undefined values are left out."""
    return estimate_mean(values, split=SPLIT)


def _compare(table: pd.DataFrame, column: str, name: str) -> dict[str, Estimate]:
    """Estimate a column, its value for random words, and the paired difference."""
    marked, random = table[column], table[f"{column}_random"]
    return {
        name: estimate_over_posts(marked),
        f"{name}_random": estimate_over_posts(random),
        f"{name}_gain": estimate_over_posts(marked - random),
    }
