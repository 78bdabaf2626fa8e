"""Yes-or-no facts about a post's text, to compare missed posts with found ones without showing any text.

The word lists are English; in other languages most facts are simply false.
"""

import re
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

SHORT_WORDS = 25
LONG_WORDS = 250
FIRST_PERSON_FRACTION = 0.1

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_FIRST_PERSON = re.compile(r"(?:i|im|ive|i['\u2019](?:m|ve|d|ll)|me|my|mine|myself)", re.IGNORECASE)
_SECOND_PERSON = re.compile(r"\b(?:you|your|yours|yourself|yourselves)\b", re.IGNORECASE)
_THIRD_PERSON = re.compile(r"\b(?:he|she|his|her|hers|him|himself|herself)\b", re.IGNORECASE)
_NEGATION = re.compile(r"\b(?:not|no|never|nothing|nobody|none|cannot|\w+n['\u2019]t)\b", re.IGNORECASE)
_URL = re.compile(r"https?://|\bwww\.", re.IGNORECASE)
_QUOTED = re.compile(r"[\"\u201c]([^\"\u201c\u201d]+)[\"\u201d]")
_QUOTED_LINE = re.compile(r"^[ \t]*>", re.MULTILINE)
_TIME = re.compile(
    r"\b(?:today|tonight|tomorrow|yesterday|now|(?:second|minute|hour|day|night|week|month|year)s?|"
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)day|[012]?\d(?::[0-5]\d|\s?[ap]m))\b",
    re.IGNORECASE,
)
_THANKS_OR_ADVICE = re.compile(r"\b(?:advice|suggestions?|thanks|thank\s+you|anyone\s+else)\b", re.IGNORECASE)

FACTS: dict[str, str] = {
    "first_person": f"at least {FIRST_PERSON_FRACTION:.0%} of words are I, me, my, mine or myself",
    "second_person": "speaks to a reader (you, your)",
    "third_person": "speaks of one other person (he, she, him, her)",
    "question": "holds a question mark",
    "negation": "holds a negation (not, no, never, n't)",
    "url": "holds a web address",
    "quotation": "holds several words in quotes, or a quoted line",
    "time": "names a time (tonight, a weekday, a number of weeks)",
    "advice": "asks for advice or gives thanks",
    "very_short": f"under {SHORT_WORDS} words",
    "long": f"over {LONG_WORDS} words",
}
"""What each fact means, in the words of the report; the order of the table's columns."""


def compute_text_facts(texts: Sequence[str]) -> pd.DataFrame:
    """Tell for each text which facts hold.

    Parameters
    ----------
    texts : sequence of str, length n
        English posts; any other text is accepted.

    Returns
    -------
    pandas.DataFrame, shape (n, n_facts), bool
        One column per key of ``FACTS``; nothing of the texts is in it.

    Notes
    -----
    Words are runs of letters and digits, with apostrophes inside. Facts are read off the surface of a text: sarcasm,
    misspelling and reported speech are not seen through.

    Examples
    --------
    >>> facts = compute_text_facts(["I can't sleep. Can you?", "http://a.example"])
    >>> facts.columns[facts.iloc[0]].tolist()
    ['first_person', 'second_person', 'question', 'negation', 'very_short']
    >>> facts.columns[facts.iloc[1]].tolist()
    ['url', 'very_short']
    """
    rows = [_find_facts(text) for text in texts]
    return pd.DataFrame(np.array(rows, dtype=bool).reshape(len(rows), len(FACTS)), columns=list(FACTS))


def _find_facts(text: str) -> list[bool]:
    words = _WORD.findall(text)
    n_first_person = sum(1 for word in words if _FIRST_PERSON.fullmatch(word))
    found = {
        "first_person": bool(words) and n_first_person >= FIRST_PERSON_FRACTION * len(words),
        "question": "?" in text,
        "quotation": _quotes_words(text),
        "very_short": len(words) < SHORT_WORDS,
        "long": len(words) > LONG_WORDS,
    }
    return [found[name] if name in found else _SEARCHES[name](text) is not None for name in FACTS]


def _quotes_words(text: str) -> bool:
    if _QUOTED_LINE.search(text):
        return True
    return any(len(found.group(1).split()) > 1 for found in _QUOTED.finditer(text))


_SEARCHES: dict[str, Callable[[str], re.Match[str] | None]] = {
    "second_person": _SECOND_PERSON.search,
    "third_person": _THIRD_PERSON.search,
    "negation": _NEGATION.search,
    "url": _URL.search,
    "time": _TIME.search,
    "advice": _THANKS_OR_ADVICE.search,
}
