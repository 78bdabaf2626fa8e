"""The command line: ``screening run`` does the whole job, every stage is also a command of its own."""

import os
import sys
from functools import partial
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipelines.audit import commands as audit_commands
from pipelines.data import commands as data_commands
from pipelines.promises import commands as promise_commands
from pipelines.scoring.limits import MAX_REJECTED, PART_ROWS
from pipelines.unexpected import describe_system_error, describe_unexpected
from screening.exceptions import ConfigError, RecallNotReachableError, ScreeningError

if TYPE_CHECKING:
    from pipelines.explaining.summary import ExplainSummary
    from pipelines.scoring.job import ScoreSummary
    from screening.config import RunConfig

EXIT_UNEXPECTED, EXIT_BAD_INPUT, EXIT_GATE = 1, 2, 3
ASK_TO_REPORT = "set SCREENING_DEBUG=1 to see everything, and please report this"

app = typer.Typer(
    help=(
        "Train, calibrate and apply classifiers that flag posts for review with a recall promise. "
        "They do not diagnose and do not predict suicide.\n\n"
        "Start with: screening run --config demo"
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(data_commands.app, name="data")
app.add_typer(audit_commands.app, name="audit")

ConfigOption = Annotated[
    str,
    typer.Option(
        "--config",
        "-c",
        help="YAML file, or a shipped one by name: demo, reddit2013, emotion, goemotions, empathetic_dialogues, sst5, "
        "swmh.",
    ),
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", "-s", help="Change one field, e.g. --set training.epochs=2. Repeatable.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Do it again even if it is done.")]


def _say_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"screening {version('screening')}")
        raise typer.Exit


@app.callback()
def take_options(
    _: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version, and end.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


@app.command()
def run(config: ConfigOption, overrides: SetOption = None, force: ForceOption = False) -> None:
    """Do the main job: prepare, train, calibrate, evaluate, report, register. A second call goes on where one ended."""
    from pipelines.run import STAGES

    _run(config, overrides, tuple(stage.name for stage in STAGES), force=force, with_table=True)


@app.command()
def prepare(config: ConfigOption, overrides: SetOption = None, force: ForceOption = False) -> None:
    """Read, check, clean, deduplicate and split the posts; write the data card."""
    _run(config, overrides, ("prepare",), force=force)


@app.command()
def train(config: ConfigOption, overrides: SetOption = None, force: ForceOption = False) -> None:
    """Fit the classifier and the baseline; a killed training goes on from its last checkpoint."""
    _run(config, overrides, ("train",), force=force)


@app.command()
def calibrate(config: ConfigOption, overrides: SetOption = None, force: ForceOption = False) -> None:
    """Fit the temperature and the recall-promised thresholds; write the screener bundle."""
    _run(config, overrides, ("calibrate",), force=force)


@app.command()
def evaluate(config: ConfigOption, overrides: SetOption = None, force: ForceOption = False) -> None:
    """Score the test posts and the controls; the only stage that reads the test split."""
    _run(config, overrides, ("evaluate",), force=force)


@app.command()
def report(config: ConfigOption, overrides: SetOption = None, force: ForceOption = False) -> None:
    """Write the HTML report, its tables and the model card."""
    _run(config, overrides, ("report",), force=force, with_table=True)


@app.command()
def register(
    config: ConfigOption,
    overrides: SetOption = None,
    force: ForceOption = False,
    move_alias: Annotated[
        bool, typer.Option("--move-alias", help="Take the alias from the version that has it; compare the two first.")
    ] = False,
    bundle: Annotated[
        Path | None, typer.Option("--bundle", "-b", help="Register this recalibrated bundle, not the run's own.")
    ] = None,
    roll_back_to: Annotated[
        int | None,
        typer.Option(help="Register nothing; give the alias back to this version, as MLflow counts it.", min=1),
    ] = None,
) -> None:
    """Log the run to MLflow and register the screener, under its alias unless another version has that.

    A recalibrated bundle goes where the configuration says: screening register --config FILE --bundle own-bundle

    The way back: screening register --config FILE --roll-back-to 3
    """
    if bundle is None and roll_back_to is None:
        _run(config, overrides, ("register",), force=force or move_alias, moves_alias=move_alias)
        return
    from pipelines.stages import register as registering

    if roll_back_to is not None and (bundle is not None or force or move_alias):
        message = "--roll-back-to moves the alias and registers nothing; leave out --bundle, --force and --move-alias"
        raise ConfigError(message)
    resolved = _load_config(config, overrides or [])
    if roll_back_to is not None:
        typer.echo(registering.roll_back(resolved.tracking, roll_back_to))
    elif bundle is not None:
        options = ["--config", config, *(word for change in overrides or [] for word in ("--set", change))]
        typer.echo(registering.register_recalibrated(bundle, resolved, options, moves_alias=move_alias))


@app.command()
def score(  # noqa: PLR0913  # every parameter is an option of the command
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT...", help="CSV, TSV, JSONL or Parquet files, folders, patterns, or - (stdin)."),
    ],
    *,
    bundle: Annotated[Path, typer.Option("--bundle", "-b", help="Bundle folder, e.g. runs/demo/bundle.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of Parquet parts, or a .parquet, .csv or .jsonl file.")
    ],
    text_column: Annotated[str, typer.Option(help="Column with the text.")] = "text",
    id_column: Annotated[
        str | None, typer.Option(help="Column with a unique id; default: post_id, else file name and row.")
    ] = None,
    text_format: Annotated[
        str | None, typer.Option("--format", help="csv, tsv, jsonl or parquet, for stdin and unknown endings.")
    ] = None,
    part_rows: Annotated[int, typer.Option(help="Rows per part: what an interruption may cost.", min=1)] = PART_ROWS,
    max_rejected: Annotated[
        float, typer.Option(help="Exit with 3 if a larger fraction of rows could not be scored.", min=0, max=1)
    ] = MAX_REJECTED,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a finished or a different output.")] = False,
    engine: Annotated[Literal["local", "spark"], typer.Option(help="This process, or Apache Spark.")] = "local",
    master: Annotated[
        str | None, typer.Option(help="Spark's address, e.g. spark://host:7077; default: its configuration's.")
    ] = None,
) -> None:
    """Score new posts: ids, probabilities, risk scores, triage level, thresholds and model version; no text is written.

    The same command after an interruption, even a kill or a power cut, goes on where it ended. Rows that cannot be
    scored are listed in a file of rejects, by row and reason.
    """
    from pipelines.scoring.job import ScoreOptions, score_posts

    if master is not None and engine != "spark":
        message = f"--master {master} is an address of Spark; add --engine spark, or leave it out"
        raise ConfigError(message)
    options = ScoreOptions(
        text_column=text_column,
        id_column=id_column,
        text_format=text_format,
        part_rows=part_rows,
        max_rejected=max_rejected,
        overwrite=overwrite,
    )
    if engine == "spark":
        from pipelines.spark.engine import score_with_spark

        done = score_posts(inputs, bundle, out, options, engine=partial(score_with_spark, master=master))
    else:
        done = score_posts(inputs, bundle, out, options)
    _describe_scored(done)
    if not done.is_met:
        _fail(done.describe_excess(), EXIT_GATE)


@app.command()
def explain(  # noqa: PLR0913  # every parameter is an option of the command
    run_folder: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="Run folder, e.g. runs/demo; or name four files instead.")
    ] = None,
    *,
    scores: Annotated[Path | None, typer.Option(help="Score table that `screening score` wrote.")] = None,
    posts: Annotated[Path | None, typer.Option(help="File of posts that was scored.")] = None,
    bundle: Annotated[Path | None, typer.Option("--bundle", "-b", help="Bundle folder that scored them.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Output file: .parquet, .csv or .jsonl.")] = None,
    text_column: Annotated[str, typer.Option(help="Column with the text.")] = "text",
    id_column: Annotated[str | None, typer.Option(help="Column with the id, as given to `screening score`.")] = None,
    limit: Annotated[int | None, typer.Option(help="Only so many flagged posts, highest risk first.", min=1)] = None,
    flagged: Annotated[  # says what is done anyway
        bool, typer.Option("--flagged", help="Explain the posts flagged for review (what it does anyway).")
    ] = True,
    method: Annotated[
        Literal["words", "sentences", "preview"],
        typer.Option(help="words: checked. sentences: each one masked. preview: words, unchecked, one step a post."),
    ] = "words",
    head: Annotated[
        str | None, typer.Option(help="class:TARGET (default: the most urgent), valence, intensity, or all of them.")
    ] = None,
    measured_posts: Annotated[
        int | None,
        typer.Option(
            help="For a run: mask words of so many explained posts (single words of at most 50) and explain at most 24 "
            "with random weights. 100, the default, cost about as much as explaining 200 posts; 0 leaves it out.",
            min=0,
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing output file; a run's is always replaced.")
    ] = False,
) -> None:
    """Find the words the scores of flagged posts depended on (integrated gradients; offsets, no text).

    For the test posts of a run: screening explain RUN. It also measures whether those words matter, and the run's
    report gains the section on explanations. A call that was stopped goes on where it was.

    For a file of your own: screening explain --scores scores.parquet --posts posts.csv --bundle RUN/bundle --out
    spans.parquet

    Posts with columns rationale_start and rationale_end (what people marked) are compared with them.
    """
    from pipelines.stages.explain import ExplainOptions, explain_file, explain_run

    measured = {} if measured_posts is None else {"n_measured_posts": measured_posts}
    options = ExplainOptions(method=method, limit=limit, head=head, overwrite=overwrite, **measured)
    if run_folder is None and measured_posts is not None:
        message = "--measured-posts is for a run (screening explain RUN): nothing is measured on files; leave it out"
        raise ConfigError(message)
    files = {"--scores": scores, "--posts": posts, "--bundle": bundle, "--out": out}
    if run_folder is not None and not any(files.values()):
        _describe_explained(explain_run(run_folder, options))
        if method == "words":
            _renew_report(run_folder)
    elif run_folder is None and scores and posts and bundle and out:
        done = explain_file(posts, scores, bundle, out, options, text_column=text_column, id_column=id_column)
        _describe_explained(done)
    else:
        given = ["RUN"] * (run_folder is not None) + [name for name, path in files.items() if path is not None]
        message = f"expected either RUN or all of {', '.join(files)}; found {', '.join(given) or 'none of them'}"
        raise ConfigError(message)


@app.command()
def export(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Bundle folder, e.g. runs/demo/bundle.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder for the model.")],
) -> None:
    """Write a bundle as an MLflow model, to serve without a tracking store; also a bundle that was recalibrated."""
    from pipelines.tracking import import_mlflow
    from screening.whole_writes import write_folder_whole

    if out.exists():
        message = f"{out} exists already; name a new folder"
        raise ConfigError(message)
    import_mlflow()
    from pipelines.serving.registered_model import export_screener

    with write_folder_whole(out) as folder:
        export_screener(bundle, folder)
    typer.echo(f"model: {out}\nserve it: mlflow models serve -m {out} --env-manager local")


app.command()(promise_commands.plan)
app.command()(promise_commands.validate)
app.command()(promise_commands.recalibrate)


@app.command("compare")
def compare_command(
    champion: Annotated[Path, typer.Argument(metavar="CHAMPION_RUN", help="Run folder in use, e.g. runs/a.")],
    challenger: Annotated[Path, typer.Argument(metavar="CHALLENGER_RUN", help="Run folder that may replace it.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for comparison.html and comparison.json.")
    ] = None,
) -> None:
    """Set two runs side by side on the same test posts; exit 3 if recall promise or precision got worse."""
    from pipelines.comparing import compare_runs

    comparison, page = compare_runs(champion, challenger, out)
    for rule in comparison.rules:
        typer.echo(f"{rule.symbol} {rule.code} {rule.title}: {rule.sentence}")
    typer.echo(comparison.verdict)
    if page is not None:
        typer.echo(f"comparison: {page}")
    if not comparison.is_met:
        raise typer.Exit(EXIT_GATE)


@app.command()
def doctor(
    config: Annotated[
        str, typer.Option("--config", "-c", help="Whose MLflow store to check: YAML file, or a shipped one by name.")
    ] = "demo",
    overrides: SetOption = None,
) -> None:
    """Say what this machine offers and what is missing."""
    from pipelines.doctor import run_doctor

    raise typer.Exit(run_doctor(_load_config(config, overrides or []).tracking))


def main() -> None:
    """Run the command line and turn errors into messages and exit codes."""
    for entry in entry_points(group="screening.commands"):
        app.add_typer(entry.load(), name=entry.name)
    _silence_libraries()
    try:
        app()
    except RecallNotReachableError as error:
        _fail(str(error), EXIT_GATE)
    except ScreeningError as error:
        _fail(str(error), EXIT_BAD_INPUT)
    except Exception as error:
        if "SCREENING_DEBUG" in os.environ:
            raise
        refused = describe_system_error(error) if isinstance(error, OSError) else None
        if refused is not None:
            _fail(refused, EXIT_BAD_INPUT)
        _fail(f"{describe_unexpected(error)}\n{ASK_TO_REPORT}", EXIT_UNEXPECTED)


def _silence_libraries() -> None:
    """Keep bars and notices of libraries off the terminal; our own say what matters. A user's settings win."""
    quiet = {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"}
    for name, value in quiet.items():
        os.environ.setdefault(name, value)


def _run(
    config: str,
    overrides: list[str] | None,
    stages: tuple[str, ...],
    *,
    force: bool,
    with_table: bool = False,
    moves_alias: bool = False,
) -> None:
    from rich.console import Console

    from pipelines.artifacts import RunFolder
    from pipelines.run import RunContext, run_stages
    from screening.taxonomy import load_taxonomy
    from screening.training.processes import is_follower

    resolved = _load_config(config, overrides or [])
    console = Console(quiet=is_follower())
    context = RunContext(resolved, load_taxonomy(resolved.data.taxonomy), RunFolder(resolved.run_dir), console)
    if is_follower():  # one of several that torchrun started; the first does everything but the training alone
        from pipelines.stages.train import follow

        follow(context)
        return
    run_stages(resolved, stages, console, force=force, moves_alias=moves_alias)
    if with_table:
        from pipelines.run_results import load_results
        from pipelines.summary import build_closing_table

        console.print(build_closing_table(load_results(context), context.folder))


def _describe_scored(done: "ScoreSummary") -> None:
    totals = done.totals
    levels = ", ".join(f"{n:,} {level}" for level, n in totals.n_by_triage.items()) or "none"
    pace = f", {done.n_scored:,} of them now at {done.posts_per_second:,.0f} per second" if done.n_scored else ""
    before = "" if done.n_scored else "; all of it was there before"
    files = f"{done.n_files:,} file{'s' if done.n_files > 1 else ''}"
    skipped = ", ".join(f"{n:,} {ending}" for ending, n in done.skipped.items())
    typer.echo(f"read {files}" + (f"; skipped, as they are no tables: {skipped}" if skipped else ""))
    typer.echo(f"scored {totals.n_posts:,} posts{pace}, with model {done.model_version}{before}")
    typer.echo(f"triage: {levels}; {totals.n_truncated:,} posts were not read to their end")
    if done.is_synthetic:
        typer.echo("this model was trained on synthetic posts: its scores mean nothing about people")
    typer.echo(f"scores: {done.place.out_path}")
    if totals.n_rejected:
        typer.echo(f"rejected: {totals.n_rejected:,} of {totals.n_rows:,} rows, see {done.place.rejects}")


def _describe_explained(done: "ExplainSummary") -> None:
    from pipelines.explaining.summary import describe_summary

    for line in describe_summary(done):
        typer.echo(line)


def _renew_report(run_folder: Path) -> None:
    from rich.console import Console

    from pipelines.stages.explain import renew_report

    if not renew_report(run_folder, Console()):
        again = f"screening report --config {run_folder / 'config.yaml'} --force"
        typer.echo(f"the run has no report of its present config; one with explanations: {again}")


def _load_config(name: str, overrides: list[str]) -> "RunConfig":
    from screening.config import load_config

    shipped = Path(__file__).parent / "configs"
    path = Path(name)
    if not path.is_file() and (shipped / f"{name}.yaml").exists():
        path = shipped / f"{name}.yaml"
    if path.is_dir():
        message = f"--config expects a YAML file, found the folder {name}; shipped ones: {_list_shipped(shipped)}"
        raise ConfigError(message)
    return load_config(path, overrides)


def _list_shipped(folder: Path) -> str:
    return ", ".join(sorted(path.stem for path in folder.glob("*.yaml")))


def _fail(message: str, code: int) -> None:
    """End with a message, of visible characters alone: what an input holds must not command the terminal."""
    from screening.explain.rendering import show_visibly

    shown = "\n".join(map(show_visibly, message.split("\n")))
    sys.stderr.write(f"error: {shown}\n")
    raise SystemExit(code)


if __name__ == "__main__":  # python -m, and torchrun -m
    main()
