"""What explaining came to, and how the command line says it."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from screening.types import Estimate, Record

Method = Literal["words", "sentences", "preview"]

WRITTEN = {
    "words": "word spans",
    "sentences": "sentence spans, how far the score falls without each",
    "preview": "word spans of a first look, whose weights add up to nothing",
}
SENTENCES = {
    "comprehensiveness_gain": "masking marked words lowers the score further than masking random words, by {}",
    "sufficiency_gain": "masking all but marked words, against all but random ones: {} (below 0 is better)",
    "single_word_rank_correlation": "rank correlation of weights with the fall when each word alone is masked: {}",
    "random_heads_rank_correlation": "rank correlation with the weights of a model with random heads: {}",
    "random_everything_rank_correlation": "rank correlation with the weights of a wholly random model: {}",
    "plausibility_token_f1": "F1 of marked words against what people marked: {}",
    "plausibility_token_f1_random": "F1 of random words against what people marked: {}",
}


class ExplainSummary(Record):
    """What explaining came to.

    Of ``n_flagged`` posts, ``n_chosen`` were to be explained, those of highest risk; posts without words
    (``n_chosen - n_explained``) have no explanation. ``median_steps`` is the median number of integration steps,
    ``None`` if nothing was explained. ``estimates`` are those of
    :func:`reports.sections.explanation_estimates.estimate_explanations`; a file has no others than ``reliable_…`` and
    ``plausibility_…``, and other methods than ``words`` have neither steps nor estimates.
    """

    out_path: Path
    model_version: str
    heads: tuple[str, ...]
    n_flagged: int
    n_chosen: int
    n_explained: int
    median_steps: float | None
    estimates: dict[str, Estimate] = Field(default_factory=dict)
    method: Method = "words"


def describe_summary(done: ExplainSummary) -> list[str]:
    """Write a summary as lines, every number with its interval and n."""
    lines = [f"explained {_name_posts(done)}"]
    if done.median_steps is not None:
        lines.append(f"{done.median_steps:.0f} steps in the median")
    for name, found in done.estimates.items():
        if name.startswith("reliable_") and found.value is not None and found.interval is not None:
            spread = f"95 % interval {found.interval.low:.1%} to {found.interval.high:.1%}, n = {found.n_samples:,}"
            lines.append(f"{found.value:.1%} of {name.removeprefix('reliable_')} reliable (delta ≤ 5 %; {spread})")
    known = [(sentence, done.estimates[name]) for name, sentence in SENTENCES.items() if name in done.estimates]
    lines += [sentence.format(_write(found)) for sentence, found in known if found.value is not None]
    return [*lines, f"{WRITTEN[done.method]}: {done.out_path}"]


def _name_posts(done: ExplainSummary) -> str:
    without, heads = done.n_chosen - done.n_explained, ", ".join(done.heads)
    if done.n_chosen < done.n_flagged:
        said = f" ({without:,} of them hold no word)" if without else ""
        return f"the {done.n_chosen:,} of highest risk of {done.n_flagged:,} flagged posts, {heads}{said}"
    said = f" ({without:,} more hold no word)" if without else ""
    return f"{done.n_explained:,} flagged posts, highest risk first, {heads}{said}"


def _write(found: Estimate) -> str:
    spread = f"{found.interval.low:.2f} to {found.interval.high:.2f}, " if found.interval else ""
    return f"{found.value:.2f} ({spread}n = {found.n_samples:,})"
