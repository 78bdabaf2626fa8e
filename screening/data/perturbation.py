"""Small changes of a post's text, to see whether a flag survives them; pure functions that keep no text.

The rules know English only and are short on purpose: what they do to a sentence can be read here.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

TYPO_FRACTION = 0.1
"""Expected share of words with four letters or more that get a typo; at least one gets one."""
N_FIRST_WORDS = 50

Perturb = Callable[[str, np.random.Generator], str | None]

_LONG_WORD = re.compile(r"[^\W\d_]{4,}")
_WORD = re.compile(r"\S+")
_APOSTROPHE = r"['\u2019]"
_AFTER = rf"(?!{_APOSTROPHE}t\b)(?!\s+(?:not|never)\b)"  # not where a negation stands already
_STATEMENTS = (
    (re.compile(rf"\b(i{_APOSTROPHE}?m)\b{_AFTER}", re.IGNORECASE), r"\1 not"),
    (re.compile(rf"\b(i\s+(?:am|was|will|would|can|could|should|must))\b{_AFTER}", re.IGNORECASE), r"\1 not"),
    (re.compile(rf"\b(i{_APOSTROPHE}(?:ve|ll))\b{_AFTER}", re.IGNORECASE), r"\1 not"),
    (
        re.compile(r"\b(i)(\s+(?:want|need|feel|think|know|like|love|hate|hope|wish|plan|care|have\s+to))\b", re.I),
        r"\1 don't\2",
    ),
)
_NEGATIONS = (
    (
        re.compile(
            rf"\b(do|does|did|is|are|was|were|has|have|had|would|could|should|must|need)n{_APOSTROPHE}?t\b", re.I
        ),
        r"\1",
    ),
    (re.compile(rf"\b(can){_APOSTROPHE}?t\b", re.IGNORECASE), r"\1"),
    (re.compile(r"\b(can)not\b", re.IGNORECASE), r"\1"),
    (re.compile(rf"\b(w)on{_APOSTROPHE}?t\b", re.IGNORECASE), r"\1ill"),
    (re.compile(r"\s+(?:not|never)\b", re.IGNORECASE), ""),
)
# "They" takes the verb forms of "I", but for am and was: no other verb has to be known.
_THIRD_PERSON = {
    "i am": "they are", "am i": "are they", "i was": "they were", "was i": "were they", "i'm": "they're",
    "im": "they're", "i've": "they've", "ive": "they've", "i'd": "they'd", "i'll": "they'll", "i": "they", "me": "them",
    "my": "their", "mine": "theirs", "myself": "themselves",
}  # fmt: skip
_FIRST_PERSON = re.compile(
    rf"\b(?:i\s+am|am\s+i|i\s+was|was\s+i|i{_APOSTROPHE}(?:m|ve|d|ll)|im|ive|i(?!\.e\.)|me|my|mine|myself)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Perturbation:
    """A named change of a text.

    Attributes
    ----------
    name, description : str
        ``description`` says what is done, for a reader of the report.
    reading : str
        What a lost flag means.
    apply : callable
        ``apply(text, rng)`` returns the changed text, or ``None`` where there is nothing to change. It never returns
        the text unchanged, and the same generator state gives the same text.
    """

    name: str
    description: str
    reading: str
    apply: Perturb


def perturb_texts(texts: Sequence[str], perturbation: Perturbation, seed: int) -> Iterator[tuple[int, str]]:
    """Yield index and changed text of every text that a perturbation applies to.

    Each text has a generator of its own, so that what happens to it does not depend on the texts before it.

    Examples
    --------
    >>> list(perturb_texts(["I am tired.", "So tired."], PERTURBATIONS["third_person"], seed=0))
    [(0, 'They are tired.')]
    """
    position = list(PERTURBATIONS).index(perturbation.name)
    for i, text in enumerate(texts):
        changed = perturbation.apply(text, np.random.default_rng([seed, position, i]))
        if changed is not None:
            yield i, changed


def add_typos(text: str, rng: np.random.Generator) -> str | None:
    """Swap two neighbouring letters or drop one inside about a tenth of the words with four letters or more."""
    words = list(_LONG_WORD.finditer(text))
    if not words:
        return None
    chosen = rng.random(len(words)) < TYPO_FRACTION
    chosen[rng.integers(len(words))] = True
    parts, end = [], 0
    for word in (word for word, is_chosen in zip(words, chosen, strict=True) if is_chosen):
        parts += [text[end : word.start()], _misspell(word.group(), rng)]
        end = word.end()
    return "".join([*parts, text[end:]])


def insert_negation(text: str, rng: np.random.Generator) -> str | None:
    """Negate first-person statements: "I want" becomes "I don't want", "I am" becomes "I am not"."""
    return _substitute(text, _STATEMENTS)


def drop_negation(text: str, rng: np.random.Generator) -> str | None:
    """Take away "not", "never" and "n't"."""
    return _substitute(text, _NEGATIONS)


def tell_in_third_person(text: str, rng: np.random.Generator) -> str | None:
    """Put "they" for "I", with "am" and "was" made to fit; other words stay."""

    def replace(found: re.Match[str]) -> str:
        word = " ".join(found.group().lower().replace("\u2019", "'").split())
        replacement = _THIRD_PERSON.get(word, found.group())  # a dotless i matches, but is no I
        return replacement.capitalize() if _opens_sentence(text, found.start()) else replacement

    return _keep_if_changed(text, _FIRST_PERSON.sub(replace, text))


def quote_somebody(text: str, rng: np.random.Generator) -> str | None:
    """Give the text as somebody else's words."""
    return f'A friend wrote: "{text}"' if text.strip() else None


