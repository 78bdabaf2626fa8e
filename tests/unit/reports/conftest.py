"""A seeded run with made scores: small, fast, and without any post."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from reports.assembly import build_page
from reports.page import Page
from reports.results import Comparator, RunResults
from screening.calibration.temperature import TemperatureScaling
from screening.config import RunConfig, load_config
from screening.taxonomy import Taxonomy, load_taxonomy
from screening.thresholds.fitting import fit_operating_point
from screening.thresholds.operating_point import OperatingPoint
from screening.thresholds.triage import assign_triage

SHARES = (0.13, 0.18, 0.14, 0.22, 0.33)
TEMPERATURE = TemperatureScaling(temperature=1.6, n_samples=400)


def make_scores(n: int, *, seed: int, split: str, signal: float = 2.2) -> pd.DataFrame:
    """Make a score table: Bayes' rule for Gaussian evidence, made over-confident and scaled back by the temperature."""
    taxonomy = load_taxonomy("mh5")
    generator = np.random.default_rng(seed)
    classes = generator.choice(len(SHARES), size=n, p=SHARES)
    evidence = generator.normal(size=(n, len(SHARES)))
    evidence[np.arange(n), classes] += signal
    logits = TEMPERATURE.temperature * (signal * evidence + np.log(SHARES))
    table = pd.DataFrame({"post_id": [f"{split}-{i}" for i in range(n)]})
    table["label"] = [taxonomy.names[i] for i in classes]
    return _add_scores(table, logits, taxonomy, generator)


def make_controls(n: int, *, seed: int) -> pd.DataFrame:
    """Make control posts of two kinds: mostly like the class that carries no risk."""
    taxonomy = load_taxonomy("mh5")
    generator = np.random.default_rng(seed)
    evidence = generator.normal(size=(n, len(SHARES)))
    evidence[:, taxonomy.names.index("offmychest")] += 3
    logits = TEMPERATURE.temperature * (2.2 * evidence + np.log(SHARES))
    table = pd.DataFrame({"post_id": [f"control-{i}" for i in range(n)]})
    table["control_kind"] = np.where(generator.random(n) < 0.4, "emotional", "plain")
    return _add_scores(table, logits, taxonomy, generator)


def _add_scores(
    table: pd.DataFrame, logits: np.ndarray, taxonomy: Taxonomy, generator: np.random.Generator
) -> pd.DataFrame:
    n = len(table)
    probabilities = TEMPERATURE.compute_probabilities(logits)
    columns = {f"prob_{name}": probabilities[:, i] for i, name in enumerate(taxonomy.names)}
    columns |= {
        f"risk_{target.name}": probabilities[:, taxonomy.target_indices(target)].sum(axis=1)
        for target in taxonomy.targets
    }
    columns |= {"valence": generator.uniform(-1, 1, n), "intensity": generator.uniform(0, 1, n)}
    columns["n_tokens"] = generator.lognormal(4.2, 0.9, n).astype(int) + 3
    table = table.assign(**columns)
    table["is_truncated"] = table["n_tokens"] > 256
    table["n_windows"] = 1
    table["community"] = generator.choice(["north", "south", "rare"], n, p=[0.6, 0.385, 0.015])
    table["created_at"] = pd.Timestamp("2012-01-01") + pd.to_timedelta(generator.integers(0, 1000, n), unit="D")
    return table


def fit_points(calibration: pd.DataFrame, config: RunConfig, taxonomy: Taxonomy) -> tuple[OperatingPoint, ...]:
    """Fit one operating point per target the way a run does."""
    return tuple(
        fit_operating_point(
            target,
            calibration[f"risk_{target.name}"].to_numpy(),
            calibration["label"].isin(target.labels).to_numpy(),
            target_recall=config.calibration.target_recall,
            confidence_level=config.calibration.confidence_level,
        )
        for target in taxonomy.targets
    )


def add_triage(scores: pd.DataFrame, points: tuple[OperatingPoint, ...]) -> pd.DataFrame:
    """Add the triage column."""
    by_target = {point.name: scores[f"risk_{point.name}"].to_numpy() for point in points}
    return scores.assign(triage=assign_triage(by_target, points))


def make_history(epochs: int = 4) -> pd.DataFrame:
    """Make a training history."""
    epoch = np.arange(1, epochs + 1)
    return pd.DataFrame(
        {
            "epoch": epoch,
            "train_loss": 1.6 / epoch,
            "validation_loss": 1.5 / epoch + 0.1,
            "validation_macro_f1": 0.8 - 0.4 / epoch,
        }
    )


