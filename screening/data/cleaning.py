"""Text cleaning that changes encoding, never wording: what a reviewer reads is what the model reads."""

import html
import re
import unicodedata
from collections.abc import Collection, Mapping
from functools import partial
from itertools import count

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from screening.data.schema import validate_posts

# Invisible: zero-width space, word joiner, BOM, soft hyphen, direction marks, variation-free fillers.
_INVISIBLE = "\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb"
_CONTROL = "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"
_REMOVED = re.compile(f"[{_INVISIBLE}{_CONTROL}]+")
# Joiners shape emoji and Persian or Indic words, but between Latin letters they only hide a word from a reader.
_LATIN_JOINER = re.compile(r"(?<=[A-Za-z0-9])[\u200c\u200d]+(?=[A-Za-z0-9])")
# An ampersand escaped again and again, a number no character has, marks piled on one letter (Unicode's own limit for a
# stream is 30, UAX #15): each would take time that grows with its square, or more digits than Python reads.
_ESCAPED_AGAIN = re.compile(r"&(?:amp;|#38;|#x26;){2,}")
_HUGE_NUMBER = re.compile(r"&#[0-9]{40,};?")
_MARK = "".join(re.escape(chr(code)) for code in range(0x300, 0x1F000) if unicodedata.combining(chr(code)))
_PILED_MARKS = re.compile(f"([{_MARK}]{{30}})[{_MARK}]+")
_MAX_ESCAPES = 8  # in other spellings; crawls escape twice
_PARAGRAPH_BREAK = re.compile(r"\n{3,}")
_TELLTALES = ("&", "  ", " \n", "\n ", "\n\n\n")


def clean_text(text: str) -> str:
    r"""Decode HTML entities, compose Unicode (NFC), drop invisible characters and fold white space.

    Line breaks stay; several empty lines become one. Compatibility forms (NFKC) are left alone: they change what a
    reader sees.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        Cleaned text, empty if nothing visible was in it.

    Notes
    -----
    Applied until nothing changes (crawls are often escaped twice), so the function is idempotent. Its time is linear
    in the text: ampersands of a text that is escaped more than eight times, in spellings mixed to that end, become
    blanks, and of more than 30 combining marks on one letter the first 30 stay.

    Examples
    --------
    >>> clean_text("I&amp;#39;m  fine\u200b \r\n\r\n\r\n really ")
    "I'm fine\n\nreally"
    """
    for n_passes in count(1):
        if _is_clean(text):
            break
        cleaned = _clean_once(text)
        if cleaned == text:
            break
        text = cleaned.replace("&", " ") if n_passes == _MAX_ESCAPES else cleaned
    return text


def _is_clean(text: str) -> bool:
    """Tell most clean texts at the speed of string searches; ``False`` may be wrong, ``True`` never is.

    Every character that cleaning removes or folds, but the line break and single blanks, is one Python calls
    unprintable.
    """
    return (
        not any(mark in text for mark in _TELLTALES)
        and text.replace("\n", "").isprintable()
        and text == text.strip()
        and (text.isascii() or (not _PILED_MARKS.search(text) and unicodedata.is_normalized("NFC", text)))
    )


def _clean_once(text: str) -> str:
    if "&" in text:
        text = html.unescape(_HUGE_NUMBER.sub("\ufffd", _ESCAPED_AGAIN.sub("&amp;", text)))
    if not text.isascii():
        text = _PILED_MARKS.sub(r"\1", text)
        text = unicodedata.normalize("NFC", _LATIN_JOINER.sub("", text.replace("\u2029", "\n\n")))
    lines = [" ".join(_REMOVED.sub("", line).split()) for line in text.splitlines()]
    return _PARAGRAPH_BREAK.sub("\n\n", "\n".join(lines)).strip()


def clean_labelled_posts(
    posts: pd.DataFrame, names: Mapping[str, str], *, max_characters: int, group_columns: Collection[str], where: str
) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Check labelled posts, clean their texts, and give their labels the names of the taxonomy.

    Parameters
    ----------
    posts : DataFrame
        As :func:`screening.data.schema.validate_posts` takes them, with ``label``.
    names : mapping of str to str
        From every accepted spelling of a label to its name.
    max_characters, group_columns, where
        See :func:`screening.data.schema.validate_posts`.

    Returns
    -------
    posts : DataFrame
    is_changed : ndarray of bool, shape (n_posts,)
        Whether cleaning changed the text.

    Raises
    ------
    SchemaError
        If a row breaks the schema, before or after cleaning.
    """
    check = partial(validate_posts, max_characters=max_characters, group_columns=group_columns)
    check(posts, labels=names.keys(), where=where)
    texts = posts["text"].map(clean_text)
    is_changed = (texts != posts["text"]).to_numpy()
    posts = posts.assign(text=texts, label=posts["label"].map(names))
    check(posts, where=f"{where} after cleaning")
    return posts, is_changed
