"""Stage report: the HTML report, its tables, and the run's model card."""

import json
from pathlib import Path

import pandas as pd

from pipelines.run import RunContext
from pipelines.stages.calibrate import BASELINE_FILE, MODEL_FILE, read_scorer
from reports.model_card import write_model_card
from reports.render import write_report
from reports.results import Comparator, RunResults
from screening.bundle import compute_version

BASELINE_NAME = "TF-IDF + logistic regression"


def run(context: RunContext) -> None:
    """Write ``report/`` and ``MODEL_CARD.md``."""
    with context.console.status("computing tables and pictures…"):
        results = load_results(context)
        path = write_report(results, context.folder.report)
        write_model_card(results, context.folder.model_card)
    context.console.print(f"report: {path}", highlight=False, soft_wrap=True)


def load_results(context: RunContext) -> RunResults:
    """Read a finished run's score tables, operating points and facts."""
    folder = context.folder
    scorer, baseline = read_scorer(folder, MODEL_FILE), read_scorer(folder, BASELINE_FILE)
    record = folder.read_record()
    facts = record.model_dump(mode="json", exclude={"stages"}) if record else {}
    version = compute_version(folder.bundle)
    return RunResults(
        config=context.config,
        taxonomy=context.taxonomy,
        run_info=facts | {"bundle_version": version},
        data_card=json.loads(folder.data_card.read_text(encoding="utf-8")),
        history=pd.DataFrame(json.loads(folder.history.read_text(encoding="utf-8"))),
        temperature=scorer.temperature,
        operating_points=scorer.operating_points,
        calibration=pd.read_parquet(folder.calibration / "calibration.parquet"),
        test=pd.read_parquet(folder.evaluation / "test.parquet"),
        controls=_read_if_present(folder.evaluation / "controls.parquet"),
        comparators={
            BASELINE_NAME: Comparator(
                name=BASELINE_NAME,
                test=pd.read_parquet(folder.evaluation / "baseline_test.parquet"),
                controls=_read_if_present(folder.evaluation / "baseline_controls.parquet"),
                operating_points=baseline.operating_points,
            )
        },
        explanations=_read_explanations(folder.explanations, version),
        alternatives=scorer.alternatives,
        budgets=scorer.budgets,
        alternative_budgets=scorer.alternative_budgets,
        bands=scorer.bands,
        faithfulness=_read_explanations(folder.faithfulness, version),
    )


def _read_explanations(path: Path, version: str) -> pd.DataFrame | None:
    """Read explanations of this bundle; those of an earlier one are left out."""
    table = _read_if_present(path)
    if table is None:
        return None
    current = table[table["model_version"] == version]
    return None if current.empty else current


def _read_if_present(path: Path) -> pd.DataFrame | None:
    return pd.read_parquet(path) if path.exists() else None
