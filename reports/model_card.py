"""MODEL_CARD.md: sections between markers are filled from a run, everything else belongs to its writers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import jinja2
from huggingface_hub import EvalResult, ModelCardData

from reports import intended_use
from reports.answer import build_answer
from reports.calibration import build_calibration_summary
from reports.classification import build_comparison, build_per_class, build_summary
from reports.comparators import build_promise_comparison
from reports.cost import build_alerts, build_deployment
from reports.data_flow import build_flow, build_splits
from reports.markdown import escape_markdown, write_facts, write_list, write_table
from reports.provenance import build_provenance
from reports.recall import build_performance
from reports.render import load_template
from reports.subgroups import build_subgroups
from reports.thresholds import build_operating_points
from screening.whole_writes import write_text_whole

if TYPE_CHECKING:
    from pathlib import Path

    from reports.results import RunResults
    from reports.tables import Table

SECTION = re.compile(r"(<!-- screening:begin ([a-z_]+) -->\n)(.*?)(<!-- screening:end \2 -->)", re.DOTALL)
FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


def write_model_card(results: RunResults, path: Path) -> Path:
    """Fill the generated sections of a model card; the file is created from the template if there is none.

    Text outside the markers is kept as it is, and so are sections under names this version does not know. The front
    matter is always written anew.
    """
    text = path.read_text(encoding="utf-8") if path.exists() else _start_card(results)
    write_text_whole(path, render_model_card(results, text))
    return path


def _start_card(results: RunResults) -> str:
    template = jinja2.Environment(autoescape=False, keep_trailing_newline=True)  # noqa: S701  Markdown, escaped by us
    return template.from_string(load_template("model_card.md.jinja")).render(name=escape_markdown(results.config.name))


def is_model_card_stale(results: RunResults, path: Path) -> bool:
    """Whether a card or one of its sections is missing, or a generated part is not what this run gives.

    A lost section is not put back by :func:`write_model_card`: its markers have to be.
    """
    if not path.exists():
        return True
    text = path.read_text(encoding="utf-8")
    if {found[2] for found in SECTION.finditer(text)} < set(build_sections(results)):
        return True
    return render_model_card(results, text) != text


def render_model_card(results: RunResults, text: str) -> str:
    """Put generated sections and front matter into the text of a card."""
    sections = build_sections(results)
    body = FRONT_MATTER.sub("", text, count=1)
    filled = SECTION.sub(lambda found: f"{found[1]}{sections.get(found[2], found[3])}{found[4]}", body)
    return f"---\n{build_metadata(results).to_yaml()}\n---\n{filled}"


def build_metadata(results: RunResults) -> ModelCardData:
    """Make Hugging Face metadata with a ``model-index`` of test results."""
    config = results.config
    return ModelCardData(
        model_name=f"screener-{config.name}",
        language="en",
        license="apache-2.0",
        library_name="transformers",
        pipeline_tag="text-classification",
        tags=["mental-health", "screening", "recall-promise", *(["synthetic-data"] if results.is_synthetic else [])],
        metrics=["recall", "precision", "f1", "accuracy"],
        eval_results=_build_eval_results(results),
    )


def _build_eval_results(results: RunResults) -> list[EvalResult]:
    values = [
        (f"recall of {row['target']}", "recall", row["recall"])
        for row in build_performance(results).frame.to_dict(orient="records")
    ]
    values += [
        (str(row["metric"]).replace("_", " "), "accuracy" if row["metric"] == "accuracy" else "f1", row["value"])
        for row in build_summary(results).frame.to_dict(orient="records")
    ]
    source = results.config.data.source
    name = "synthetic posts (no people)" if results.is_synthetic else source
    return [
        EvalResult(
            task_type="text-classification",
            dataset_type=source,
            dataset_name=name,
            dataset_split="test",
            metric_type=metric,
            metric_name=words,
            metric_value=round(float(value), 4),
        )
        for words, metric, value in values
        if value is not None
    ]


def build_sections(results: RunResults) -> dict[str, str]:
    """Write every generated section as Markdown."""
    return {
        "summary": _write_summary(results),
        "not_for": write_list(intended_use.NOT_FOR),
        "intended_use": write_list(intended_use.PURPOSE)
        + f"\n{intended_use.DECISION_FLAGGED}\n\n{intended_use.DECISION_NOT_FLAGGED}\n",
        "labels": _write_labels(results),
        "data": _write_tables(build_flow(results), build_splits(results)),
        "training": write_facts(build_provenance(results)),
        "promise": _write_promise(results),
        "results": _write_tables(*_choose_results(results)),
        "caveats": write_list(intended_use.CAVEATS),
        "crisis": write_list(results.config.report.crisis_resources),
    }


def _choose_results(results: RunResults) -> tuple[Table, ...]:
    comparison = (build_promise_comparison(results), build_comparison(results)) if results.comparators else ()
    return (
        build_performance(results),
        build_alerts(results),
        build_deployment(results),
        build_summary(results),
        *comparison,
        build_per_class(results),
        build_calibration_summary(results),
        build_subgroups(results),
    )


def _write_tables(*tables: Table) -> str:
    return "".join(write_table(table) for table in tables)


def _write_summary(results: RunResults) -> str:
    banner = f"> **{intended_use.SYNTHETIC_BANNER}**\n\n" if results.is_synthetic else ""
    return banner + "\n\n".join(escape_markdown(sentence) for sentence in build_answer(results)) + "\n"


def _write_labels(results: RunResults) -> str:
    lines = [
        f"{label.name}: {'counts as risk' if label.risk else 'does not count as risk'}"
        for label in results.taxonomy.labels
    ]
    return f"{escape_markdown(results.taxonomy.label_meaning)}\n\n{write_list(lines)}"


def _write_promise(results: RunResults) -> str:
    sentences = dict.fromkeys(sentence for point in results.operating_points for sentence in point.assumptions)
    table = write_table(build_operating_points(results))
    return f"{intended_use.PROMISE_IN_WORDS}\n\n{table}The promise rests on this:\n\n{write_list(sentences)}"
