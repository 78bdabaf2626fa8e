"""Plan an audit of one period from the reviewers' own figures or from a run's test split."""

from pathlib import Path

from pipelines.audit.score_tables import read_promise, read_run_scores
from screening.audit.plan import AuditPlan, plan_audit
from screening.exceptions import ConfigError
from screening.metrics.operating import compute_operating_result
from screening.metrics.workload import compute_deployment_table
from screening.thresholds.operating_point import OperatingPoint
from screening.types import Record

USUAL_TARGET = USUAL_CONFIDENCE = 0.95


class PlanRequest(Record):
    """What is known of the period; ``None`` is taken from the run, or what a bundle promises from that."""

    n_posts: int
    n_flagged: int | None = None
    ppv: float | None = None
    run_folder: Path | None = None
    bundle_folder: Path | None = None
    target: str = ""
    prevalence: float | None = None
    target_recall: float | None = None
    confidence_level: float | None = None
    expected_recall: float | None = None
    near_share: float


class Outlook(Record):
    """What a run's test split says to expect at one prevalence: flagged posts, their PPV, and recall."""

    prevalence: float
    n_flagged: int
    ppv: float
    recall: float
    n_positive: int


def plan_period(request: PlanRequest) -> tuple[Outlook | None, AuditPlan]:
    """Plan the audit of one period.

    Returns
    -------
    Outlook or None
        What the run's test split says, where a run and a prevalence are given.
    AuditPlan

    Raises
    ------
    ConfigError
        If too little is known, or a number is out of range.
    MissingArtifactError
        If the run has no evaluated test split.
    """
    point, outlook = _find_point(request), _find_outlook(request)
    n_flagged = outlook.n_flagged if outlook and request.n_flagged is None else request.n_flagged
    ppv = outlook.ppv if outlook and request.ppv is None else request.ppv
    if n_flagged is None or ppv is None:
        message = "expected --flagged and --ppv, or --run, --target and --prevalence to work them out from a run"
        raise ConfigError(message)
    target_recall = _choose(request.target_recall, point.target_recall if point else USUAL_TARGET)
    confidence_level = _choose(request.confidence_level, point.confidence_level if point else USUAL_CONFIDENCE)
    expected_recall = _choose(request.expected_recall, outlook.recall if outlook else (1 + target_recall) / 2)
    try:
        done = plan_audit(
            request.n_posts,
            n_flagged,
            ppv,
            target_recall=target_recall,
            confidence_level=confidence_level,
            expected_recall=expected_recall,
            near_share=request.near_share,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return outlook, done


def expect_alerts(run_folder: Path, target: str, *, n_posts: int, prevalence: float) -> Outlook:
    """Work out what to expect of a period from a run's test split.

    Raises
    ------
    MissingArtifactError
        If the run has no evaluated test split.
    ConfigError
        If that has no positive or no other post of the target, or the prevalence is out of range.

    Notes
    -----
    Bayes' rule with recall and false-alarm rate of the test split: positives and other posts may change in number, not
    in kind. The reviewers' own figures are better as soon as there are any.
    """
    promise = read_promise(run_folder, None)
    point, test = promise.find(target), read_run_scores(run_folder, "test", promise)
    flags = point.flag(test[f"risk_{target}"].to_numpy())
    found = compute_operating_result(test["label"].isin(point.labels).to_numpy(), flags, split="test")
    recall, alarms = found.recall.value, found.false_alarm_rate.value
    if recall is None or alarms is None or not 0 < prevalence < 1:
        message = (
            f"expected a prevalence in (0, 1) and test posts of both kinds, found {prevalence} and {found.n_positive} "
            f"positives among {found.n_samples}; give --flagged and --ppv instead"
        )
        raise ConfigError(message)
    row = compute_deployment_table(recall, alarms, [prevalence], minutes_per_post=1).iloc[0]
    n_flagged = round(n_posts * row["alerts_per_1000"] / 1000)
    return Outlook(
        prevalence=prevalence, n_flagged=n_flagged, ppv=row["ppv"], recall=recall, n_positive=found.n_positive
    )


def _choose(asked: float | None, usual: float) -> float:
    """Take what was asked for, also where it is 0, which the plan refuses."""
    return usual if asked is None else asked


def _find_point(request: PlanRequest) -> OperatingPoint | None:
    if request.run_folder is None and request.bundle_folder is None:
        return None
    return read_promise(request.run_folder, request.bundle_folder).find(request.target)


def _find_outlook(request: PlanRequest) -> Outlook | None:
    if request.run_folder is None or request.prevalence is None:
        return None
    return expect_alerts(request.run_folder, request.target, n_posts=request.n_posts, prevalence=request.prevalence)
