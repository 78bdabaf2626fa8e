"""What the numbers of a run do not say: sentences that follow the run, so that none stands where it does not hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.tables import format_prose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reports.results import RunResults

LABELS = (
    "Recall is recall of the label, not of people at risk: a post by a person at risk that carries another label "
    "counts as a negative."
)
MIX = "Probabilities are calibrated on the mix of labels in this data set. At another mix they are too high or too low."
GROUPS = "Group differences above are descriptive; many small comparisons will show differences by chance."


def build_caveats(results: RunResults) -> tuple[str, ...]:
    """List what a reader must not read into the numbers of this run."""
    return (
        LABELS,
        *_warn_of_cuts(results),
        *_warn_of_authors(results),
        *_warn_of_several_promises(results),
        MIX,
        *_warn_of_other_posts(results),
        *((GROUPS,) if results.operating_points else ()),
    )


def _warn_of_cuts(results: RunResults) -> Iterator[str]:
    n_cut, n_posts = int(results.test["is_truncated"].sum()), len(results.test)
    n_split = int((results.test["n_windows"] > 1).sum())
    longer = f"of {n_posts:,} test posts are longer than the model's window of {results.config.model.max_tokens} tokens"
    if n_split:
        rests = "a post's scores rest on the mean over its windows"
        if results.has_word_model:
            rests = "a post's scores rest on the mean over its windows and on TF-IDF of the whole post"
        yield (
            f"{n_split:,} {longer} and were read in several; {rests}, so a short passage of a long post counts for "
            "little."
        )
    if n_cut:
        unread = "is read by the TF-IDF model only" if results.has_word_model else "is not read"
        yield f"{n_cut:,} {longer}; what stands after the cut {unread}."


def _warn_of_authors(results: RunResults) -> Iterator[str]:
    """Say what authors mean for the promise and for the intervals; nothing where each test post has its own author."""
    split = results.data_card.get("splits", {}).get("test", {})
    n_posts, n_authors = split.get("n_posts"), split.get("n_authors")
    units = {point.unit for point in results.operating_points}
    if units == {"author"}:
        yield (
            "The promise is about a random post of a random author, not about the share of all positive posts; "
            "“recall found” counts posts."
        )
    if n_authors is None:
        yield (
            "The data do not say who wrote which post. Intervals treat posts as independent; if authors wrote several, "
            "they are too narrow" + (", and the promise is too optimistic." if "post" in units else ".")
        )
    elif n_posts is None or n_posts > n_authors:
        counts = f" ({n_posts:,} test posts by {n_authors:,} known authors)" if n_posts is not None else ""
        yield (
            f"Posts of one author are not independent{counts}; intervals treat them as if they were and are then too "
            "narrow" + (", and so does the promise." if "post" in units else ".")
        )


def _warn_of_several_promises(results: RunResults) -> Iterator[str]:
    points = results.operating_points
    if len(points) > 1 and all(point.n_promises == 1 for point in points):
        yield (
            f"{len(points)} promises are made, each with {format_prose(points[0].confidence_level)} confidence for its "
            "own target; that all hold together is less sure."
        )


def _warn_of_other_posts(results: RunResults) -> Iterator[str]:
    if results.external is None or results.external.empty:
        yield (
            "No posts from another place or time were tried: nothing here says what happens when language or "
            "communities change."
        )
    if results.controls is None or results.controls.empty:
        yield (
            "No posts from outside the task were scored: alerts in a general stream of posts are not known, only those "
            "on posts like the test split's."
        )
    if results.robustness is None:
        yield "Whether a flag survives a typo or a cut was not measured."
