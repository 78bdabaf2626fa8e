"""Which posts to explain, by which heads, in which order; scores that do not fit the bundle are refused."""

from dataclasses import dataclass
from hashlib import sha256

import pandas as pd

from screening.bundle import Bundle
from screening.exceptions import ConfigError, SchemaError
from screening.taxonomy import Taxonomy

ALL_HEADS = "all"
SCORE_AGAIN = (
    "score again with this bundle: screening evaluate --config RUN/config.yaml --force for a run, screening score for "
    "a file"
)


@dataclass(frozen=True)
class Work:
    """Posts to explain, in order, and what their explanations depend on."""

    bundle: Bundle
    heads: tuple[str, ...]
    post_ids: list[str]
    texts: list[str]

    @property
    def fingerprint(self) -> str:
        """Names the parts, so that parts of other work are never taken for finished ones."""
        content = "\0".join([self.bundle.version, *self.heads, *self.post_ids, *self.texts])
        return sha256(content.encode()).hexdigest()[:12]

    @property
    def text_by_id(self) -> dict[str, str]:
        """Texts of the posts."""
        return dict(zip(self.post_ids, self.texts, strict=True))


def plan_work(
    scores: pd.DataFrame, posts: pd.DataFrame, bundle: Bundle, *, head: str | None = None, limit: int | None = None
) -> Work:
    """Choose the flagged posts, highest risk first.

    Parameters
    ----------
    scores : DataFrame
        Score table of the posts.
    posts : DataFrame
        ``post_id`` and ``text``, cleaned.
    bundle : Bundle
    head : str, optional
        A head, or ``all``; by default the most urgent risk target.
    limit : int, optional
        Only so many posts.

    Raises
    ------
    ConfigError
        If the bundle knows no such head.
    SchemaError
        If the scores lack a column, come from another bundle, or name a post that is not among the posts.
    """
    heads = _choose_heads(bundle.manifest.taxonomy, head)
    ranking = f"risk_{heads[0].removeprefix('class:')}"
    if not heads[0].startswith("class:"):
        ranking = f"risk_{bundle.manifest.taxonomy.targets[0].name}"
    _validate_scores(scores, ("post_id", "triage", ranking, "model_version"), bundle.version)
    flagged = scores[scores["triage"] != "no_flag"]
    flagged = flagged.assign(rank=pd.to_numeric(flagged[ranking])).sort_values("rank", ascending=False, kind="stable")
    post_ids = flagged["post_id"].astype(str).tolist()[:limit]
    text_by_id = dict(zip(posts["post_id"].astype(str), posts["text"], strict=True))
    unknown = [post_id for post_id in post_ids if post_id not in text_by_id]
    if unknown:
        shown = ", ".join(unknown[:5])
        message = f"{len(unknown)} scored posts are not among the posts (first: {shown}); give the file that was scored"
        raise SchemaError(message)
    return Work(bundle, heads, post_ids, [text_by_id[post_id] for post_id in post_ids])


def _choose_heads(taxonomy: Taxonomy, head: str | None) -> tuple[str, ...]:
    from screening.explain.heads import list_heads

    known = list_heads(taxonomy)
    if head == ALL_HEADS:
        return known
    if head is not None and head not in known:
        message = f"expected a head of {', '.join(known)}, or {ALL_HEADS}; found {head!r}"
        raise ConfigError(message)
    return (head or known[0],)


def _validate_scores(scores: pd.DataFrame, columns: tuple[str, ...], model_version: str) -> None:
    missing = [name for name in columns if name not in scores]
    if missing:
        message = f"expected a score table with {', '.join(columns)}, found no {', '.join(missing)}; {SCORE_AGAIN}"
        raise SchemaError(message)
    others = sorted(set(scores["model_version"].astype(str)) - {model_version})
    if others:
        message = f"the scores come from model {', '.join(others[:3])}, the bundle is {model_version}; {SCORE_AGAIN}"
        raise SchemaError(message)
