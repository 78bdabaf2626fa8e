"""An earlier run as a comparator: only if it scored the same test posts and never learned from any of them."""

from pathlib import Path

import pandas as pd

from pipelines.artifacts import RunFolder
from pipelines.calibrating.scorers import MODEL_FILE, read_scorer
from reports.results import Comparator
from screening.data.deduplicate import compute_match_digest
from screening.data.preparation import load_split
from screening.exceptions import ConfigError
from screening.taxonomy import Taxonomy
from screening.thresholds.operating_point import OperatingPoint

LEARNED_SPLITS = ("train", "validation", "calibration")


def load_champion(path: Path, run: RunFolder, taxonomy: Taxonomy) -> Comparator:
    """Load an earlier run's scores of this run's test posts, with its own operating points.

    Parameters
    ----------
    path : Path
        The earlier run's folder.
    run : RunFolder
        This run, evaluated.
    taxonomy : Taxonomy
        This run's labels and targets.

    Returns
    -------
    Comparator
        Test posts and controls in this run's order; controls only if the earlier run scored all that this run counts
        alerts on, with the same texts. Operating points of the targets that mean the same in both runs.

    Raises
    ------
    ConfigError
        If the folder is this run, is no evaluated run or lacks its posts; if it did not score the same test posts with
        the same labels and texts; or if it trained or calibrated on any of them: its numbers would be too good.

    Notes
    -----
    Posts are compared by id and by a digest of their text: ids made from file name and row name another post once the
    file has changed. Texts are matched exactly (but for case and white space): a near duplicate of a test post among
    the posts the earlier run learned from is not seen.
    """
    champion = RunFolder(path)
    _validate_folder(champion, run)
    own = pd.read_parquet(run.evaluation / "test.parquet", columns=["post_id", "label"])
    scores = pd.read_parquet(champion.evaluation / "test.parquet")
    _validate_test_posts(scores, own, champion, run)
    _validate_unseen(champion, run)
    points = _choose_points(read_scorer(champion, MODEL_FILE).operating_points, taxonomy, champion)
    test = scores.set_index("post_id").loc[own["post_id"]].reset_index()
    name = f"earlier run {champion.root.resolve().name}"
    return Comparator(name=name, test=test, controls=_read_controls(champion, run), operating_points=points)


def _validate_folder(champion: RunFolder, run: RunFolder) -> None:
    needed = [champion.evaluation / "test.parquet", champion.calibration / MODEL_FILE]
    needed += [champion.split(name) for name in (*LEARNED_SPLITS, "test")]
    missing = [file.relative_to(champion.root).as_posix() for file in needed if not file.is_file()]
    if champion.root.resolve() == run.root.resolve():
        problem = "it is this run itself"
    elif missing:
        problem = f"it lacks {', '.join(missing)}; without them nobody can know whether it learned from the test posts"
    elif not champion.has_finished("evaluate"):
        problem = "it was trained or calibrated again since its last evaluation"
    else:
        return
    message = f"report.champion {champion.root}: expected the folder of an earlier run, evaluated and with its data; "
    raise ConfigError(message + problem + ". Name another folder, or leave report.champion out")


def _validate_test_posts(scores: pd.DataFrame, own: pd.DataFrame, champion: RunFolder, run: RunFolder) -> None:
    """Refuse unless every test post of this run was scored there under the same id, with the same label and text."""
    there = scores.drop_duplicates("post_id").set_index("post_id")["label"]
    shared = own[own["post_id"].isin(there.index)]
    n_absent = len(own) - len(shared)
    n_other_label = int((there.loc[shared["post_id"]].to_numpy() != shared["label"].to_numpy()).sum())
    texts_here, texts_there = (_read_digests(folder, "test") for folder in (run, champion))
    n_other_text = int((texts_there.reindex(shared["post_id"]) != texts_here.reindex(shared["post_id"])).sum())
    if not (n_absent or n_other_label or n_other_text):
        return
    message = (
        f"report.champion {champion.root}: expected scores of the same {len(own):,} test posts, found {n_absent:,} of "
        f"them missing, {n_other_label:,} with another label and {n_other_text:,} with another text. Evaluate both "
        "runs on the same test file with ids of its own (data.id_column), or leave report.champion out"
    )
    raise ConfigError(message)


def _validate_unseen(champion: RunFolder, run: RunFolder) -> None:
    """Refuse if the earlier run learned from a test post of this run, by id or by text."""
    tested = _read_digests(run, "test")
    found = {}
    for name in LEARNED_SPLITS:
        learned = _read_digests(champion, name)
        found[name] = int((tested.index.isin(learned.index) | tested.isin(set(learned)).to_numpy()).sum())
    if any(found.values()):
        words = ", ".join(f"{n:,} in its {name} split" for name, n in found.items() if n)
        message = (
            f"report.champion {champion.root}: this run's test posts stand among the posts it learned from ({words}): "
            "its numbers on them would be too good. Keep one test split for both (data.keep_splits), or leave it out"
        )
        raise ConfigError(message)


def _read_digests(folder: RunFolder, name: str) -> pd.Series:
    """Digest the text of each post of a split, by id."""
    return load_split(folder.split(name)).set_index("post_id")["text"].map(compute_match_digest)


def _choose_points(
    points: tuple[OperatingPoint, ...], taxonomy: Taxonomy, champion: RunFolder
) -> tuple[OperatingPoint, ...]:
    """Keep the points whose target has the same labels here."""
    labels = {target.name: set(target.labels) for target in taxonomy.targets}
    chosen = tuple(point for point in points if set(point.labels) == labels.get(point.name))
    if chosen:
        return chosen
    message = (
        f"report.champion {champion.root}: expected an operating point for one of the targets "
        f"{', '.join(labels)} with the same labels, found none; compare runs of the same task"
    )
    raise ConfigError(message)


def _read_controls(champion: RunFolder, run: RunFolder) -> pd.DataFrame | None:
    """Read the earlier run's scores of the controls this run counts alerts on; ``None`` if it did not score all."""
    here, there = (folder.evaluation / "controls.parquet" for folder in (run, champion))
    if not all(path.is_file() for path in (here, there, champion.split("controls"))):
        return None
    ids = pd.read_parquet(here, columns=["post_id"])["post_id"]
    controls = pd.read_parquet(there).set_index("post_id")
    texts_here, texts_there = (_read_digests(folder, "controls").reindex(ids) for folder in (run, champion))
    if not ids.isin(controls.index).all() or not texts_here.equals(texts_there):
        return None
    return controls.loc[ids].reset_index()