def make_results(*, source: str = "reddit2013", seed: int = 5, with_controls: bool = True) -> RunResults:
    """Make everything a report needs, from one seed."""
    overrides = [f"data.source={source}", "data.group_columns=[community]", "data.author_column=author", "name=made"]
    config, taxonomy = load_config(overrides=overrides), load_taxonomy("mh5")
    calibration = make_scores(520, seed=seed, split="calibration")
    points = fit_points(calibration, config, taxonomy)
    test = add_triage(make_scores(800, seed=seed + 1, split="test"), points)
    controls = add_triage(make_controls(1500, seed=seed + 2), points) if with_controls else None
    return RunResults(
        config=config,
        taxonomy=taxonomy,
        run_info=make_run_info(),
        data_card=make_data_card(),
        history=make_history(),
        temperature=TEMPERATURE,
        operating_points=points,
        calibration=calibration,
        test=test,
        controls=controls,
        comparators={"tfidf": make_comparator(config, taxonomy, test, controls, seed=seed + 3)},
        explanations=make_explanations(test),
    )


def make_comparator(
    config: RunConfig, taxonomy: Taxonomy, test: pd.DataFrame, controls: pd.DataFrame | None, *, seed: int
) -> Comparator:
    """Make a weaker scorer on the same test posts."""
    weak = make_scores(520, seed=seed, split="weak", signal=1.2)
    points = fit_points(weak, config, taxonomy)
    generator = np.random.default_rng(seed)
    evidence = generator.normal(size=(len(test), len(SHARES)))
    evidence[np.arange(len(test)), test["label"].map(taxonomy.index_by_text)] += 1.2
    logits = TEMPERATURE.temperature * (1.2 * evidence + np.log(SHARES))
    scores = _add_scores(test[["post_id", "label"]].copy(), logits, taxonomy, generator)
    weak_controls = None if controls is None else add_triage(make_controls(len(controls), seed=seed + 1), points)
    return Comparator("TF-IDF + logistic regression", add_triage(scores, points), weak_controls, points)


def make_run_info() -> dict[str, object]:
    """Make what run.json holds."""
    return {
        "run_id": "0f3c2a",
        "commit": "1981637",
        "created_at": "2026-11-21T02:30:00+00:00",
        "seed": 13,
        "versions": {"python": "3.11.9", "torch": "2.13.0"},
        "hardware": {"cpu": "2 cores", "precision": "bf16"},
    }


def make_data_card() -> dict[str, object]:
    """Make a data card."""
    counts = {"train": {"depression": 300, "offmychest": 500}, "test": {"depression": 104, "offmychest": 176}}
    read = {"train": {"depression": 320, "offmychest": 510}, "test": {"depression": 110, "offmychest": 180}}
    return {
        "source": "reddit2013",
        "licence": "public domain",
        "is_synthetic": False,
        "filters": [
            {"step": "read", "description": "posts of the source", "n_posts": 1120, "counts": read},
            {"step": "exact_duplicates", "description": "dropped: same text as an earlier post", "n_posts": 40,
             "counts": {"train": {"depression": 20, "offmychest": 10}, "test": {"depression": 6, "offmychest": 4}}},
            {"step": "kept", "description": "posts of the run", "n_posts": 1080, "counts": counts},
        ],
        "leakage": {"n_authors_in_two_splits": 0, "n_exact_duplicates": 0, "n_near_duplicates": 0,
                    "n_ids_in_two_splits": 0},
        "first_date": "2012-01-01",
        "last_date": "2014-09-27",
    }  # fmt: skip


def make_explanations(test: pd.DataFrame) -> pd.DataFrame:
    """Make two spans for each of forty posts; every eighth explanation is unreliable."""
    posts = test["post_id"].head(40)
    rows = [
        {"post_id": post, "head": "class:any_risk", "start": 4 * k, "end": 4 * k + 3, "weight": 0.1, "n_steps": 50,
         "delta_relative": 0.02 if i % 8 else 0.11, "is_reliable": bool(i % 8), "model_version": "abc"}
        for i, post in enumerate(posts) for k in range(2)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture(scope="session")
def results() -> RunResults:
    """A made run, shared: nothing changes it."""
    return make_results()


@pytest.fixture(scope="session")
def page(results: RunResults) -> Page:
    """The page of the made run."""
    return build_page(results)


@pytest.fixture(scope="session")
def made() -> Callable[..., RunResults]:
    """The builder, for a run with other choices."""
    return make_results


def clear_posts(scores: pd.DataFrame, is_cleared: np.ndarray) -> pd.DataFrame:
    """Let a first stage clear posts of an evaluated table: they score 0, their class probabilities stay."""
    risks = [name for name in scores if str(name).startswith("risk_")]
    cleared = scores.assign(is_cleared=is_cleared)
    cleared.loc[is_cleared, risks] = 0.0
    return cleared
