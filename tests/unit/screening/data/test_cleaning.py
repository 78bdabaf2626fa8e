import html
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.data import cleaning
from screening.data.cleaning import clean_text


@given(st.text())
def test_cleaning_is_idempotent(text):
    assert clean_text(clean_text(text)) == clean_text(text)


@given(st.text())
def test_cleaned_text_is_composed_and_has_no_control_characters(text):
    cleaned = clean_text(text)
    assert unicodedata.is_normalized("NFC", cleaned)
    assert not [c for c in cleaned if unicodedata.category(c) == "Cc" and c != "\n"]
    assert cleaned == cleaned.strip()


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="&"), min_size=1))
def test_plain_words_are_left_alone(text):
    assert clean_text(text) == text


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("e\u0301", "\u00e9"),
        ("\ufb01ve \u2460", "\ufb01ve \u2460"),  # compatibility forms stay: NFC, not NFKC
        ("hid\u200bden w\u200dord", "hidden word"),
        ("\U0001f469\u200d\U0001f4bb", "\U0001f469\u200d\U0001f4bb"),  # a joiner inside an emoji stays
        ("a\x07b\x00c", "abc"),
        ("one\t\u00a0 two", "one two"),
        ("one\r\ntwo\r\n \r\n\r\nthree", "one\ntwo\n\nthree"),
        ("&lt;3 &amp;amp; &amp;#x200B;", "<3 &"),
        ("\u200b \u2060", ""),
    ],
)
def test_cleaning_by_example(raw, cleaned):
    assert clean_text(raw) == cleaned


@given(st.text(alphabet=st.sampled_from("ab \n\t&;#\r\x0b\x85\u00a0\u00ad\u200d\u2028\u2029\u0301\u00e9\U0001f469")))
def test_the_quick_look_finds_no_text_clean_that_cleaning_would_change(text):
    if cleaning._is_clean(text):
        assert cleaning._clean_once(text) == text


HOSTILE = {
    "escaped again and again": "&" + "amp;" * 9_990,
    "by number": "&" + "#38;" * 9_990,
    "without a semicolon": "&" + "amp" * 12_000,
    "in mixed spellings": "&" + "#038;#x026;amp" * 2_500,
    "a number without end": "&#" + "9" * 39_000 + ";",
    "marks in two orders": "a" + "\u0301" * 20_000 + "\u0316" * 19_000,
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_post_is_cleaned_in_few_passes_and_stays_clean(case, monkeypatch):
    passes = []
    unescape, normalize = html.unescape, unicodedata.normalize
    monkeypatch.setattr(html, "unescape", lambda text: passes.append(text) or unescape(text))
    longest = []
    monkeypatch.setattr(unicodedata, "normalize", lambda form, text: longest.append(len(text)) or normalize(form, text))
    cleaned = clean_text(HOSTILE[case])
    assert len(passes) <= 8
    assert max(longest, default=0) < 100  # what is sorted takes time by its square
    assert clean_text(cleaned) == cleaned


@given(
    st.lists(st.sampled_from(["a", " ", "\n", "I\u2019m", "&", "&lt;", "&#39;", "e\u0301", "\u200b", "not", ";"])),
    st.integers(0, 3),
)
def test_an_ordinary_post_is_cleaned_as_by_passes_without_a_limit(pieces, n_escapes):
    text = "".join(pieces)
    for _ in range(n_escapes):
        text = html.escape(text, quote=False)
    assert clean_text(text) == clean_without_limits(text)


def clean_without_limits(text):
    """Clean as before there were limits: every pass takes one level of escapes off."""
    before = None
    while before != text:
        before = text
        text = unicodedata.normalize("NFC", html.unescape(text).replace("\u200b", ""))
        lines = [" ".join(line.split()) for line in text.splitlines()]
        text = cleaning._PARAGRAPH_BREAK.sub("\n\n", "\n".join(lines)).strip()
    return text
