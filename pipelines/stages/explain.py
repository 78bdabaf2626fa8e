"""Explain flagged posts of a run, or of a scored file: words their scores depended on, as offsets."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import pandas as pd
from pydantic import Field
from rich.console import Console

from pipelines.artifacts import RunFolder
from pipelines.explaining.faithfulness import Explained, measure_masking, measure_random_models, measure_single_words
from pipelines.explaining.parts import Parts, keep_parts
from pipelines.explaining.plausibility import Rationales, measure_plausibility, read_rationales, read_run_rationales
from pipelines.explaining.summary import ExplainSummary, Method
from pipelines.explaining.work import Work, explain_part, plan_work
from pipelines.progress import choose_console, show_progress
from pipelines.table_files import validate_output, write_table_whole
from reports.sections.explanation_estimates import estimate_explanations
from screening.bundle import load_bundle
from screening.exceptions import MissingArtifactError
from screening.types import Record

PART_SIZE = 16  # posts per part: what an interruption may cost
PREVIEW_PART_SIZE = 256  # enough to fill batches with posts of like length


class ExplainOptions(Record):
    """What to explain, and how.

    Attributes
    ----------
    method : {"words", "sentences", "preview"}
        ``words``: integrated gradients, checked. ``sentences``: each sentence masked. ``preview``: gradient times
        embedding, of words, unchecked. Only ``words`` are measured, reported and held against rationales.
    head : str, optional
        ``class:<target>``, ``valence``, ``intensity`` or ``all``; by default the most urgent risk target.
    limit : int, optional
        Explain only that many flagged posts, those of the highest risk.
    overwrite : bool
        Replace an existing output.
    n_measured_posts : int
        For a run: on so many explained posts, drawn at random, mask words and score again (single words on at most
        50, random models on at most 24); 0 leaves it out. With several heads, the first is measured.
    progress : bool
        Draw progress bars (on a terminal).
    """

    method: Method = "words"
    head: str | None = None
    limit: int | None = Field(None, ge=1)
    overwrite: bool = False
    n_measured_posts: int = Field(100, ge=0)
    progress: bool = True


DEFAULTS = ExplainOptions()
MEASURES = ("faithfulness", "single_words", "random_models", "plausibility")


def explain_run(run_dir: Path, options: ExplainOptions = DEFAULTS, *, console: Console | None = None) -> ExplainSummary:
    """Explain the flagged test posts of an evaluated run, and measure whether the explanations hold.

    Writes ``explanations/flagged.parquet`` and, beside it, what was measured: ``faithfulness``, ``single_words``,
    ``random_models`` and, where the run's posts came with rationales, ``plausibility``. All are replaced if they are
    there, at the end and together. Other methods write a table named after them and leave all that as it was. An
    interrupted call goes on where it stopped.

    Raises
    ------
    MissingArtifactError
        If the run has no test scores, test posts or bundle yet.
    ConfigError
        If the bundle knows no such head, or another process explains the run.
    SchemaError
        If the run's posts came with rationales that do not fit them.
    """
    folder = RunFolder(run_dir)
    scores, posts = folder.evaluation / "test.parquet", folder.split("test")
    for path in (scores, posts, folder.bundle):
        if not path.exists():
            message = f"{path} does not exist; evaluate the run first: screening evaluate"
            raise MissingArtifactError(message)
    texts = pd.read_parquet(posts, columns=["post_id", "text"])
    if options.method != "words":
        out_path = folder.explanations.with_name(f"{options.method}.parquet")
        replacing = options.model_copy(update={"overwrite": True})
        return explain_flagged(pd.read_parquet(scores), texts, folder.bundle, out_path, replacing, console=console)
    rationales = read_run_rationales(folder, texts)
    bundle, scored = load_bundle(folder.bundle), pd.read_parquet(scores)
    work = plan_work(scored, texts, bundle, head=options.head, limit=options.limit)
    shown = choose_console(console, is_shown=options.progress)
    with keep_parts(folder.explanations, work.fingerprint) as parts:
        spans = _explain_in_parts(work, parts, shown)
        measured = _measure(work, spans, rationales, parts, options.n_measured_posts, shown)
        tables = {"explanations": spans, **measured}
        for name in ("explanations", *MEASURES):
            _replace(getattr(folder, name), tables.get(name))
    return _summarise(work, tables, folder.explanations, n_flagged=_count_flagged(scored))


def explain_file(
    posts_path: Path,
    scores_path: Path,
    bundle_dir: Path,
    out_path: Path,
    options: ExplainOptions = DEFAULTS,
    *,
    text_column: str = "text",
    id_column: str | None = None,
    console: Console | None = None,
) -> ExplainSummary:
    """Explain the flagged posts of a file that :func:`pipelines.scoring.job.score_posts` has scored.

    Offsets count characters of the cleaned text (:func:`screening.data.cleaning.clean_text`), which is what was scored.
    If the posts come with rationales (:func:`screening.data.rationales.extract_rationales`), the agreement with them
    is written beside ``out_path``, as ``<stem>_plausibility``.

    Raises
    ------
    ConfigError, DataAccessError, SchemaError, BundleError
        If an input cannot be read or does not fit the others, or an output may not be written.
    """
    validate_output(out_path, overwrite=options.overwrite, inputs=(posts_path, scores_path))
    from pipelines.scoring.scored_posts import read_scored_posts
    from screening.data.file_readers import read_table

    posts = read_scored_posts(posts_path, text_column=text_column, id_column=id_column)
    rationales = None
    if options.method == "words":
        rationales = read_rationales(posts_path, text_column=text_column, id_column=id_column)
    scores = read_table(scores_path)
    return explain_flagged(scores, posts, bundle_dir, out_path, options, rationales=rationales, console=console)


def explain_flagged(
    scores: pd.DataFrame,
    posts: pd.DataFrame,
    bundle_dir: Path,
    out_path: Path,
    options: ExplainOptions = DEFAULTS,
    *,
    rationales: Rationales | None = None,
    console: Console | None = None,
) -> ExplainSummary:
    """Explain flagged posts, highest risk first, and write the explanation table.

    An interrupted call goes on where it stopped: finished parts wait in a hidden folder beside ``out_path``.

    Parameters
    ----------
    scores : DataFrame
        Score table of the posts.
    posts : DataFrame
        ``post_id`` and ``text``, cleaned.
    bundle_dir : Path
    out_path : Path
        The explanation table; it holds ids and offsets, no text.
    options : ExplainOptions
        Words are not masked here: ``n_measured_posts`` is for runs.
    rationales : dict of str to list of (int, int), optional
        Spans people marked, by post id.
    console : rich.console.Console, optional

    Returns
    -------
    ExplainSummary

    Raises
    ------
    ConfigError
        If an output may not be written, another process writes it, or the bundle knows no such head.
    SchemaError
        If the scores lack a column, come from another bundle, name a post that is not among the posts, or are of
        other texts.
    BundleError
        See :func:`screening.bundle.load_bundle`.
    """
    beside = out_path.with_name(f"{out_path.stem}_plausibility{out_path.suffix}")
    for path in (out_path, *([beside] if rationales is not None else [])):
        validate_output(path, overwrite=options.overwrite)
    work = plan_work(scores, posts, load_bundle(bundle_dir), head=options.head, limit=options.limit)
    shown = choose_console(console, is_shown=options.progress)
    with keep_parts(out_path, work.fingerprint) as parts:
        spans = _explain_in_parts(work, parts, shown, options.method)
        tables = {"explanations": spans, **_measure(work, spans, rationales, parts, 0, shown)}
        write_table_whole(spans, out_path)
        if "plausibility" in tables:
            write_table_whole(tables["plausibility"], beside)
    return _summarise(work, tables, out_path, options.method, n_flagged=_count_flagged(scores))


def _explain_in_parts(work: Work, parts: Parts, console: Console, method: Method = "words") -> pd.DataFrame:
    """Explain head by head and part by part, highest risk first."""
    explain = _load_method(method)
    size = PREVIEW_PART_SIZE if method == "preview" else PART_SIZE
    tables = [explain(work.bundle, [], [], head=work.heads[0])]
    for head in work.heads:
        with show_progress(console, f"flagged posts ({head})", action="explaining") as on_progress:
            on_progress(0, len(work.post_ids))
            for start in range(0, len(work.post_ids), size):
                stop = min(start + size, len(work.post_ids))
                make = partial(explain_part, work, explain, slice(start, stop), head)
                tables.append(parts.take(f"{method}-{head.replace(':', '-')}-{start:06d}", make))
                on_progress(stop, len(work.post_ids))
    return pd.concat(tables, ignore_index=True)


def _load_method(method: Method) -> Callable[..., pd.DataFrame]:
    """Load the function from a bundle, texts, ids and a head to a table of spans."""
    from screening.explain.explanations import explain_posts
    from screening.explain.occlusion import occlude_sentences
    from screening.explain.preview import preview_posts

    return {"words": explain_posts, "sentences": occlude_sentences, "preview": preview_posts}[method]


def _measure(
    work: Work, spans: pd.DataFrame, rationales: Rationales | None, parts: Parts, n_posts: int, console: Console
) -> dict[str, pd.DataFrame]:
    """Measure the first head's explanations; what cannot or need not be measured is left out."""
    if spans.empty:
        return {}
    explained = Explained(work.bundle, spans[spans["head"] == work.heads[0]], work.text_by_id)
    tables: dict[str, pd.DataFrame | None] = {}
    if n_posts:
        tables["faithfulness"] = measure_masking(explained, parts, n_posts, console)
        tables["single_words"] = measure_single_words(explained, parts, n_posts, console)
        tables["random_models"] = measure_random_models(explained, parts, n_posts, console)
    if rationales is not None:
        tables["plausibility"] = measure_plausibility(explained, rationales)
    return {name: table for name, table in tables.items() if table is not None}


