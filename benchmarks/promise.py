"""How often each variant of the recall promise is broken and what it costs, beside naive thresholds and MAPIE.

    python benchmarks/promise.py                  # 2,000 repeats of every variant: a minute on one core
    python benchmarks/promise.py --repeats 10000

Positives score N(2, 1), other posts N(0, 1), both through the logistic function, so that the true recall and the true
alerts of a threshold are exact. A repeat draws calibration posts, fits every method on them, and looks whether the true
recall is below .95 anywhere it was promised. MAPIE takes a hundred times as long and runs on the first repeats only.
"""

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from mapie.risk_control import BinaryClassificationController
from scipy.special import expit, logit
from scipy.stats import norm

from screening.metrics.intervals import compute_proportion_interval
from screening.taxonomy import RiskTarget
from screening.thresholds.fitting import fit_operating_point
from screening.thresholds.scope import PromiseScope, build_scope

TARGET_RECALL = CONFIDENCE_LEVEL = 0.95
PROMISE = {"target_recall": TARGET_RECALL, "confidence_level": CONFIDENCE_LEVEL}
TARGET = RiskTarget(name="risk", labels=("risk",), triage="review", description="simulated")
MEAN, PREVALENCE = 2.0, 0.05
N_MAPIE = 300
OURS, NAIVE = "order statistic", "naive (highest that reaches the recall on calibration)"
SAME, MAPIE = "order statistic, MAPIE's repeats", "MAPIE, fixed sequence"
Fitted = Iterator[tuple[str, bool, float]]


@dataclass
class Tally:
    """Broken promises and alerts of one method."""

    broken: list[bool] = field(default_factory=list)
    alerts: list[float] = field(default_factory=list)

    def write(self, variant: str, method: str) -> str:
        """Write one row of the table."""
        n_broken, n = sum(self.broken), len(self.broken)
        interval = compute_proportion_interval(n_broken, n)
        share = f"{n_broken / n:.3f} ({interval.low:.3f}–{interval.high:.3f})"
        return f"| {variant} | {method} | {n:,} | {share} | {np.mean(self.alerts):.0f} |"


def compute_recall(threshold: float, mean: float = MEAN, decimals: int | None = None) -> float:
    """Compute the exact share of N(mean, 1) posts that are flagged; a rounded score stands for half a step below."""
    edge = threshold if decimals is None else threshold - 0.5 * 10.0**-decimals
    return float(norm.sf(logit(np.clip(edge, 0, 1)), loc=mean))


def compute_alerts(threshold: float, means: tuple[float, ...] = (MEAN,), decimals: int | None = None) -> float:
    """Compute exact alerts per 1,000 posts at the prevalence; positives come from each mean alike."""
    recall = np.mean([compute_recall(threshold, mean, decimals) for mean in means])
    return float(1_000 * (PREVALENCE * recall + (1 - PREVALENCE) * compute_recall(threshold, 0.0, decimals)))


def fit_ours(
    y_score: np.ndarray, scope: PromiseScope | None = None, n_promises: int = 1, recall: float = 0.95
) -> float:
    """Fit an operating point on the scores of positives."""
    every = np.ones(y_score.size, dtype=bool)
    point = fit_operating_point(
        TARGET, y_score, every, target_recall=recall, confidence_level=0.95, scope=scope, n_promises=n_promises
    )
    return point.threshold


def fit_naive(y_score: np.ndarray, recall: float = TARGET_RECALL) -> float:
    """Take the highest threshold that reaches the recall on the calibration positives themselves."""
    return float(np.sort(y_score)[int(np.floor((1 - recall) * y_score.size + 1e-9))])


def fit_mapie(y_score: np.ndarray, negatives: np.ndarray) -> float:
    """Take the highest threshold MAPIE calls valid on a grid of 1,000."""
    controller = BinaryClassificationController(
        lambda scores: np.c_[1 - scores[:, 0], scores[:, 0]],
        "recall",
        TARGET_RECALL,
        confidence_level=CONFIDENCE_LEVEL,
        fwer_method="fixed_sequence",
        list_predict_params=np.linspace(0, 0.999, 1_000),
    )
    labels = np.repeat([1, 0], [y_score.size, negatives.size])
    controller.calibrate(np.r_[y_score, negatives][:, None], labels)
    return float(np.max(controller.valid_predict_params))


def draw_alike(rng: np.random.Generator, repeat: int, n: int, decimals: int | None = None) -> Fitted:
    """Independent positives, rounded for ties."""
    y_score = expit(rng.normal(MEAN, 1, n))
    y_score = y_score if decimals is None else y_score.round(decimals)
    methods: dict[str, Callable[[], float]] = {OURS: lambda: fit_ours(y_score), NAIVE: lambda: fit_naive(y_score)}
    if repeat < N_MAPIE and decimals is None:
        methods |= {SAME: methods[OURS], MAPIE: lambda: fit_mapie(y_score, expit(rng.normal(0, 1, n)))}
    for name, fit in methods.items():
        threshold = fit()
        is_broken = compute_recall(threshold, decimals=decimals) < TARGET_RECALL
        yield name, is_broken, compute_alerts(threshold, decimals=decimals)


