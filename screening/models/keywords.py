"""The comparator teams start with: a list of phrases, searched in each post."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from screening.exceptions import ConfigError

_APOSTROPHES = "'\u2018\u2019\u02bc`\u00b4"
_SIGNS = re.compile(r"[^\w\s-]+")


class KeywordList:
    """Phrases matched without regard to case, apostrophes, hyphens and the width of white space.

    A phrase matches whole words only; any other sign between its words keeps it from matching.

    Parameters
    ----------
    phrases : sequence of str
        At least one; phrases that read alike after folding count once.

    Raises
    ------
    ConfigError
        If there is no phrase, or one has no letter or digit.

    Examples
    --------
    >>> KeywordList(["can't go on", "self harm"]).count(["I cant  go ON. Self-harm!", "on the go"]).tolist()
    [2, 0]
    """

    def __init__(self, phrases: Sequence[str]) -> None:
        empty = [i for i, phrase in enumerate(phrases, start=1) if not fold(phrase).strip(" .")]
        if empty or not phrases:
            found = f"nothing to search for at positions {empty}" if empty else "no phrase"
            message = f"expected keywords with letters or digits, found {found}; correct the taxonomy's keywords"
            raise ConfigError(message)
        self.folded = tuple(dict.fromkeys(fold(phrase) for phrase in phrases))

    def __len__(self) -> int:
        """Count distinct phrases."""
        return len(self.folded)

    def count(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Count the distinct phrases of the list in each text, shape (n_texts,), in [0, len(self)]."""
        counts = (sum(phrase in text for phrase in self.folded) for text in map(fold, texts))
        return np.fromiter(counts, dtype=np.int64, count=len(texts))

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Compute the share of the list's phrases found in each text, shape (n_texts,), in [0, 1].

        A text holds any phrase if and only if its score is at least :attr:`any_phrase`.
        """
        return self.count(texts) / len(self)

    @property
    def any_phrase(self) -> float:
        """Score of a text with one phrase: from here up, the list's own rule flags."""
        return 1 / len(self)


def fold(text: str) -> str:
    """Fold case, apostrophes, hyphens and white space; signs become a word of their own, blanks stand at both ends.

    Examples
    --------
    >>> fold("Can't  go\u2026 ON")
    ' cant go . on '
    """
    bare = text.casefold()
    for apostrophe in _APOSTROPHES:
        bare = bare.replace(apostrophe, "")
    words = _SIGNS.sub(" . ", bare).replace("-", " ").replace("_", " ").split()
    return f" {' '.join(words)} "
