"""The ``reddit2013`` data set, built anew from the public-domain crawl it was made of.

Top posts of 2,500 communities in August 2013, one CSV file per community (github.com/umbrae/reddit-top-2.5-million).
"""

import html
from collections.abc import Callable, Mapping
from hashlib import sha256
from http.client import HTTPException
from io import BytesIO
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pandas as pd

from screening.data.deduplicate import normalise_for_matching
from screening.exceptions import DataAccessError, SchemaError

ORIGIN = "https://raw.githubusercontent.com/umbrae/reddit-top-2.5-million/d0efcade504b8ed735a48ddc2b15552fa924c9d9/data"
DIGESTS = {
    "train": "aac0691c227e16d1db9848ff074824f92452980fe5d0d2609c524e649dbf5494",
    "validation": "9af88f95912a269f24bee87d70ce63abe5f32587d8fc2303737abda1f72bfde1",
    "test": "381346ce6a92b41d7cd33e0b2684a7af6261bf7275312a698f2a582cec7b0c3b",
    "controls": "1504aa0eb49bec17854cb5d6124dbee45a1913f5791bca021047082b1d29fed5",
}
"""SHA-256 of the files that the shipped figures come from."""

LABELS = {
    "depression": "depression",
    "Anxiety": "anxiety",
    "bipolar": "bipolar",
    "BipolarReddit": "bipolar",
    "SuicideWatch": "suicidewatch",
    "offmychest": "offmychest",
}
PLAIN, EMOTIONAL = "control_plain", "control_emotional"
CONTROLS = {
    "relationships": EMOTIONAL,
    "personalfinance": PLAIN,
    "legaladvice": PLAIN,
    "Parenting": PLAIN,
    "Fitness": PLAIN,
    "college": PLAIN,
    "jobs": PLAIN,
    "GradSchool": PLAIN,
    "teaching": PLAIN,
    "Cooking": PLAIN,
    "travel": PLAIN,
    "math": PLAIN,
    "guns": PLAIN,
    "Meditation": PLAIN,
    "self": EMOTIONAL,
    "TwoXChromosomes": EMOTIONAL,
    "relationship_advice": EMOTIONAL,
    "teenagers": EMOTIONAL,
    "BreakUps": EMOTIONAL,
    "stopdrinking": EMOTIONAL,
    "ForeverAlone": EMOTIONAL,
    "MMFB": EMOTIONAL,
}
"""Communities outside the task, and whether there is much talk of distress in them."""

MAX_CONTROLS = 400  # per community, those of highest score
MIN_WORDS = 10  # of the body, between white space
TRAIN_SHARE, VALIDATION_SHARE, SEED = 0.7, 0.1, 0
TIMEOUT = 60  # seconds without an answer

_COLUMNS = ("created_utc", "score", "title", "selftext", "is_self")


def build_reddit2013(origin: str, on_progress: Callable[[int, int], None] | None = None) -> dict[str, pd.DataFrame]:
    """Build the four tables of the data set from the crawl's files.

    Parameters
    ----------
    origin : str
        Folder of the crawl, or of its ``data``, or an address that ``/NAME.csv`` can be put behind.
    on_progress : callable, optional
        Called as ``on_progress(n_read, n_files)``.

    Returns
    -------
    dict of str to DataFrame
        ``train``, ``validation``, ``test`` and ``controls`` with the columns ``text, label, subreddit, created`` (day,
        UTC) and ``score``. No author, id or link.

    Raises
    ------
    DataAccessError
        If a file cannot be read.
    SchemaError
        If one is not of the crawl's shape.

    Notes
    -----
    Text posts with a body of at least ten words; title and body with HTML entities decoded. A text that comes again
    under its own label is dropped, one that stands under two labels is dropped wherever it stands. Divided 70/10/20
    within every community.
    """
    base = _locate(origin)
    names = [*LABELS, *CONTROLS]
    read = {}
    for i, name in enumerate(names):
        read[name] = _select_posts(_read_community(base, name), name)
        if on_progress is not None:
            on_progress(i + 1, len(names))
    posts = _drop_repeats(pd.concat([read[name].assign(label=label) for name, label in LABELS.items()]))
    controls = _drop_repeats(
        pd.concat(
            read[name].assign(label=kind).sort_values("score", ascending=False, kind="stable").head(MAX_CONTROLS)
            for name, kind in CONTROLS.items()
        )
    )
    return {**_divide(posts), "controls": controls}


