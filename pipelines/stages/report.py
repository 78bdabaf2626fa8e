"""Stage report: the HTML report, its tables, and the run's model card."""

from pipelines.run import RunContext
from pipelines.run_results import load_results
from reports.model_card.card import write_model_card
from reports.render import write_report


def run(context: RunContext) -> None:
    """Write ``report/`` and ``MODEL_CARD.md``."""
    with context.console.status("computing tables and pictures…"):
        results = load_results(context, with_champion=True)
        path = write_report(results, context.folder.report)
        write_model_card(results, context.folder.model_card)
    context.console.print(f"report: {path}", highlight=False, markup=False, soft_wrap=True)
