"""Stage prepare: from the configured source to four clean splits and a data card."""

from rich.table import Table

from pipelines.artifacts import write_json
from pipelines.calibrating.cascade import require_controls
from pipelines.calibrating.scorers import require_positives
from pipelines.run import RunContext
from screening.data.card import DataCard
from screening.data.preparation import prepare_posts
from screening.exceptions import ConfigError, RecallNotReachableError
from screening.whole_writes import write_folder_whole


def run(context: RunContext) -> None:
    """Write ``data/``, readable by its owner alone: one Parquet per split, controls if there are any, the data card.

    Too few calibration posts for the promise are a warning here, and a refusal where calibrating is to follow.
    """
    config = context.config
    with context.console.status("reading, checking, removing duplicates, splitting…"):
        prepared = prepare_posts(config.data, context.taxonomy, config.seed)
    if config.cascade.is_on:
        require_controls(prepared.controls)  # rather now than after the training
    with write_folder_whole(context.folder.data, is_private=True) as aside:
        tables = dict(prepared.splits.items()) | (
            {"controls": prepared.controls} if prepared.controls is not None else {}
        )
        for name, posts in tables.items():
            posts.to_parquet(aside / f"{name}.parquet", index=False)
        write_json(aside / "data_card.json", prepared.card.model_dump(mode="json"))
    context.console.print(_tabulate(prepared.card))
    try:
        require_positives(context)
    except (ConfigError, RecallNotReachableError) as error:
        message = f"warning: calibrating this run would be refused:\n{error}"
        context.console.print(message, style="yellow", markup=False, highlight=False, soft_wrap=True)


def _tabulate(card: DataCard) -> Table:
    table = Table(title=f"posts of {card.source}, by step")
    table.add_column("step")
    table.add_column("posts", justify="right")
    for step in card.filters:
        table.add_row(step.description, f"{step.n_posts:,}")
    for split, digest in card.splits.items():
        table.add_row(f"in {split}", f"{digest.n_posts:,}")
    return table