def keep_first_half(text: str, rng: np.random.Generator) -> str | None:
    """Cut the second half of the words (white space divides words); ``None`` under two words."""
    n_words = sum(1 for _ in _WORD.finditer(text))
    return _keep_first(text, n_words // 2)


def keep_first_words(text: str, rng: np.random.Generator) -> str | None:
    """Cut all but the first 50 words; ``None`` where there are no more."""
    return _keep_first(text, N_FIRST_WORDS)


_OTHER_MEANING = "the meaning changes: a lost flag may be wanted or not"
PERTURBATIONS: dict[str, Perturbation] = {
    perturbation.name: perturbation
    for perturbation in (
        Perturbation(
            "typos",
            f"letters swapped or dropped in about {TYPO_FRACTION:.0%} of the words with four letters or more",
            "the meaning stays: a lost flag is a fault",
            add_typos,
        ),
        Perturbation("negation_inserted", "first-person statements negated by rule", _OTHER_MEANING, insert_negation),
        Perturbation("negation_dropped", "not, never and n't taken away", _OTHER_MEANING, drop_negation),
        Perturbation("third_person", "they in place of I", _OTHER_MEANING, tell_in_third_person),
        Perturbation("quoted", "the post as a friend's words, in quotes", _OTHER_MEANING, quote_somebody),
        Perturbation(
            "first_half",
            "the second half of the words cut",
            "words are lost: flags lost rested on what was cut",
            keep_first_half,
        ),
        Perturbation(
            "first_words",
            f"all but the first {N_FIRST_WORDS} words cut",
            "words are lost: flags lost rested on what was cut",
            keep_first_words,
        ),
    )
}


def _misspell(word: str, rng: np.random.Generator) -> str:
    """Swap or drop behind the first letter; equal neighbours cannot be swapped, so one of them is dropped."""
    i = int(rng.integers(1, len(word) - 1))
    if rng.random() < 0.5 and word[i] != word[i + 1]:
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    return word[:i] + word[i + 1 :]


def _substitute(text: str, rules: Sequence[tuple[re.Pattern[str], str]]) -> str | None:
    changed = text
    for pattern, replacement in rules:
        changed = pattern.sub(replacement, changed)
    return _keep_if_changed(text, changed)


def _keep_if_changed(text: str, changed: str) -> str | None:
    return changed if changed != text and changed.strip() else None


def _opens_sentence(text: str, start: int) -> bool:
    before = start - 1
    while before >= 0 and text[before].isspace() and text[before] != "\n":
        before -= 1
    return before < 0 or text[before] in ".!?\n"


def _keep_first(text: str, n_words: int) -> str | None:
    """Keep the first words with the white space between them."""
    ends = [word.end() for word in _WORD.finditer(text)]
    return text[: ends[n_words - 1]] if 0 < n_words < len(ends) else None