def _replace(path: Path, table: pd.DataFrame | None) -> None:
    """Write a table whole, or remove the one of other explanations that stands in its place."""
    if table is None:
        path.unlink(missing_ok=True)
    else:
        write_table_whole(table, path)


def _count_flagged(scores: pd.DataFrame) -> int:
    return int((scores["triage"] != "no_flag").sum())


def _summarise(
    work: Work, tables: dict[str, pd.DataFrame], out_path: Path, method: Method = "words", *, n_flagged: int
) -> ExplainSummary:
    spans = tables["explanations"]
    is_checked = method == "words" and not spans.empty
    explained = spans.drop_duplicates(["post_id", "head"])
    return ExplainSummary(
        out_path=out_path,
        model_version=work.bundle.version,
        heads=work.heads,
        n_flagged=n_flagged,
        n_chosen=len(work.post_ids),
        n_explained=spans["post_id"].nunique(),
        median_steps=float(median(explained["n_steps"])) if is_checked else None,
        estimates=estimate_explanations(tables) if method == "words" else {},
        method=method,
    )


def renew_report(run_dir: Path, console: Console) -> bool:
    """Write a run's report again, now with its explanations, if it has a report of its present config.

    If the run is registered, the numbers go to its MLflow run too.

    Returns
    -------
    bool
        Whether it was written; ``False`` leaves everything as it was.
    """
    from pipelines.run import STAGES, RunContext, compute_fingerprints, is_done
    from pipelines.stages import register, report
    from screening.config import load_config
    from screening.taxonomy import load_taxonomy

    folder = RunFolder(run_dir)
    if not folder.config.is_file():
        return False
    config = load_config(folder.config)
    fingerprints = compute_fingerprints(config)
    done = {stage.name for stage in STAGES if is_done(folder, stage, fingerprints[stage.name])}
    if "report" not in done:
        return False
    context = RunContext(config, load_taxonomy(config.data.taxonomy), folder, console)
    report.run(context)
    if "register" in done:
        register.log_explanations(context)
    return True
