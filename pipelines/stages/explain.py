"""Explain flagged posts of a run, or of a scored file: words their scores depended on, as offsets."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from statistics import median

import pandas as pd
from pydantic import Field
from rich.console import Console

from pipelines.artifacts import RunFolder
from pipelines.faithfulness import FaithfulnessSummary, measure_faithfulness
from pipelines.progress import choose_console, show_progress
from pipelines.table_files import validate_output, write_table_whole
from screening.bundle import Bundle, load_bundle
from screening.exceptions import ConfigError, MissingArtifactError, SchemaError
from screening.taxonomy import Taxonomy
from screening.types import Record

PART_SIZE = 16  # posts per part: what an interruption may cost
SCORE_AGAIN = (
    "score again with this bundle: screening evaluate --config RUN/config.yaml --force for a run, screening score for "
    "a file"
)


class ExplainSummary(Record):
    """What explaining came to.

    ``share_reliable`` is the share of explained posts whose weights sum to the change of score within 5 %;
    ``median_steps`` the median number of integration steps. Both are ``None`` if nothing was explained. Posts without
    words (``n_flagged - n_explained``) have no explanation. ``faithfulness`` is measured for the posts of a run only.
    """

    out_path: Path
    model_version: str
    head: str
    n_flagged: int
    n_explained: int
    share_reliable: float | None
    median_steps: float | None
    faithfulness: FaithfulnessSummary | None = None


class ExplainOptions(Record):
    """What to explain.

    Attributes
    ----------
    head : str, optional
        ``class:<target>``, ``valence`` or ``intensity``; by default the most urgent risk target.
    limit : int, optional
        Explain only that many flagged posts, those of the highest risk.
    overwrite : bool
        Replace an existing output.
    n_masked_posts : int
        For a run: on so many explained posts, drawn at random, compare marked with random words; 0 leaves it out.
    progress : bool
        Draw a progress bar (on a terminal).
    """

    head: str | None = None
    limit: int | None = Field(None, ge=1)
    overwrite: bool = False
    n_masked_posts: int = Field(100, ge=0)
    progress: bool = True


DEFAULTS = ExplainOptions()


def explain_run(run_dir: Path, options: ExplainOptions = DEFAULTS, *, console: Console | None = None) -> ExplainSummary:
    """Explain the flagged test posts of an evaluated run, into ``explanations/flagged.parquet`` (replaced if there).

    Then measure on some of them whether the marked words matter more than random ones, into
    ``explanations/faithfulness.parquet``.

    Raises
    ------
    MissingArtifactError
        If the run has no test scores, test posts or bundle yet.
    ConfigError
        If the bundle knows no such head.
    """
    folder = RunFolder(run_dir)
    scores, posts = folder.evaluation / "test.parquet", folder.split("test")
    for path in (scores, posts, folder.bundle):
        if not path.exists():
            message = f"{path} does not exist; evaluate the run first: screening evaluate"
            raise MissingArtifactError(message)
    texts = pd.read_parquet(posts, columns=["post_id", "text"])
    again = options.model_copy(update={"overwrite": True})
    done = explain_flagged(pd.read_parquet(scores), texts, folder.bundle, folder.explanations, again, console=console)
    faithfulness = measure_faithfulness(
        pd.read_parquet(folder.explanations),
        texts,
        folder.bundle,
        folder.faithfulness,
        n_posts=options.n_masked_posts,
        console=console,
        is_shown=options.progress,
    )
    return done.model_copy(update={"faithfulness": faithfulness})


def renew_report(run_dir: Path, console: Console) -> bool:
    """Write a run's report again, now with its explanations, if it has a report of its present config.

    Returns
    -------
    bool
        Whether it was written; ``False`` leaves everything as it was.
    """
    from pipelines.run import STAGES, RunContext, compute_fingerprints, is_done
    from pipelines.stages import report
    from screening.config import load_config
    from screening.taxonomy import load_taxonomy

    folder = RunFolder(run_dir)
    if not folder.config.is_file():
        return False
    config = load_config(folder.config)
    stage = next(stage for stage in STAGES if stage.name == "report")
    if not is_done(folder, stage, compute_fingerprints(config)[stage.name]):
        return False
    report.run(RunContext(config, load_taxonomy(config.data.taxonomy), folder, console))
    return True


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

    Raises
    ------
    ConfigError, DataAccessError, SchemaError, BundleError
        If an input cannot be read or does not fit the others, or the output may not be written.
    """
    validate_output(out_path, overwrite=options.overwrite, inputs=(posts_path, scores_path))
    from screening.data.file_readers import read_table
    from screening.data.preparation import prepare_new_posts

    posts = prepare_new_posts(posts_path, text_column=text_column, id_column=id_column)
    return explain_flagged(read_table(scores_path), posts, bundle_dir, out_path, options, console=console)


