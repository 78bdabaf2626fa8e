"""Direct identifiers in posts, replaced by what kind they were: e-mail addresses, links, user names, phone numbers.

Names, places and the story itself stay: a post is not anonymous afterwards, and whoever searches for it may find it.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.util import find_spec

from screening.exceptions import ConfigError

KINDS = ("e-mail", "link", "user", "phone")
MIN_PHONE_DIGITS = 7

# Each begins where a run of its characters begins and takes that run whole: the time is linear in hostile text too.
_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]++@[\w-]++(?:\.[\w-]++)+")
_REST = r"[^\s<>()\[\]{}\"'\u201c\u201d]"  # what an address goes on with
_LINK = re.compile(
    rf"\b(?:https?://|www\.){_REST}++"
    # a host by itself, or with a path: endings that no sentence begins with when its blank is missing
    rf"|(?<![\w.@-])(?:[\w-]++\.)+(?:com|org|net|edu|gov|info|io|gg|ly)\b(?:/{_REST}*+)?"
    rf"|(?<![\w.@-])(?:[\w-]++\.)+(?:co|me|tv|us|uk|ca|au|de|fr|nl|eu|be|ch|at|ie|nz|ru|jp|br|in)/{_REST}++",
    re.IGNORECASE,
)
_USER = re.compile(
    r"(?<![\w/])(?:/u(?:ser)?/|r/u_)[\w-]{2,}+|(?<![\w/.])u/[\w-]{2,}+|(?<![\w@/])@[A-Za-z_][\w.-]*+", re.IGNORECASE
)
_DIGIT = re.compile(r"\d")


def remove_identifiers(text: str, *, region: str | None = None) -> tuple[str, Counter[str]]:
    """Replace direct identifiers in a post by ``[e-mail]``, ``[link]``, ``[user]`` and ``[phone]``.

    Parameters
    ----------
    text : str
    region : str, optional
        Two letters of a country (``US``) whose phone numbers are known without their ``+`` as well.

    Returns
    -------
    text : str
    counts : Counter of str
        How many of each of :data:`KINDS` were replaced.

    Raises
    ------
    ConfigError
        If the extra ``deidentify`` is not installed, or no country has such letters.

    Notes
    -----
    Patterns, and `phonenumbers` (Google's libphonenumber) for phone numbers. Not found: what is written to be misread
    (``name at mail dot com``), local numbers without an area code, names of services that write them plainly
    (``name#1234``), hosts of rare endings. Found too much: ``@work``, hotline numbers.

    Examples
    --------
    >>> text, counts = remove_identifiers("ask u/someone or me.too@example.org, +41 44 668 18 00")
    >>> text
    'ask [user] or [e-mail], [phone]'
    >>> sorted(counts.items())
    [('e-mail', 1), ('phone', 1), ('user', 1)]
    """
    validate_region(region)
    counts: Counter[str] = Counter()
    for kind, pattern in (("link", _LINK), ("e-mail", _EMAIL), ("user", _USER)):
        text, found = pattern.subn(_keep_end(kind), text)
        counts[kind] += found
    spans = list(_find_phones(text, region))
    for start, end in reversed(spans):
        text = f"{text[:start]}[phone]{text[end:]}"
    counts["phone"] += len(spans)
    return text, +counts


def validate_region(region: str | None) -> None:
    """Refuse a missing extra or letters that no country has, before any post is read."""
    if find_spec("phonenumbers") is None:
        message = (
            "phone numbers are found by the package phonenumbers, which is not installed. Run in the project's "
            "folder: .venv/bin/pip install -e '.[deidentify]' -c constraints.txt"
        )
        raise ConfigError(message)
    from phonenumbers import SUPPORTED_REGIONS

    if region is not None and region not in SUPPORTED_REGIONS:
        message = f"region {region!r}: expected two capital letters of a country, such as US or GB"
        raise ConfigError(message)


def _keep_end(kind: str) -> Callable[[re.Match[str]], str]:
    """Replace a match by its kind, and leave the sentence its full stop."""

    def replace(found: re.Match[str]) -> str:
        whole = found.group()
        return f"[{kind}]{whole[len(whole.rstrip('.,;:!?')) :]}"

    return replace


def _find_phones(text: str, region: str | None) -> Iterator[tuple[int, int]]:
    """Find phone numbers, as characters ``[start, end)``; most posts have too few digits to be looked at."""
    if len(_DIGIT.findall(text)) < MIN_PHONE_DIGITS:
        return
    from phonenumbers import Leniency, PhoneNumberMatcher

    for found in PhoneNumberMatcher(text, region, leniency=Leniency.VALID):
        yield found.start, found.end