def draw_targets(rng: np.random.Generator, repeat: int) -> Fitted:
    """Three risk targets, all promises to hold at once."""
    scores = [expit(rng.normal(MEAN, 1, 160)) for _ in range(3)]
    fits: dict[str, Callable[[np.ndarray], float]] = {
        "order statistic, confidence shared": lambda values: fit_ours(values, n_promises=3),
        "order statistic, each alone": fit_ours,
        NAIVE: fit_naive,
    }
    for name, fit in fits.items():
        thresholds = [fit(values) for values in scores]
        is_broken = any(compute_recall(threshold) < TARGET_RECALL for threshold in thresholds)
        yield name, is_broken, float(np.mean([compute_alerts(threshold) for threshold in thresholds]))


def draw_recalls(rng: np.random.Generator, repeat: int) -> Fitted:
    """Four recalls from the same posts, all promises to hold at once, so that one may be picked afterwards."""
    y_score, recalls = expit(rng.normal(MEAN, 1, 200)), (0.95, 0.9, 0.8, 0.7)
    fits: dict[str, Callable[[float], float]] = {
        "order statistic, confidence shared": lambda recall: fit_ours(y_score, n_promises=4, recall=recall),
        "order statistic, each alone": lambda recall: fit_ours(y_score, recall=recall),
        NAIVE: lambda recall: fit_naive(y_score, recall),
    }
    for name, fit in fits.items():
        thresholds = [fit(recall) for recall in recalls]
        is_broken = any(compute_recall(t) < recall for t, recall in zip(thresholds, recalls, strict=True))
        yield name, is_broken, compute_alerts(thresholds[0])


def draw_groups(rng: np.random.Generator, repeat: int, means: tuple[float, ...]) -> Fitted:
    """Fit on groups of 100, 200 and 400 positives; the promise is broken if it is in any of them."""
    sizes = (100, 200, 400)
    y_score = expit(rng.normal(np.repeat(means, sizes), 1))
    names = np.repeat(np.array(["a", "b", "c"], dtype=object), sizes)
    thresholds = {
        "order statistic, lowest of the groups": fit_ours(y_score, PromiseScope(groups={"community": names})),
        "order statistic, all posts": fit_ours(y_score),
        NAIVE: fit_naive(y_score),
    }
    for name, threshold in thresholds.items():
        is_broken = min(compute_recall(threshold, mean) for mean in means) < TARGET_RECALL
        yield name, is_broken, compute_alerts(threshold, means)


def draw_authors(rng: np.random.Generator, repeat: int) -> Fitted:
    """150 authors with 1 to 300 posts each (Zipf 1.8), whose posts nearly agree (correlation .99)."""
    counts = np.minimum(rng.zipf(1.8, 150), 300)
    author = np.repeat(np.arange(150), counts)
    y_score = expit(rng.normal(MEAN + rng.normal(0, 0.99**0.5, 150)[author], 0.1))
    thresholds = {
        "order statistic, authors": fit_ours(
            y_score, build_scope(pd.DataFrame({"author_id": author}), unit="author", rng=rng)
        ),
        "order statistic, posts": fit_ours(y_score),
        NAIVE: fit_naive(y_score),
    }
    for name, threshold in thresholds.items():
        yield name, compute_recall(threshold) < TARGET_RECALL, compute_alerts(threshold)


VARIANTS: dict[str, Callable[[np.random.Generator, int], Fitted]] = {
    "independent, 100 positives": lambda rng, repeat: draw_alike(rng, repeat, 100),
    "independent, 400 positives": lambda rng, repeat: draw_alike(rng, repeat, 400),
    "independent, 2,000 positives": lambda rng, repeat: draw_alike(rng, repeat, 2_000),
    "ties (one decimal), 100 positives": lambda rng, repeat: draw_alike(rng, repeat, 100, 1),
    "three targets at once, 160 each": draw_targets,
    "four recalls at once, 200 positives": draw_recalls,
    "three groups at once, one harder": lambda rng, repeat: draw_groups(rng, repeat, (1.0, 2.0, 2.5)),
    "three groups at once, alike": lambda rng, repeat: draw_groups(rng, repeat, (2.0, 2.0, 2.0)),
    "150 authors, posts of one alike": draw_authors,
}


def main() -> None:
    """Run every variant and print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=2_000)
    repeats = parser.parse_args().repeats
    print(
        f"Recall .95 promised with confidence .95: at most .050 may be broken. Alerts at prevalence {PREVALENCE:g}.\n"
    )
    print("| Calibration posts | Threshold | repeats | promise broken (95 % interval) | alerts per 1,000, mean |")
    print("|---|---|---|---|---|")
    for seed, (variant, draw) in enumerate(VARIANTS.items()):
        tallies: dict[str, Tally] = defaultdict(Tally)
        rng = np.random.default_rng(seed)
        for repeat in range(repeats):
            for method, is_broken, alerts in draw(rng, repeat):
                tallies[method].broken.append(is_broken)
                tallies[method].alerts.append(alerts)
        for method, tally in tallies.items():
            print(tally.write(variant, method), flush=True)


if __name__ == "__main__":
    main()