def explain_flagged(
    scores: pd.DataFrame,
    posts: pd.DataFrame,
    bundle_dir: Path,
    out_path: Path,
    options: ExplainOptions = DEFAULTS,
    *,
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
    console : rich.console.Console, optional

    Returns
    -------
    ExplainSummary

    Raises
    ------
    ConfigError
        If ``out_path`` may not be written, or the bundle knows no such head.
    SchemaError
        If the scores lack a column, come from another bundle, or name a post that is not among the posts.
    BundleError
        See :func:`screening.bundle.load_bundle`.
    """
    validate_output(out_path, overwrite=options.overwrite)
    bundle = load_bundle(bundle_dir)
    work = _plan(scores, posts, bundle, options)
    parts = out_path.with_name(f".{out_path.name}.parts") / work.fingerprint
    parts.mkdir(parents=True, exist_ok=True)
    bar_console = choose_console(console, is_shown=options.progress)
    with show_progress(bar_console, "flagged posts", action="explaining") as on_progress:
        table = _explain_parts(work, parts, on_progress)
    write_table_whole(table, out_path)
    shutil.rmtree(parts.parent)
    return _summarise(table, work, out_path)


@dataclass(frozen=True)
class _Work:
    """Posts to explain, in order, and what their explanations depend on."""

    bundle: Bundle
    head: str
    post_ids: list[str]
    texts: list[str]

    @property
    def fingerprint(self) -> str:
        """Names the parts, so that parts of other work are never taken for finished ones."""
        content = "\0".join([self.bundle.version, self.head, *self.post_ids, *self.texts])
        return sha256(content.encode()).hexdigest()[:12]


def _plan(scores: pd.DataFrame, posts: pd.DataFrame, bundle: Bundle, options: ExplainOptions) -> _Work:
    head = _choose_head(bundle.manifest.taxonomy, options.head)
    ranking = f"risk_{head.removeprefix('class:')}"
    if not head.startswith("class:"):
        ranking = f"risk_{bundle.manifest.taxonomy.targets[0].name}"
    _validate_scores(scores, ("post_id", "triage", ranking, "model_version"), bundle.version)
    flagged = scores[scores["triage"] != "no_flag"]
    flagged = flagged.assign(rank=pd.to_numeric(flagged[ranking])).sort_values("rank", ascending=False, kind="stable")
    post_ids = flagged["post_id"].astype(str).tolist()[: options.limit]
    text_by_id = dict(zip(posts["post_id"].astype(str), posts["text"], strict=True))
    unknown = [post_id for post_id in post_ids if post_id not in text_by_id]
    if unknown:
        shown = ", ".join(unknown[:5])
        message = f"{len(unknown)} scored posts are not among the posts (first: {shown}); give the file that was scored"
        raise SchemaError(message)
    return _Work(bundle, head, post_ids, [text_by_id[post_id] for post_id in post_ids])


def _choose_head(taxonomy: Taxonomy, head: str | None) -> str:
    from screening.explain.heads import list_heads

    known = list_heads(taxonomy)
    if head is not None and head not in known:
        message = f"expected a head of {', '.join(known)}, found {head!r}"
        raise ConfigError(message)
    return head or known[0]


def _validate_scores(scores: pd.DataFrame, columns: tuple[str, ...], model_version: str) -> None:
    missing = [name for name in columns if name not in scores]
    if missing:
        message = f"expected a score table with {', '.join(columns)}, found no {', '.join(missing)}; {SCORE_AGAIN}"
        raise SchemaError(message)
    others = sorted(set(scores["model_version"].astype(str)) - {model_version})
    if others:
        message = f"the scores come from model {', '.join(others[:3])}, the bundle is {model_version}; {SCORE_AGAIN}"
        raise SchemaError(message)


def _explain_parts(work: _Work, folder: Path, on_progress: Callable[[int, int], None]) -> pd.DataFrame:
    """Explain part by part, highest risk first, taking finished parts from an earlier, interrupted call."""
    from screening.explain.explanations import explain_posts

    tables = [explain_posts(work.bundle, [], [], head=work.head)]
    for start in range(0, len(work.post_ids), PART_SIZE):
        stop = min(start + PART_SIZE, len(work.post_ids))
        path = folder / f"{start:06d}.parquet"
        if not path.is_file():
            part = explain_posts(work.bundle, work.texts[start:stop], work.post_ids[start:stop], head=work.head)
            write_table_whole(part, path)
        tables.append(pd.read_parquet(path))
        on_progress(stop, len(work.post_ids))
    return pd.concat(tables, ignore_index=True)


def _summarise(table: pd.DataFrame, work: _Work, out_path: Path) -> ExplainSummary:
    per_post = table.drop_duplicates("post_id")
    return ExplainSummary(
        out_path=out_path,
        model_version=work.bundle.version,
        head=work.head,
        n_flagged=len(work.post_ids),
        n_explained=len(per_post),
        share_reliable=float(per_post["is_reliable"].mean()) if len(per_post) else None,
        median_steps=float(median(per_post["n_steps"])) if len(per_post) else None,
    )
