"""The score table a job writes: what the screener says, and what it rests on."""

from collections.abc import Sequence

import pandas as pd

from screening.thresholds.operating_point import OperatingPoint


def add_provenance(
    scores: pd.DataFrame, model_version: str, operating_points: Sequence[OperatingPoint]
) -> pd.DataFrame:
    """Add to a score table the thresholds its triage follows and the version of the bundle.

    Parameters
    ----------
    scores : DataFrame
        As :meth:`screening.scoring.Screener.score` returns it.
    model_version : str
        Of the bundle (:func:`screening.bundle.compute_version`).
    operating_points : sequence of OperatingPoint
        The bundle's.

    Returns
    -------
    DataFrame
        With ``threshold_<target>`` per operating point and ``model_version``: the same in every row, so Parquet holds
        each once.
    """
    return scores.assign(**name_provenance(model_version, operating_points))


def name_provenance(model_version: str, operating_points: Sequence[OperatingPoint]) -> dict[str, float | str]:
    """Name the columns of :func:`add_provenance`, in order, with the one value each holds."""
    thresholds = {f"threshold_{point.name}": point.threshold for point in operating_points}
    return {**thresholds, "model_version": model_version}
