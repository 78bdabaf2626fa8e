"""Stage evaluate: the bundle and simpler scorers on test posts, controls, changed and external posts.

The only stage that reads test.
"""

import time
from pathlib import Path

import pandas as pd

from pipelines.artifacts import write_json
from pipelines.calibrating.cascade import (
    GATE_SCORES_FILE,
    SPEED_FILE,
    CascadeSpeed,
    load_counted_controls,
    load_learnt_controls,
    score_first_stage,
)
from pipelines.calibrating.scorers import BASELINE_FILE, CalibratedScorer, read_scorer, wrap_baseline_logits
from pipelines.evaluating.champion import LEARNED_SPLITS
from pipelines.evaluating.keyword_list import (
    KEYWORDS_FILE,
    build_keyword_lists,
    fit_keyword_points,
    mark_listed_phrases,
    score_keywords,
)
from pipelines.evaluating.robustness import choose_positives, score_changed_posts
from pipelines.progress import show_progress
from pipelines.run import RunContext
from screening.data.external import ExternalPosts, prepare_external_posts
from screening.data.preparation import load_split
from screening.data.text_facts import compute_text_facts
from screening.models.baseline import TfidfBaseline
from screening.scoring import Screener, build_score_table
from screening.thresholds.scope import AUTHOR_CODE_COLUMN, AUTHOR_COLUMN, number_authors
from screening.whole_writes import write_folder_whole

TEXT_COLUMNS = ("text", "author_id")


def run(context: RunContext) -> None:
    """Write ``evaluation/``: score tables of test and controls for all scorers, and what else was measured.

    Robustness, facts about texts and external posts stand beside them; no table holds a text or an author (only where a
    promise counts authors, a number says which posts share one). The classifier's tables name the bundle they come from
    (``model_version``), so that nothing explains or reviews them with another one. Where a cascade clears posts, the
    encoder reads them here all the same, so that the report can say what is lost and what is spared.
    """
    inference = context.config.inference
    screener = Screener.load(context.folder.bundle, backend=inference.backend, quantisation=inference.quantisation)
    external = _read_external(context)  # a bad file stops here, before anything is scored
    names = [name for name in ("test", "controls") if context.folder.split(name).exists()]
    seconds, n_tokens = 0.0, 0
    with write_folder_whole(context.folder.evaluation) as aside:
        for name in names:
            posts = load_counted_controls(context) if name == "controls" else load_split(context.folder.split(name))
            started = time.perf_counter()
            scores = _score_with_classifier(context, screener, posts, name)
            seconds += time.perf_counter() - started
            n_tokens += int(scores["n_tokens"].sum())
            scores.to_parquet(aside / f"{name}.parquet", index=False)
            with context.console.status(f"scoring {name} with simpler scorers…"):
                _write_simpler_scorers(context, posts, name, aside)
        _write_keyword_points(context, aside)
        _write_cascade(context, screener, names, aside, seconds=seconds, n_tokens=n_tokens)
        test = load_split(context.folder.split("test"))
        _write_robustness(context, screener, test, aside)
        with context.console.status("reading facts off the texts of test posts…"):
            _write_text_facts(context, test, aside)
        if external is not None:
            scores = _score_with_classifier(context, screener, external.posts, "external")
            scores.to_parquet(aside / "external.parquet", index=False)
            write_json(aside / "external_card.json", external.card.model_dump(mode="json"))


def _read_external(context: RunContext) -> ExternalPosts | None:
    data = context.config.data
    if data.external is None:
        return None
    learnt = [load_split(context.folder.split(name)) for name in LEARNED_SPLITS]
    if context.config.cascade.is_on:
        learnt.append(load_learnt_controls(context))
    texts = pd.concat([posts["text"] for posts in learnt]).tolist()
    with context.console.status("reading external posts, removing those met before…"):
        return prepare_external_posts(data, context.taxonomy, texts)


def _score_with_classifier(context: RunContext, screener: Screener, posts: pd.DataFrame, title: str) -> pd.DataFrame:
    with show_progress(context.console, title) as on_progress:
        texts, ids = posts["text"].tolist(), posts["post_id"].tolist()
        scores = screener.score(texts, ids, on_progress, reads_cleared=True)
    return _join_facts(scores.assign(model_version=screener.version), _add_author_codes(context, posts, title))