def is_as_published(name: str, content: bytes) -> bool:
    """Tell whether a written file is byte for byte the one that the shipped figures come from."""
    return sha256(content).hexdigest() == DIGESTS[name]


def _locate(origin: str) -> str:
    if origin.startswith(("https://", "http://")):
        return origin.rstrip("/")
    folder = Path(origin)
    if not folder.is_dir():
        message = f"{origin}: expected a folder of the crawl or an http(s) address, found neither"
        raise DataAccessError(message)
    return str(folder / "data" if (folder / "data").is_dir() else folder)


def _open(place: str) -> BytesIO | str:
    """Download an address whole, so that a connection that breaks or hangs ends in an error; leave a path alone."""
    if not place.startswith(("https://", "http://")):
        return place
    with urlopen(place, timeout=TIMEOUT) as answer:  # noqa: S310  # its scheme was looked at
        return BytesIO(answer.read())


def _read_community(base: str, name: str) -> pd.DataFrame:
    place = f"{base}/{name}.csv"
    try:
        table = pd.read_csv(_open(place), dtype=str, keep_default_na=False, encoding="utf-8")
    except (OSError, HTTPException) as error:
        message = (
            f"{place} cannot be read ({type(error).__name__}); clone or download "
            "github.com/umbrae/reddit-top-2.5-million and name its folder with --from"
        )
        raise DataAccessError(message) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        message = f"{place}: expected a CSV file of the crawl in UTF-8, found something else"
        raise SchemaError(message) from error
    missing = [column for column in _COLUMNS if column not in table]
    if missing:
        message = f"{place}: expected the crawl's columns {', '.join(_COLUMNS)}, {', '.join(missing)} not found"
        raise SchemaError(message)
    return table


def _select_posts(table: pd.DataFrame, name: str) -> pd.DataFrame:
    n_words = table["selftext"].map(lambda body: len(body.split()))
    kept = table[(table["is_self"] == "True") & (n_words >= MIN_WORDS)]
    try:
        created = pd.to_datetime(kept["created_utc"].astype(float), unit="s").dt.strftime("%Y-%m-%d")
        scores = kept["score"].astype(int)
    except (ValueError, OverflowError):
        message = f"{name}.csv: expected numbers as score and created_utc, found something else"
        raise SchemaError(message) from None  # the cause quotes a cell
    texts = (kept["title"] + "\n" + kept["selftext"]).map(html.unescape).str.strip()
    return pd.DataFrame({"text": texts, "label": "", "subreddit": name, "created": created, "score": scores})


def _drop_repeats(posts: pd.DataFrame) -> pd.DataFrame:
    keys = posts["text"].map(normalise_for_matching)
    n_labels = posts["label"].groupby(keys.to_numpy()).nunique()
    is_kept = ~keys.duplicated() & (keys.map(n_labels) == 1)
    return posts[is_kept].reset_index(drop=True)


def _divide(posts: pd.DataFrame) -> Mapping[str, pd.DataFrame]:
    """Divide each community at random, in the order of their names, then put each split in a random order."""
    rng = np.random.RandomState(SEED)
    split = np.empty(len(posts), dtype=object)
    for name in sorted(posts["subreddit"].unique()):
        rows = np.flatnonzero(posts["subreddit"] == name)
        order = rows[rng.permutation(len(rows))]
        n_train, n_validation = round(TRAIN_SHARE * len(rows)), round(VALIDATION_SHARE * len(rows))
        split[order[:n_train]] = "train"
        split[order[n_train : n_train + n_validation]] = "validation"
        split[order[n_train + n_validation :]] = "test"
    return {
        name: posts[split == name].sample(frac=1, random_state=SEED).reset_index(drop=True)
        for name in ("train", "validation", "test")
    }
