"""The data card: what was read, what was dropped and why, what is left, and proof that no split leaks into another."""

import hashlib

import pandas as pd
from pydantic import Field

from screening.data.deduplicate import find_exact_duplicates, find_near_duplicates
from screening.types import Record


class FilterCount(Record):
    """Posts by split and label that one step of the preparation is about.

    ``read`` and ``kept`` count the posts that are there, ``cleaned`` the posts whose text changed, and every other step
    the posts it dropped: read - dropped = kept.

    Steps before ``kept`` count by the split of the source; ``kept`` counts by the final split. Controls stand under
    ``controls`` with their kind as label.
    """

    step: str
    description: str
    n_posts: int = Field(ge=0)
    counts: dict[str, dict[str, int]]


class SplitDigest(Record):
    """SHA-256 over ids, labels and texts of a split, in order."""

    n_posts: int = Field(ge=0)
    n_authors: int | None = Field(None, ge=0, description="distinct known authors; none if the source has no authors")
    sha256: str


class LengthSummary(Record):
    """Words per post (split at white space): 5th, 50th and 95th percentile and maximum."""

    p5: float
    p50: float
    p95: float
    max: int


class LeakageChecks(Record):
    """Measured on the final splits and controls together; all are zero or preparation has a fault."""

    n_authors_in_two_splits: int | None = Field(ge=0, description="none if the source names no authors")
    n_exact_duplicates: int = Field(ge=0)
    n_near_duplicates: int = Field(ge=0)
    n_ids_in_two_splits: int = Field(ge=0)


class DataCard(Record):
    """What a reader needs to judge the numbers of a run; holds counts and digests, no text and no author."""

    source: str
    location: str | None
    licence: str
    is_synthetic: bool
    taxonomy: str
    label_meaning: str
    seed: int
    kept_splits: tuple[str, ...]
    carved_shares: dict[str, float]
    near_duplicate_similarity: float
    filters: tuple[FilterCount, ...]
    splits: dict[str, SplitDigest]
    leakage: LeakageChecks
    lengths_words: dict[str, LengthSummary]
    first_date: str | None
    last_date: str | None


def count_posts(step: str, description: str, posts: pd.DataFrame, split_column: str) -> FilterCount:
    """Count posts by split and label."""
    counts = {
        str(split): {str(label): int(size) for label, size in labels.value_counts().items()}
        for split, labels in posts.groupby(split_column, sort=False)["label"]
    }
    return FilterCount(step=step, description=description, n_posts=len(posts), counts=counts)


def compute_digest(posts: pd.DataFrame) -> str:
    """SHA-256 over ids, labels (or control kinds) and texts, in order."""
    kind = "label" if "label" in posts else "control_kind"
    digest = hashlib.sha256()
    for row in zip(posts["post_id"], posts[kind], posts["text"], strict=True):
        digest.update("\x1f".join(row).encode("utf-8") + b"\x1e")
    return digest.hexdigest()


def summarise_split(posts: pd.DataFrame) -> SplitDigest:
    """Size, number of authors and digest of one split."""
    n_authors = int(posts["author_id"].nunique()) if "author_id" in posts else None
    return SplitDigest(n_posts=len(posts), n_authors=n_authors, sha256=compute_digest(posts))


def summarise_lengths(posts: pd.DataFrame) -> LengthSummary:
    """Length distribution of one split; the split must not be empty."""
    n_words = posts["text"].map(lambda text: len(text.split()))
    p5, p50, p95 = (float(value) for value in n_words.quantile([0.05, 0.5, 0.95]))
    return LengthSummary(p5=p5, p50=p50, p95=p95, max=int(n_words.max()))


def check_leakage(frames: dict[str, pd.DataFrame], similarity: float) -> LeakageChecks:
    """Look for authors, ids and texts that stand in two splits, from the final tables alone."""
    together = pd.concat([frame.assign(split=split) for split, frame in frames.items()], ignore_index=True)
    texts = together["text"].tolist()
    n_authors = None
    if "author_id" in together:
        n_authors = int((together.groupby("author_id")["split"].nunique() > 1).sum())
    return LeakageChecks(
        n_authors_in_two_splits=n_authors,
        n_exact_duplicates=int(find_exact_duplicates(texts).sum()),
        n_near_duplicates=int(find_near_duplicates(texts, similarity).sum()),
        n_ids_in_two_splits=int((together.groupby("post_id")["split"].nunique() > 1).sum()),
    )


def find_date_range(frames: dict[str, pd.DataFrame]) -> tuple[str | None, str | None]:
    """First and last day of any post, as ISO dates; ``(None, None)`` without dates."""
    dates = [frame["created_at"].dropna() for frame in frames.values() if "created_at" in frame]
    known = pd.concat(dates) if dates else pd.Series(dtype="datetime64[us]")
    return (str(known.min().date()), str(known.max().date())) if len(known) else (None, None)
