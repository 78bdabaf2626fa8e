"""The team's guideline: a plain text file."""

import os
from functools import lru_cache
from pathlib import Path

from screening.exceptions import ConfigError

VARIABLE = "SCREENING_REVIEW_GUIDELINES"
DEFAULT_FILE = Path(__file__).parents[1] / "guidelines" / "default.txt"
MAX_CHARACTERS = 20_000


def load_guidelines() -> str:
    """Read the guideline the environment names, or the default one.

    Raises
    ------
    ConfigError
        As :func:`read_guidelines`.
    """
    return read_guidelines(os.environ.get(VARIABLE))


@lru_cache(maxsize=4)
def read_guidelines(file: str | None = None) -> str:
    """Read the team's guideline, or the default one.

    Parameters
    ----------
    file : str or None
        A UTF-8 text file; ``None`` or an empty string for the default.

    Raises
    ------
    ConfigError
        If the file cannot be read, is empty, or is longer than anyone reads beside a post.
    """
    path = Path(file) if file else DEFAULT_FILE
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"the guideline {path} cannot be read as UTF-8 text; check {VARIABLE}"
        raise ConfigError(message) from error
    if not 0 < len(text) <= MAX_CHARACTERS:
        message = f"a guideline has 1 to {MAX_CHARACTERS:,} characters, found {len(text):,} in {path}; shorten it"
        raise ConfigError(message)
    return text
