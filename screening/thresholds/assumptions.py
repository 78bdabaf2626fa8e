"""What a recall promise rests on, in sentences that travel with the number."""

from collections.abc import Sequence

_POST_UNIT = (
    "Calibration posts are independent of each other; several posts of one author make the promise too optimistic."
)
_AUTHOR_UNIT = (
    "Authors are independent of each other; their posts need not be: one positive post of each was drawn.",
    "The promise is about a random positive post of a random author, so that an author counts once, however much they "
    "write; it is no promise about the share of all positive posts, nor that every post of an author is flagged.",
)

ASSUMPTIONS: tuple[str, ...] = (
    "The positives it meets are exchangeable with the positives among the calibration posts.",
    "It survives a change of prevalence (recall does not depend on it), "
    "but not a change of what positive posts look like.",
    "Model, temperature and preprocessing were fixed before the calibration posts were scored, and stay as they are.",
    _POST_UNIT,
    "A positive is a post with one of these labels, as the data source labels it (not a clinical finding).",
)


def list_assumptions(*, unit: str = "post", n_promises: int = 1, group_columns: Sequence[str] = ()) -> tuple[str, ...]:
    """List what a promise rests on: the sentences of every promise, and those of its variants.

    Parameters
    ----------
    unit : {"post", "author"}
        What counts as one draw.
    n_promises : int
        Promises that share the confidence.
    group_columns : sequence of str
        Columns in each of whose groups the recall is promised too.

    Examples
    --------
    >>> list_assumptions() == ASSUMPTIONS
    True
    """
    sentences = [sentence for sentence in ASSUMPTIONS if unit == "post" or sentence != _POST_UNIT]
    if unit == "author":
        sentences.extend(_AUTHOR_UNIT)
    if n_promises > 1:
        sentences.append(
            f"{n_promises} promises, this one among them, share the confidence level (the recalls offered, and the "
            f"risk targets where they are to hold together): all {n_promises} hold at once with it, so one may be "
            "picked after its alerts were seen."
        )
    if group_columns:
        sentences.append(
            f"The recall is promised in all posts and in each group of {', '.join(group_columns)}, all at once with "
            "the same confidence, by one threshold: the lowest that any of them needs. Groups first seen after "
            "calibration are not covered."
        )
    return tuple(sentences)
