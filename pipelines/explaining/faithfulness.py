"""Measure whether explanations name the words scores depend on: words masked, weights made random, scored again."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from rich.console import Console

from pipelines.explaining.parts import Parts
from pipelines.progress import show_progress
from screening.bundle import Bundle

if TYPE_CHECKING:
    from screening.explain.aggregation import WordWeight

SEED = 13
POSTS_PER_PART = 4  # what an interruption may cost; each such part meets its own random models
MAX_SINGLE_WORD_POSTS = 50
MAX_RANDOM_MODEL_POSTS = 24


@dataclass(frozen=True)
class Explained:
    """Explanations of one head and the posts they belong to.

    Attributes
    ----------
    bundle : Bundle
    spans : DataFrame
        Explanation table of one head, from this bundle.
    text_by_id : dict of str to str
        At least the explained posts, cleaned.
    """

    bundle: Bundle
    spans: pd.DataFrame
    text_by_id: dict[str, str]

    @property
    def head(self) -> str:
        """Name of the explained head."""
        return str(self.spans["head"].iloc[0])

    def draw_posts(self, n_posts: int) -> list[str]:
        """Draw explained posts (seeded), in table order; fewer posts are a subset of more."""
        post_ids = self.spans["post_id"].drop_duplicates()
        order = np.random.default_rng(SEED).permutation(len(post_ids))
        return [str(post_id) for post_id in post_ids.iloc[np.sort(order[:n_posts])]]

    def select_words(self, post_ids: list[str]) -> "list[list[WordWeight]]":
        """Words of some posts with their weights, in reading order."""
        words = group_words(self.spans[self.spans["post_id"].isin(post_ids)])
        return [words[post_id] for post_id in post_ids]


def measure_masking(explained: Explained, parts: Parts, n_posts: int, console: Console) -> pd.DataFrame | None:
    """Mask marked words, all others, and random ones, on drawn posts; ``None`` if the tokenizer cannot mask.

    Each post is scored up to 61 times, in the precision and windows it was scored in.
    """
    from screening.explain.faithfulness import compute_faithfulness
    from screening.explain.masking import build_masked_scorer

    if explained.bundle.tokenizer.mask_token is None:
        return None
    scorer = build_masked_scorer(explained.bundle, explained.head, explained.bundle.manifest.precision)

    def measure(post_ids: list[str], k: int) -> pd.DataFrame:
        texts, words = [explained.text_by_id[i] for i in post_ids], explained.select_words(post_ids)
        table = compute_faithfulness(scorer, texts, words, rng=np.random.default_rng([SEED, k]))
        return table.assign(post_id=post_ids)

    return _measure_in_parts(explained, parts, "masked words", n_posts, measure, console)


def measure_single_words(explained: Explained, parts: Parts, n_posts: int, console: Console) -> pd.DataFrame | None:
    """Mask words one at a time on at most 50 drawn posts; ``None`` if the tokenizer cannot mask.

    Each post is scored up to 41 times, in fp32: one word changes a score by less than bf16 resolves.
    """
    from screening.explain.leave_one_out import compute_leave_one_out
    from screening.explain.masking import build_masked_scorer

    if explained.bundle.tokenizer.mask_token is None:
        return None
    scorer = build_masked_scorer(explained.bundle, explained.head)

    def measure(post_ids: list[str], k: int) -> pd.DataFrame:
        texts, words = [explained.text_by_id[i] for i in post_ids], explained.select_words(post_ids)
        table = compute_leave_one_out(scorer, texts, words, rng=np.random.default_rng([SEED, k]))
        return table.assign(post_id=post_ids)

    n_drawn = min(n_posts, MAX_SINGLE_WORD_POSTS)
    return _measure_in_parts(explained, parts, "single words", n_drawn, measure, console)


def measure_random_models(explained: Explained, parts: Parts, n_posts: int, console: Console) -> pd.DataFrame:
    """Explain at most 24 drawn posts with ever more random weights: four explanations a post, a new draw per part."""
    from screening.explain.sanity import compute_randomised

    def measure(post_ids: list[str], k: int) -> pd.DataFrame:
        spans = explained.spans[explained.spans["post_id"].isin(post_ids)]
        texts = [explained.text_by_id[i] for i in post_ids]
        return compute_randomised(explained.bundle, texts, spans, seed=SEED + k)

    n_drawn = min(n_posts, MAX_RANDOM_MODEL_POSTS)
    return _measure_in_parts(explained, parts, "random models", n_drawn, measure, console)


def group_words(spans: pd.DataFrame) -> "dict[str, list[WordWeight]]":
    """Group an explanation table of one head into the words of each post."""
    from screening.explain.aggregation import WordWeight

    return {
        str(post_id): [WordWeight(*row) for row in part[["start", "end", "weight"]].itertuples(index=False)]
        for post_id, part in spans.groupby("post_id", sort=False)
    }


def _measure_in_parts(
    explained: Explained,
    parts: Parts,
    name: str,
    n_posts: int,
    measure: Callable[[list[str], int], pd.DataFrame],
    console: Console,
) -> pd.DataFrame:
    """Measure drawn posts a few at a time; finished parts are taken from an earlier, interrupted call."""
    post_ids = explained.draw_posts(n_posts)
    tables = []
    with show_progress(console, f"{name} ({len(post_ids)} posts)", action="measuring") as on_progress:
        on_progress(0, len(post_ids))
        for k, start in enumerate(range(0, len(post_ids), POSTS_PER_PART)):
            chosen = post_ids[start : start + POSTS_PER_PART]
            part = f"{name.replace(' ', '-')}-{n_posts}-{k:05d}"
            tables.append(parts.take(part, partial(measure, chosen, k)))
            on_progress(start + len(chosen), len(post_ids))
    table = pd.concat(tables, ignore_index=True)
    columns = ["post_id", *(column for column in table if column != "post_id")]
    return table[columns].assign(head=explained.head, model_version=explained.bundle.version)
