"""Which flagged test posts were explained: all of them, or those of highest risk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.results import RunResults

ALL = "flagged test posts"
NOT_ALL = " Intervals are for posts like these: flagged posts of lower risk were not explained."


@dataclass(frozen=True)
class ExplainedPosts:
    """How many test posts were flagged, and how many of them explaining reached, highest risk first.

    Of the posts it reached, ``n_explained`` hold a word and so have an explanation.
    """

    n_flagged: int
    n_reached: int
    n_explained: int

    @property
    def is_part(self) -> bool:
        """Whether flagged posts of lower risk were left out."""
        return self.n_reached < self.n_flagged

    @property
    def name(self) -> str:
        """Say which posts numbers about explanations come from."""
        return f"the {self.n_reached:,} of highest risk of {self.n_flagged:,} {ALL}" if self.is_part else ALL

    @property
    def note(self) -> str:
        """Say what intervals over these posts are about; empty where every flagged post was explained."""
        return NOT_ALL if self.is_part else ""


def count_explained_posts(results: RunResults) -> ExplainedPosts | None:
    """Count flagged and explained test posts, from the scores and the spans.

    Returns
    -------
    ExplainedPosts or None
        ``None`` where nothing was explained, or where explained posts are not among the flagged ones of these scores.
    """
    spans, scores = results.explanations, results.test
    if spans is None or spans.empty or "triage" not in scores:
        return None
    first_head = str(spans["head"].iloc[0])  # its risk made the order, or that of the most urgent target
    target = first_head.removeprefix("class:") if first_head.startswith("class:") else results.taxonomy.targets[0].name
    flagged = scores[scores["triage"] != "no_flag"]
    explained = set(spans["post_id"].astype(str))
    is_explained, risk = flagged["post_id"].astype(str).isin(explained), flagged[f"risk_{target}"]
    if is_explained.sum() < len(explained):
        return None
    is_reached = is_explained | (risk > risk[is_explained].min())
    return ExplainedPosts(n_flagged=len(flagged), n_reached=int(is_reached.sum()), n_explained=len(explained))
