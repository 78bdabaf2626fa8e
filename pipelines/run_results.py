"""A finished run's score tables, operating points and facts, read from its folder: what reports are made from."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from pipelines.artifacts import RunFolder
from pipelines.calibrating.cascade import CARD_FILE, ENCODER_FILE, GATE_SCORES_FILE, HELD_OUT_FILE, SPEED_FILE
from pipelines.calibrating.scorers import BASELINE_FILE, MODEL_FILE, CalibratedScorer, read_scorer
from pipelines.evaluating.champion import LEARNED_SPLITS, load_champion
from pipelines.evaluating.keyword_list import KEYWORDS_FILE, KEYWORDS_NAME, KEYWORDS_RULE, KeywordPoints
from pipelines.run import RunContext
from reports.results import CascadeResults, Comparator, RunResults
from screening.bundle import compute_version, load_manifest

BASELINE_NAME = "TF-IDF + logistic regression"
REPORTED_STAGES = ("prepare", "train", "calibrate", "evaluate")  # later ones make no number, and would age the card


def load_results(context: RunContext, *, with_champion: bool = False) -> RunResults:
    """Read a finished run's score tables, operating points and facts.

    Parameters
    ----------
    with_champion : bool
        Whether the earlier run that the report is to compare with is read; its folder may be gone by then.
    """
    folder = context.folder
    scorer, baseline = read_scorer(folder, MODEL_FILE), read_scorer(folder, BASELINE_FILE)
    version = compute_version(folder.bundle)
    return RunResults(
        config=context.config,
        taxonomy=context.taxonomy,
        run_info=_collect_facts(folder, version),
        data_card=json.loads(folder.data_card.read_text(encoding="utf-8")),
        history=pd.DataFrame(json.loads(folder.history.read_text(encoding="utf-8"))),
        temperature=scorer.temperature,
        operating_points=scorer.operating_points,
        calibration=pd.read_parquet(folder.calibration / "calibration.parquet"),
        test=pd.read_parquet(folder.evaluation / "test.parquet"),
        controls=_read_if_present(folder.evaluation / "controls.parquet"),
        comparators={comparator.name: comparator for comparator in _read_comparators(context, baseline, with_champion)},
        explanations=_read_explanations(folder.explanations, version),
        alternatives=scorer.alternatives,
        budgets=scorer.budgets,
        alternative_budgets=scorer.alternative_budgets,
        bands=scorer.bands,
        robustness=_read_if_present(folder.evaluation / "robustness.parquet"),
        text_facts=_read_if_present(folder.evaluation / "text_facts.parquet"),
        external=_read_if_present(folder.evaluation / "external.parquet"),
        external_card=_read_card(folder.evaluation / "external_card.json"),
        fitted_until=_find_latest_date(folder),
        cascade=_read_cascade(folder),
        faithfulness=_read_explanations(folder.faithfulness, version),
        single_words=_read_explanations(folder.single_words, version),
        random_models=_read_explanations(folder.random_models, version),
        plausibility=_read_explanations(folder.plausibility, version),
    )


def _collect_facts(folder: RunFolder, version: str) -> dict[str, Any]:
    """Collect what identifies the run: its record, its bundle, and the stages behind the numbers of a report.

    Test posts were scored in the bundle's own precision if they name this bundle: a screener refuses any other.
    """
    record = folder.read_record()
    facts = record.model_dump(mode="json") if record else {}
    stages = {name: stage for name, stage in facts.pop("stages", {}).items() if name in REPORTED_STAGES}
    manifest = load_manifest(folder.bundle)
    precision = manifest.precision if manifest.quantisation == "none" else f"int8 and {manifest.precision}"
    scored_by = pd.read_parquet(folder.evaluation / "test.parquet", columns=["model_version"])["model_version"]
    evaluated = precision if set(scored_by) == {version} else None
    return facts | {
        "bundle_version": version,
        "stages": stages,
        "precision": precision,
        "evaluated_precision": evaluated,
        "backend": manifest.backend,
        "words_weight": manifest.words_weight,
    }


def _read_comparators(context: RunContext, baseline: CalibratedScorer, with_champion: bool) -> Iterator[Comparator]:
    """Read the baseline, the keyword list where the run scored one, the earlier run where one is named and wanted."""
    folder = context.folder.evaluation
    yield Comparator(
        name=BASELINE_NAME,
        test=pd.read_parquet(folder / "baseline_test.parquet"),
        controls=_read_if_present(folder / "baseline_controls.parquet"),
        operating_points=baseline.operating_points,
    )
    if (folder / KEYWORDS_FILE).is_file():
        points = KeywordPoints.model_validate_json((folder / KEYWORDS_FILE).read_bytes())
        yield Comparator(
            name=KEYWORDS_NAME,
            test=pd.read_parquet(folder / "keywords_test.parquet"),
            controls=_read_if_present(folder / "keywords_controls.parquet"),
            operating_points=points.operating_points,
            rule_threshold=points.any_phrase,
            rule=KEYWORDS_RULE,
        )
    if with_champion and context.config.report.champion is not None:
        yield load_champion(context.config.report.champion, context.folder, context.taxonomy)


def _read_cascade(folder: RunFolder) -> CascadeResults | None:
    """Read what is known of the first stage, where the bundle has one."""
    if load_manifest(folder.bundle).first_stage is None:
        return None
    return CascadeResults(
        card=json.loads((folder.calibration / CARD_FILE).read_text(encoding="utf-8")),
        encoder_points=read_scorer(folder, ENCODER_FILE).operating_points,
        held_out=pd.read_parquet(folder.calibration / HELD_OUT_FILE),
        gate_scores=pd.read_parquet(folder.evaluation / GATE_SCORES_FILE),
        speed=json.loads((folder.evaluation / SPEED_FILE).read_text(encoding="utf-8")),
    )


def _find_latest_date(folder: RunFolder) -> pd.Timestamp | None:
    """Find the time of the latest post the model or a threshold was fitted on, where posts have one."""
    latest = []
    for split in LEARNED_SPLITS:
        path = folder.split(split)
        if path.is_file() and "created_at" in pq.read_schema(path).names:
            latest.append(pd.read_parquet(path, columns=["created_at"])["created_at"].max())
    known = [date for date in latest if not pd.isna(date)]
    return max(known) if len(known) == len(LEARNED_SPLITS) else None


def _read_card(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _read_explanations(path: Path, version: str) -> pd.DataFrame | None:
    """Read explanations of this bundle; those of an earlier one are left out."""
    table = _read_if_present(path)
    if table is None:
        return None
    current = table[table["model_version"] == version]
    return None if current.empty else current


def _read_if_present(path: Path) -> pd.DataFrame | None:
    return pd.read_parquet(path) if path.exists() else None
