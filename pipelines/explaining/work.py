"""Which posts to explain, by which heads, in which order; scores that do not fit bundle or texts are refused."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logit

from screening.bundle import Bundle
from screening.data.schema import show_ids
from screening.exceptions import ConfigError, SchemaError

ALL_HEADS = "all"
SCORE_AGAIN = (
    "score again with this bundle: screening evaluate --config RUN/config.yaml --force for a run, screening score for "
    "a file"
)
# A post is off if its log-odds and those of its row differ by more than this many times what a neighbour in the batch
# may change, and at least by MIN_TOLERANCE: 0.1 in fp32, 1 in bf16 and in int8, at temperature 1. Explanations are in
# fp32, on torch; scores of the same posts were measured to differ from that by up to 0.03 in bf16 and 0.28 in int8
# (decision 0018). Texts of flagged posts in another order differ by 1.2 to 3 in the median. One post in ten may be off:
# some hundred posts bound no encoder's worst rounding, and in another order half of a part or more are off.
TOLERANCE_FACTOR = 10
MIN_TOLERANCE = 0.1  # above what is lost where somebody rounded the score table to three or four digits
MAX_OFF_FRACTION = 0.1
_NEAREST_TO_CERTAIN = 1e-6  # a score nearer to 0 or 1 says too little about its log-odds


@dataclass(frozen=True)
class Work:
    """Posts to explain, in order, and what their explanations depend on.

    Attributes
    ----------
    bundle : Bundle
    heads : tuple of str
    post_ids, texts : list of str, length n_posts
    target : str
        The risk target that ranks the posts.
    risks : ndarray of float, shape (n_posts,)
        What the score table says of it, in [0, 1].
    """

    bundle: Bundle
    heads: tuple[str, ...]
    post_ids: list[str]
    texts: list[str]
    target: str
    risks: NDArray[np.float64]

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
    heads = _choose_heads(bundle, head)
    target = heads[0].removeprefix("class:")
    if not heads[0].startswith("class:"):
        target = bundle.manifest.taxonomy.targets[0].name
    ranking = f"risk_{target}"
    _validate_scores(scores, ("post_id", "triage", ranking, "model_version"), bundle.version)
    flagged = scores[scores["triage"] != "no_flag"]
    flagged = flagged.assign(rank=pd.to_numeric(flagged[ranking])).sort_values("rank", ascending=False, kind="stable")
    post_ids = flagged["post_id"].astype(str).tolist()[:limit]
    text_by_id = dict(zip(posts["post_id"].astype(str), posts["text"], strict=True))
    unknown = [post_id for post_id in post_ids if post_id not in text_by_id]
    if unknown:
        shown = show_ids(unknown, 5)
        message = f"{len(unknown)} scored posts are not among the posts (first: {shown}); give the file that was scored"
        raise SchemaError(message)
    risks = flagged["rank"].to_numpy(dtype=np.float64)[: len(post_ids)]
    return Work(bundle, heads, post_ids, [text_by_id[post_id] for post_id in post_ids], target, risks)


def explain_part(work: Work, explain: Callable[..., pd.DataFrame], rows: slice, head: str) -> pd.DataFrame:
    """Explain some of the posts, once their texts are found to be those that were scored.

    Raises
    ------
    SchemaError
        If more than one in ten of these texts scores otherwise than the table says; ids are named, no texts.
    """
    if head == work.heads[0]:
        _validate_texts(work, rows)
    return explain(work.bundle, work.texts[rows], work.post_ids[rows], head=head)


def _validate_texts(work: Work, rows: slice) -> None:
    """Score texts once more, a small part of what explaining them costs, and compare with the table."""
    from screening.inference.precision import compute_score_tolerance

    manifest, post_ids = work.bundle.manifest, work.post_ids[rows]
    temperature = manifest.temperature.temperature
    change = compute_score_tolerance(manifest.precision, temperature, manifest.quantisation)
    tolerance = max(MIN_TOLERANCE, TOLERANCE_FACTOR * change)
    differences = np.abs(_to_log_odds(_score_again(work, rows)) - _to_log_odds(work.risks[rows]))
    off = [post_id for post_id, found in zip(post_ids, differences, strict=True) if not found <= tolerance]
    if len(off) > MAX_OFF_FRACTION * len(post_ids):
        message = (
            f"expected the texts that were scored, found {len(off)} of {len(post_ids)} posts whose log-odds of "
            f"{work.target} differ from the score table by more than {tolerance:.2g} (first: {show_ids(off, 5)}); "
            f"give the posts as they were scored, or {SCORE_AGAIN}"
        )
        raise SchemaError(message)


def _score_again(work: Work, rows: slice) -> NDArray[np.float64]:
    """Risk scores of some posts as explanations see them: in fp32, on torch; shape (n_posts,)."""
    from screening.inference.backends import load_engine
    from screening.scoring import Screener, compute_risk_scores

    bundle, manifest = work.bundle, work.bundle.manifest
    path = Screener(bundle, load_engine(bundle.classifier, "torch", "fp32")).path
    probabilities = manifest.temperature.compute_probabilities(path.compute_logits(work.texts[rows]).logits)
    return compute_risk_scores(probabilities, manifest.taxonomy)[work.target]


def _to_log_odds(risks: NDArray[np.float64]) -> NDArray[np.float64]:
    log_odds: NDArray[np.float64] = logit(np.clip(risks, _NEAREST_TO_CERTAIN, 1 - _NEAREST_TO_CERTAIN))
    return log_odds


def _choose_heads(bundle: Bundle, head: str | None) -> tuple[str, ...]:
    """Choose among the heads that were trained."""
    from screening.explain.heads import SCALES, list_heads

    untrained = () if bundle.classifier.config.has_trained_scales else SCALES
    known = tuple(name for name in list_heads(bundle.manifest.taxonomy) if name not in untrained)
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
