"""Stage evaluate: the bundle and the baseline on test posts and on controls; the only stage that reads test."""

import pandas as pd

from pipelines.progress import show_progress
from pipelines.run import RunContext
from pipelines.stages.calibrate import BASELINE_FILE, CalibratedScorer, read_scorer, wrap_baseline_logits
from screening.data.preparation import load_split
from screening.models.baseline import TfidfBaseline
from screening.scoring import Screener, build_score_table
from screening.whole_writes import write_folder_whole

TEXT_COLUMNS = ("text", "author_id")


def run(context: RunContext) -> None:
    """Write ``evaluation/``: score tables of test and controls for both scorers, without texts or authors.

    The classifier's tables name the bundle they come from (``model_version``), so that nothing explains or reviews them
    with another one.
    """
    screener = Screener.load(context.folder.bundle)
    baseline = TfidfBaseline.load(context.folder.baseline)
    baseline_scorer = read_scorer(context.folder, BASELINE_FILE)
    names = [name for name in ("test", "controls") if context.folder.split(name).exists()]
    with write_folder_whole(context.folder.evaluation) as aside:
        for name in names:
            posts = load_split(context.folder.split(name))
            with show_progress(context.console, name) as on_progress:
                scores = screener.score(posts["text"].tolist(), posts["post_id"].tolist(), on_progress)
            scores = scores.assign(model_version=screener.version)
            _join_facts(scores, posts).to_parquet(aside / f"{name}.parquet", index=False)
            baseline_scores = _score_baseline(context, baseline, baseline_scorer, posts)
            _join_facts(baseline_scores, posts).to_parquet(aside / f"baseline_{name}.parquet", index=False)


def _score_baseline(
    context: RunContext, baseline: TfidfBaseline, scorer: CalibratedScorer, posts: pd.DataFrame
) -> pd.DataFrame:
    outputs = wrap_baseline_logits(baseline, posts)
    ids = posts["post_id"].tolist()
    return build_score_table(ids, outputs, context.taxonomy, scorer.temperature, scorer.operating_points)


def _join_facts(scores: pd.DataFrame, posts: pd.DataFrame) -> pd.DataFrame:
    """Put label, date and group columns beside the scores."""
    facts = posts.drop(columns=[name for name in TEXT_COLUMNS if name in posts])
    return scores.merge(facts, on="post_id", how="left", validate="one_to_one")
