"""What a recall promise needs and costs, before anything is labelled or trained: the table of ``screening plan``."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.table import Table

from screening.exceptions import ConfigError, MissingArtifactError
from screening.thresholds.operating_point import share_confidence
from screening.thresholds.planner import estimate_alerts, plan_positives

HEADINGS = ("positives", "may fall below", "recall expected", "in 90% of draws")


@dataclass(frozen=True)
class Plan:
    """The numbers of a plan (``frame``), and for a run how many calibration positives it has by risk target."""

    target_recall: float
    confidence_level: float
    n_promises: int
    frame: pd.DataFrame
    prevalence: float | None = None
    n_positive: dict[str, int] | None = None


def make_plan(
    target_recall: float,
    confidence_level: float,
    *,
    n_promises: int = 1,
    run: Path | None = None,
    prevalence: float | None = None,
) -> Plan:
    """Work out positives, recall and, from a run's calibration scores, alerts.

    Parameters
    ----------
    target_recall, confidence_level : float
        Both in (0, 1).
    n_promises : int
        Promises that share the confidence (risk targets held together, recalls offered).
    run : Path, optional
        Run folder with calibration scores; needs ``prevalence``.
    prevalence : float, optional
        Share of a target's posts in deployment, in (0, 1).

    Returns
    -------
    Plan
        ``frame`` has a column ``alerts_<target>`` per risk target of the run.

    Raises
    ------
    ConfigError
        If a number lies outside its range, or only one of run and prevalence is given.
    MissingArtifactError
        If the run has no calibration scores.
    """
    _validate(target_recall, confidence_level, run, prevalence)
    frame = plan_positives(target_recall, share_confidence(confidence_level, n_promises))
    if run is None or prevalence is None:
        return Plan(target_recall, confidence_level, n_promises, frame)
    n_positive = {}
    for name, scores, positive in _read_scores(run):
        n_positive[name] = int(positive.sum())
        frame[f"alerts_{name}"] = [
            estimate_alerts(
                scores.to_numpy(),
                positive.to_numpy(),
                n_positive=int(row["n_positive"]),
                n_allowed_misses=int(row["n_allowed_misses"]),
                prevalence=prevalence,
            )
            for row in frame.to_dict("records")
        ]
    return Plan(target_recall, confidence_level, n_promises, frame, prevalence, n_positive)


def build_plan_table(plan: Plan) -> Table:
    """Lay a plan out for a terminal."""
    title = f"recall ≥ {plan.target_recall:.6g} with confidence {plan.confidence_level:.6g}"
    if plan.n_promises > 1:
        title += f", shared by {plan.n_promises} promises"
    table = Table(title=title, title_justify="left", caption=_write_caption(plan), caption_justify="left")
    for heading in HEADINGS:
        table.add_column(heading, justify="right")
    names = list(plan.n_positive or {})
    for name in names:
        table.add_column(f"alerts:\n{name}", justify="right")
    for row in plan.frame.to_dict("records"):
        alerts = (f"{row[f'alerts_{name}']:.0f}" for name in names)
        recall = (f"{row['expected_recall']:.3f}", f"{row['recall_low']:.3f}–{row['recall_high']:.3f}")
        table.add_row(f"{row['n_positive']:,.0f}", f"{row['n_allowed_misses']:,.0f}", *recall, *alerts)
    return table


def _write_caption(plan: Plan) -> str:
    lines = [
        "Positives: calibration posts with the label. More of them keep the same promise with a higher threshold: "
        "recall nearer the target, fewer alerts."
    ]
    if plan.n_positive:
        counts = ", ".join(f"{name} {n:,}" for name, n in plan.n_positive.items())
        lines.append(
            f"Alerts: expected per 1,000 posts at prevalence {plan.prevalence:.6g}, from the run's calibration scores "
            f"(positives: {counts}); a plan, not a promise."
        )
    return " ".join(lines)


def _validate(target_recall: float, confidence_level: float, run: Path | None, prevalence: float | None) -> None:
    shares = {"--target-recall": target_recall, "--confidence-level": confidence_level, "--prevalence": prevalence}
    wrong = [f"{name} {value}" for name, value in shares.items() if value is not None and not 0 < value < 1]
    if wrong:
        message = f"expected shares strictly between 0 and 1, found {', '.join(wrong)}; recall 1 cannot be promised"
        raise ConfigError(message)
    if (run is None) != (prevalence is None):
        message = "expected --run and --prevalence together: alerts need scores, and how common such posts are"
        raise ConfigError(message)


def _read_scores(run: Path) -> list[tuple[str, pd.Series, pd.Series]]:
    """Read each target's calibration scores and which posts are positive."""
    from pipelines.artifacts import RunFolder
    from screening.config import load_config
    from screening.taxonomy import load_taxonomy

    folder = RunFolder(run)
    path = folder.calibration / "calibration.parquet"
    if not path.is_file() or not folder.config.is_file():
        message = f"{path} does not exist; expected the folder of a calibrated run, e.g. runs/demo"
        raise MissingArtifactError(message)
    scores = pd.read_parquet(path)
    targets = load_taxonomy(load_config(folder.config).data.taxonomy).targets
    return [(target.name, scores[f"risk_{target.name}"], scores["label"].isin(target.labels)) for target in targets]
