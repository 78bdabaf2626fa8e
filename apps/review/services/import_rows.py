"""From a score table and its posts to the rows the store keeps."""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence, Set

import pandas as pd

from apps.review.services.stages import draw_uniform
from apps.review.services.tables import list_risk_columns, require_unique_ids
from apps.review.store.events import compute_text_digest, create_salt, to_canonical_json, to_timestamp
from screening.config import DataConfig
from screening.data.deduplicate import compute_match_digest, match_near_duplicates
from screening.data.schema import is_missing, show_ids
from screening.exceptions import SchemaError
from screening.types import TRIAGE_LEVELS

Row = dict[str, object]

DIGESTED_FIELDS = (
    "post_id", "imported_at", "created_at", "triage", "risk", "priority", "scores", "model_version", "text_digest",
)  # fmt: skip
FACT_FIELDS = ("post_id", "n_characters", "community", "duplicate_group", "is_audit")
UNKNOWN_MODEL = "unknown"  # the model version of scores that name none
_MAX_COMMUNITY = 100  # characters
_SURROGATES = re.compile("[\ud800-\udfff]")
_SHOWN_COLUMNS = ("valence", "intensity", "n_tokens", "is_truncated")


def compute_import_digest(rows: Iterable[Mapping[str, object]], fields: Sequence[str] = DIGESTED_FIELDS) -> str:
    """SHA-256 over these fields of imported rows in order of their ids."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(to_canonical_json([row[name] for name in fields]).encode() + b"\n")
    return digest.hexdigest()


def build_rows(scores: pd.DataFrame, posts: pd.DataFrame, imported_at: str) -> tuple[list[Row], list[Row]]:
    """Build the rows of ``posts`` and ``post_texts``, both in order of post id.

    Raises
    ------
    SchemaError
        If a scored post has no text, or a date cannot be read.
    """
    posts = _select_posts(scores, posts)
    texts = dict(zip(posts["post_id"], posts["text"], strict=True))
    created = _read_dates(posts)
    risk_columns = list_risk_columns(scores)
    shown = [c for c in map(str, scores.columns) if c.startswith(("prob_", "risk_")) or c in _SHOWN_COLUMNS]
    rows: list[Row] = []
    text_rows: list[Row] = []
    for record in sorted(scores.to_dict("records"), key=lambda record: str(record["post_id"])):
        post_id = str(record["post_id"])
        text_row: Row = {"post_id": post_id, "text": replace_unstorable(texts[post_id]), "salt": create_salt()}
        risk = choose_risk(record, risk_columns)
        rows.append(
            {
                "post_id": post_id,
                "imported_at": imported_at,
                "created_at": created.get(post_id),
                "triage": record["triage"],
                "risk": risk,
                "priority": 2.0 * TRIAGE_LEVELS.index(record["triage"]) + (1.0 - risk),
                "scores": {name: _to_plain(record[name]) for name in shown},
                "model_version": _read_model_version(record),
                "text_digest": compute_text_digest(str(text_row["text"]), str(text_row["salt"])),
            }
        )
        text_rows.append(text_row)
    return rows, text_rows


def place_hidden(rows: list[Row], hidden: Set[str], *, seed: int) -> None:
    """Place the unflagged posts of an audit where they tell nothing.

    Parameters
    ----------
    rows : list of dict
        Of one import, posts that were there before included; changed.
    hidden : set of str
        Ids of these posts. Each takes the priority of another flagged post of the same import, drawn by seed and id; of
        any post where no other is flagged.
    """
    shown = (row for row in rows if row["triage"] != "no_flag" and row["post_id"] not in hidden)
    places = sorted(float(str(row["priority"])) for row in shown) or [float(str(row["priority"])) for row in rows]
    for row in rows:
        if row["post_id"] in hidden:
            row["priority"] = places[int(draw_uniform(f"place of {row['post_id']}", seed) * len(places))]


def add_facts(rows: list[Row], texts: list[Row], posts: pd.DataFrame, drawn: Set[str]) -> None:
    """Add to new rows what the queue is filtered and grouped by.

    Parameters
    ----------
    rows, texts : list of dict
        Of the same posts, in order of their ids; ``rows`` are changed.
    posts : DataFrame
        May have a column ``community``.
    drawn : set of str
        Ids of the random audit slice.
    """
    communities = _read_communities(posts)
    groups = find_duplicate_groups([str(row["post_id"]) for row in texts], [str(row["text"]) for row in texts])
    for row, text in zip(rows, texts, strict=True):
        post_id = str(row["post_id"])
        row["n_characters"] = len(str(text["text"]))
        row["community"] = communities.get(post_id)
        row["duplicate_group"] = groups.get(post_id)
        row["is_audit"] = post_id in drawn


def find_duplicate_groups(ids: Sequence[str], texts: Sequence[str]) -> dict[str, str]:
    """Name, for every post that repeats or is repeated, the first of its group; the others are left out.

    Notes
    -----
    Exact repeats after folding case and white space, and texts whose word 5-grams overlap by
    ``DataConfig.near_duplicate_similarity`` or more with the first of the group.
    """
    if not ids:
        return {}
    digests = [compute_match_digest(text) for text in texts]
    first_of = {digest: i for i, digest in reversed(list(enumerate(digests)))}
    near = match_near_duplicates(texts, DataConfig().near_duplicate_similarity)
    firsts = [int(near[first_of[digest]]) for digest in digests]
    n_members = Counter(firsts)
    return {ids[i]: ids[first] for i, first in enumerate(firsts) if n_members[first] > 1}


def build_left_out(scores: pd.DataFrame) -> list[Row]:
    """Build the rows of scored posts that are not imported: id and risks."""
    risk_columns = list_risk_columns(scores)
    names = [column.removeprefix("risk_") for column in risk_columns]
    columns = [scores[column].astype(float).tolist() for column in risk_columns]
    values = zip(*columns, strict=True) if columns else iter(())
    ids = [str(post_id) for post_id in scores["post_id"]]
    return [
        {"post_id": post_id, "risks": dict(zip(names, risks, strict=True))}
        for post_id, risks in zip(ids, values, strict=True)
    ]


def _read_communities(posts: pd.DataFrame) -> dict[str, str]:
    if "community" not in posts.columns:
        return {}
    known = zip(posts["post_id"], posts["community"], strict=True)
    return {
        str(post_id): replace_unstorable(str(name))[:_MAX_COMMUNITY]
        for post_id, name in known
        if not is_missing(name) and str(name).strip()
    }


def choose_risk(record: Mapping[object, object], risk_columns: list[str]) -> float:
    """Pick the risk that ranks a post within its triage level.

    Posts to refer rank by the most urgent target (the first column), the others by their highest risk.

    Examples
    --------
    >>> choose_risk({"triage": "refer", "risk_acute": 0.4, "risk_any": 0.9}, ["risk_acute", "risk_any"])
    0.4
    """
    if record["triage"] == "refer":
        return float(str(record[risk_columns[0]]))
    return max(float(str(record[column])) for column in risk_columns)


def replace_unstorable(text: str) -> str:
    r"""Replace what databases cannot hold (NUL, lone surrogates), one sign for one sign so that offsets hold.

    Examples
    --------
    >>> replace_unstorable("a\x00b")
    'a␀b'
    """
    text = text.replace("\x00", "\N{SYMBOL FOR NULL}")
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)


def _select_posts(scores: pd.DataFrame, posts: pd.DataFrame) -> pd.DataFrame:
    wanted = set(scores["post_id"].astype(str))
    posts = posts.assign(post_id=posts["post_id"].astype(str))
    found = posts[posts["post_id"].isin(wanted) & posts["text"].map(lambda text: isinstance(text, str))]
    require_unique_ids(found, "posts file")
    missing = sorted(wanted - set(found["post_id"]))
    if missing:
        message = (
            f"{len(missing)} scored posts have no text in the posts file, first ids {show_ids(missing)}; "
            "pass the posts these scores were made from, and score and import them with the same --id-column"
        )
        raise SchemaError(message)
    return found


def _read_dates(posts: pd.DataFrame) -> dict[str, str]:
    if "created_at" not in posts.columns:
        return {}
    try:
        dates = pd.to_datetime(posts["created_at"], utc=True, format="ISO8601")
    except (ValueError, TypeError):
        message = "created_at in the posts file must hold ISO 8601 dates (2026-01-31T12:00:00Z); found others"
        raise SchemaError(message) from None
    known = zip(posts["post_id"], dates, strict=True)
    return {post_id: to_timestamp(moment.to_pydatetime()) for post_id, moment in known if not pd.isna(moment)}


def _to_plain(value: object) -> object:
    """Return JSON's own types; a number that is not finite becomes ``None``."""
    plain = value.item() if hasattr(value, "item") else value
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain


def _read_model_version(record: Mapping[Hashable, object]) -> str:
    value = record.get("model_version")
    return value if isinstance(value, str) and value else UNKNOWN_MODEL