def _add_author_codes(context: RunContext, posts: pd.DataFrame, name: str) -> pd.DataFrame:
    """Add a number per author where a promise counts authors, so that it can be judged; it says nothing else."""
    if name == "controls" or context.config.calibration.unit != "author" or AUTHOR_COLUMN not in posts:
        return posts
    return posts.assign(**{AUTHOR_CODE_COLUMN: number_authors(posts)})


def _write_simpler_scorers(context: RunContext, posts: pd.DataFrame, name: str, aside: Path) -> None:
    """Write what the baseline and, where the taxonomy has one, the keyword list give the same posts."""
    baseline = TfidfBaseline.load(context.folder.baseline)
    baseline_scores = _score_baseline(context, baseline, read_scorer(context.folder, BASELINE_FILE), posts)
    _join_facts(baseline_scores, posts).to_parquet(aside / f"baseline_{name}.parquet", index=False)
    if lists := build_keyword_lists(context.taxonomy):
        _join_facts(score_keywords(lists, posts), posts).to_parquet(aside / f"keywords_{name}.parquet", index=False)


def _write_keyword_points(context: RunContext, aside: Path) -> None:
    if lists := build_keyword_lists(context.taxonomy):
        write_json(aside / KEYWORDS_FILE, fit_keyword_points(context, lists).model_dump(mode="json"))


def _write_cascade(
    context: RunContext, screener: Screener, names: list[str], aside: Path, *, seconds: float, n_tokens: int
) -> None:
    """Write the gate scores behind the curve of the first stage, and how fast both stages were here."""
    if screener.bundle.gate is None:
        return
    table, gate_seconds = score_first_stage(context, screener.bundle.gate, names)
    speed = CascadeSpeed(
        n_gate_posts=len(table),
        gate_seconds=gate_seconds,
        n_encoder_posts=len(table),
        n_encoder_tokens=n_tokens,
        encoder_seconds=seconds,
    )
    table.to_parquet(aside / GATE_SCORES_FILE, index=False)
    write_json(aside / SPEED_FILE, speed.model_dump(mode="json"))


def _score_baseline(
    context: RunContext, baseline: TfidfBaseline, scorer: CalibratedScorer, posts: pd.DataFrame
) -> pd.DataFrame:
    outputs = wrap_baseline_logits(baseline, posts["text"].tolist())
    ids = posts["post_id"].tolist()
    return build_score_table(ids, outputs, context.taxonomy, scorer.temperature, scorer.operating_points)


def _write_robustness(context: RunContext, screener: Screener, test: pd.DataFrame, aside: Path) -> None:
    """Score changed posts of the most urgent target; nothing is written if the test split has none."""
    target, seed = context.taxonomy.targets[0], context.config.seed
    positives = choose_positives(test, target, seed)
    if positives.empty:
        return
    with show_progress(context.console, "changed posts") as on_progress:
        table = score_changed_posts(screener, positives, seed, on_progress)
    table.to_parquet(aside / "robustness.parquet", index=False)
    context.console.print(
        f"robustness: {len(positives):,} posts of {target.name}, {len(table):,} changed texts scored", highlight=False
    )


def _write_text_facts(context: RunContext, test: pd.DataFrame, aside: Path) -> None:
    """Write what is true of each test post's text: booleans by post."""
    phrases = mark_listed_phrases(score_keywords(build_keyword_lists(context.taxonomy), test))
    facts = compute_text_facts(test["text"].tolist())
    table = pd.concat([test[["post_id"]], facts, phrases], axis="columns")
    table.to_parquet(aside / "text_facts.parquet", index=False)


def _join_facts(scores: pd.DataFrame, posts: pd.DataFrame) -> pd.DataFrame:
    """Put label, date and group columns beside the scores."""
    facts = posts.drop(columns=[name for name in TEXT_COLUMNS if name in posts])
    return scores.merge(facts, on="post_id", how="left", validate="one_to_one")
