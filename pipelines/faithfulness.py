"""Whether a run's explanations name the words its scores depend on: masked, scored again, kept as ids and numbers."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from rich.console import Console

from pipelines.progress import choose_console, show_progress
from pipelines.table_files import write_table_whole
from screening.bundle import load_bundle
from screening.types import Record

if TYPE_CHECKING:
    from screening.explain.aggregation import WordWeight

SEED = 13


class FaithfulnessSummary(Record):
    """How much more masking marked words lowers the score than masking random words, in its unit, over all shares."""

    out_path: Path
    n_posts: int
    mean_fall: float
    mean_fall_random: float


def measure_faithfulness(
    spans: pd.DataFrame,
    posts: pd.DataFrame,
    bundle_dir: Path,
    out_path: Path,
    *,
    n_posts: int,
    console: Console | None = None,
    is_shown: bool = True,
) -> FaithfulnessSummary | None:
    """Measure explained posts and write the table, whole; a table of other explanations that stands there is replaced.

    Parameters
    ----------
    spans : DataFrame
        Explanation table of one head, from this bundle.
    posts : DataFrame
        ``post_id`` and ``text``, cleaned.
    bundle_dir, out_path : Path
    n_posts : int
        At most so many explained posts, drawn at random (seeded): each is scored up to 61 times.

    Returns
    -------
    FaithfulnessSummary or None
        ``None`` without explained posts, or if the bundle's tokenizer has no mask token; an older table is removed.
    """
    from screening.explain.faithfulness import compute_faithfulness
    from screening.explain.heads import build_score

    bundle = load_bundle(bundle_dir)
    explained = spans["post_id"].drop_duplicates()
    out_path.unlink(missing_ok=True)
    if explained.empty or n_posts == 0 or bundle.tokenizer.mask_token is None:
        return None
    rng = np.random.default_rng(SEED)
    chosen = explained.iloc[np.sort(rng.permutation(len(explained))[:n_posts])].tolist()
    words_by_id = _group_words(spans[spans["post_id"].isin(chosen)])
    text_by_id = dict(zip(posts["post_id"].astype(str), posts["text"], strict=True))
    head, manifest = str(spans["head"].iloc[0]), bundle.manifest
    with show_progress(choose_console(console, is_shown=is_shown), "masked posts") as on_progress:
        table = compute_faithfulness(
            bundle.classifier,
            bundle.tokenizer,
            [text_by_id[post_id] for post_id in chosen],
            [words_by_id[post_id] for post_id in chosen],
            build_score(head, manifest.taxonomy, manifest.temperature.temperature),
            max_tokens=manifest.max_tokens,
            rng=rng,
            on_progress=on_progress,
        )
    table.insert(0, "post_id", chosen)
    write_table_whole(table.assign(head=head, model_version=bundle.version), out_path)
    fall, fall_random = (float(table[f"comprehensiveness_aopc{suffix}"].mean()) for suffix in ("", "_random"))
    return FaithfulnessSummary(out_path=out_path, n_posts=len(chosen), mean_fall=fall, mean_fall_random=fall_random)


def _group_words(spans: pd.DataFrame) -> "dict[str, list[WordWeight]]":
    from screening.explain.aggregation import WordWeight

    return {
        str(post_id): [WordWeight(*row) for row in part[["start", "end", "weight"]].itertuples(index=False)]
        for post_id, part in spans.groupby("post_id", sort=False)
    }
