"""Scores of positive test posts after small changes of their text; the changed texts are never written anywhere."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from screening.data.perturbation import PERTURBATIONS, perturb_texts
from screening.inference.forward import Progress
from screening.scoring import Screener
from screening.taxonomy import RiskTarget

MAX_POSTS = 500
SAMPLE_KEY = 2  # a stream of its own: splits and scopes are drawn from the same seed


class ChangedPost(NamedTuple):
    """One post after one perturbation."""

    post_id: str
    label: str
    perturbation: str
    text: str


def choose_positives(posts: pd.DataFrame, target: RiskTarget, seed: int) -> pd.DataFrame:
    """Choose the posts with a target's labels, at most 500 of them, drawn with the run's seed and kept in order."""
    positives = posts[posts["label"].isin(target.labels)]
    if len(positives) <= MAX_POSTS:
        return positives
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(SAMPLE_KEY,)))
    return positives.iloc[np.sort(rng.choice(len(positives), MAX_POSTS, replace=False))]


def score_changed_posts(
    screener: Screener, posts: pd.DataFrame, seed: int, on_progress: Progress | None = None
) -> pd.DataFrame:
    """Score every post after every perturbation that applies to it.

    Returns
    -------
    pandas.DataFrame
        One row per post and perturbation: ``post_id, label, perturbation, model_version``, ``risk_<target>`` in
        [0, 1], ``is_truncated``. No text.
    """
    changed = list(_change_posts(posts, seed))
    scores = screener.score([post.text for post in changed], on_progress=on_progress)
    kept = scores[[name for name in scores if str(name).startswith("risk_")] + ["is_truncated"]]
    facts = pd.DataFrame(
        {
            "post_id": pd.Series([post.post_id for post in changed], dtype="str"),
            "label": pd.Series([post.label for post in changed], dtype="str"),
            "perturbation": pd.Series([post.perturbation for post in changed], dtype="str"),
            "model_version": pd.Series([screener.version] * len(changed), dtype="str"),
        }
    )
    return pd.concat([facts, kept], axis="columns")


def _change_posts(posts: pd.DataFrame, seed: int) -> Iterator[ChangedPost]:
    ids, labels, texts = (posts[name].tolist() for name in ("post_id", "label", "text"))
    for name, perturbation in PERTURBATIONS.items():
        for i, text in perturb_texts(texts, perturbation, seed):
            yield ChangedPost(ids[i], labels[i], name, text)
