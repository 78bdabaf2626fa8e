"""The front matter of a model card: Hugging Face metadata with a ``model-index`` of test results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from huggingface_hub import EvalResult, ModelCardData

from reports.sections.classification import build_summary
from reports.sections.recall import build_performance
from reports.tables import is_undefined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reports.results import RunResults

RATES = {"recall": "recall", "ppv": "precision"}


def build_metadata(results: RunResults) -> ModelCardData:
    """Make the metadata; every result carries its 95% interval and n under ``args``."""
    config = results.config
    return ModelCardData(
        model_name=f"screener-{config.name}",
        language="en",
        license="apache-2.0",
        library_name="screening",  # whose thresholds, temperature and words no generic pipeline would apply
        tags=["mental-health", "screening", "recall-promise", *(["synthetic-data"] if results.is_synthetic else [])],
        metrics=["recall", "precision", "f1", "accuracy"],
        eval_results=list(_build_eval_results(results)) or None,
    )


def _build_eval_results(results: RunResults) -> Iterator[EvalResult]:
    for row in build_performance(results).frame.to_dict(orient="records"):
        for name, metric in RATES.items():
            if not is_undefined(row[name]):
                words = f"{metric} of {row['target']} at its promised threshold"
                yield _make_result(results, metric, words, _collect(row, name))
    for row in build_summary(results).frame.to_dict(orient="records"):
        metric = "accuracy" if row["metric"] == "accuracy" else "f1"
        numbers = {"value": row["value"], "low": row["low"], "high": row["high"], "n": row["n"]}
        yield _make_result(results, metric, str(row["metric"]).replace("_", " "), numbers)


def _collect(row: dict[Any, Any], name: str) -> dict[str, Any]:
    return {"value": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"], "n": row[f"{name}_n"]}


def _make_result(results: RunResults, metric: str, words: str, numbers: dict[str, Any]) -> EvalResult:
    source = results.config.data.source
    return EvalResult(
        task_type="text-classification",
        dataset_type=source,
        dataset_name="synthetic posts (no people)" if results.is_synthetic else source,
        dataset_split="test",
        metric_type=metric,
        metric_name=words,
        metric_value=round(float(numbers["value"]), 4),
        metric_args={
            "interval_95_low": round(float(numbers["low"]), 4),
            "interval_95_high": round(float(numbers["high"]), 4),
            "n": int(numbers["n"]),
        },
    )
