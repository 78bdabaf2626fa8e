import html
import re
import unicodedata

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.explain.rendering import (
    HIGHLIGHT_CSS,
    HighlightedPost,
    escape_visibly,
    render_highlights,
    show_visibly,
)

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "**bold** [link](javascript:alert(1)) $\\frac{1}{2}$ :material/home: :red[x]",
    "</div></mark><style>*{display:none}</style>",
    "&lt;already escaped&gt;",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_comes_out_as_the_same_text(text: str) -> None:
    page = render_highlights(text, [(0, 4, 1.0)])
    without_our_tags = re.sub(r'<span class="for-screen-readers">.*?</span>|</?(?:div|mark|span)\b[^<>]*>', "", page)
    assert "<" not in without_our_tags
    assert html.unescape(without_our_tags) == text


@given(st.text(max_size=200))
def test_any_text_at_all_leaves_no_tag_quote_or_hidden_sign(text: str) -> None:
    page = re.sub(r'</?span(?: class="hidden-sign")?>', "", escape_visibly(text))
    page = re.sub("(?<=[^\\x00-\\x7f])\u200d(?=[^\\x00-\\x7f])", "", page)  # pictures have tests of their own
    assert not set("<>\"'") & set(page)
    assert not [s for s in page if unicodedata.category(s) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} and s not in "\n\t"]


@pytest.mark.parametrize(
    ("sign", "name"),
    [("\x1b", "ESC"), ("\u202e", "RLO"), ("\u2066", "LRI"), ("\u200b", "ZERO WIDTH SPACE"), ("\ufeff", "BOM"),
     ("\x07", "BEL"), ("\u3164", "U+3164"), ("\U000e0041", "U+E0041"), ("\ue000", "U+E000"), ("\r", "CR"),
     ("\ud800", "U+D800"), ("\ufe0f", "U+FE0F"), ("\ufe00", "U+FE00"), ("\U000e0100", "U+E0100"),
     ("\u180b", "U+180B"), ("\u180f", "U+180F"), ("\U00016fe4", "U+16FE4"), ("\u034f", "U+034F")],
)  # fmt: skip
def test_signs_that_hide_or_reorder_are_named(sign: str, name: str) -> None:
    assert escape_visibly(f"a{sign}b") == f'a<span class="hidden-sign">{name}</span>b'
    assert show_visibly(f"a{sign}b") == f"a[{name}]b"


@pytest.mark.parametrize(
    "picture", ["👩🏽\u200d🚒", "👨\u200d👩\u200d👧", "❤\ufe0f\u200d🔥", "☺\ufe0e", "™\ufe0f", "1\ufe0f\u20e3"]
)
def test_pictures_joined_into_one_stay_one(picture: str) -> None:
    assert escape_visibly(f"a {picture}!") == f"a {picture}!"
    assert show_visibly(picture) == picture


@pytest.mark.parametrize("text", ["a\u200db", "🚒\u200db", "a\u200d🚒", "🚒\u200d\u200d🚒", "\u200d🚒"])
def test_joiners_that_join_no_two_pictures_are_named(text: str) -> None:
    assert "\u200d" not in escape_visibly(text)
    assert "\u200d" not in show_visibly(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("su\ufe0ficide", "su[U+FE0F]icide"), ("1\ufe0f0", "1[U+FE0F]0"), ("❤\ufe0f\ufe0f", "❤\ufe0f[U+FE0F]"),
     ("a\ufe0f\u200d🔥", "a[U+FE0F][ZWJ]🔥"), ("ok\U000e0100\U000e0148", "ok[U+E0100][U+E0148]")],
)  # fmt: skip
def test_choices_of_presentation_that_change_no_picture_are_named(text: str, shown: str) -> None:
    assert show_visibly(text) == shown


def test_a_long_run_of_hidden_signs_is_named_once_with_its_length() -> None:
    assert escape_visibly("\u200b" * 50_000) == (
        '<span class="hidden-sign">ZERO WIDTH SPACE \N{MULTIPLICATION SIGN}50000</span>'
    )


def test_line_ends_and_letters_of_all_scripts_stay() -> None:
    text = "ünï 日本 عربي\n\tab"
    assert escape_visibly(text) == text
    assert escape_visibly("a\r\nb") == "a\nb"


def test_a_line_of_100_kilobytes_is_rendered_whole() -> None:
    assert render_highlights("x" * 100_000, []).count("x") == 100_000 + "<div class='post-text'>".count("x")


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        (1.0, 'class="raises level-4"'),
        (0.5, 'class="raises level-3"'),
        (0.01, 'class="raises level-1"'),
        (-0.3, 'class="lowers level-2"'),
        (-1.0, 'class="lowers level-4"'),
    ],
)
def test_sign_and_strength_show_as_line_style_and_are_spoken(weight: float, expected: str) -> None:
    page = render_highlights("a long day", [(2, 6, weight)])
    assert expected in page
    assert f"({'raises' if weight > 0 else 'lowers'} the score" in page


def test_weight_zero_is_not_marked() -> None:
    assert "<mark" not in render_highlights("a long day", [(2, 6, 0.0)])


def test_spans_may_come_in_any_order_and_touch() -> None:
    page = render_highlights("abcd", [(2, 4, -1.0), (0, 2, 1.0)])
    assert re.findall(r'<mark class="(\w+) level-4">(\w+)', page) == [("raises", "ab"), ("lowers", "cd")]


@pytest.mark.parametrize(
    "span", [(-1, 2, 1.0), (0, 5, 1.0), (2, 2, 1.0), (3, 1, 1.0), (0, 1, 1.5), (0, 1, float("nan"))]
)
def test_spans_that_do_not_fit_are_refused(span: tuple[int, int, float]) -> None:
    with pytest.raises(ValueError, match="highlight"):
        render_highlights("abcd", [span])


def test_overlapping_spans_are_refused() -> None:
    with pytest.raises(ValueError, match="not overlap"):
        render_highlights("abcd", [(0, 3, 1.0), (2, 4, 1.0)])


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_post_in_a_notebook_comes_out_as_the_same_text(text: str) -> None:
    page = HighlightedPost(text, [(0, 4, 7.5), (4, len(text), -2.0)])._repr_html_()
    assert page == f"<style>{HIGHLIGHT_CSS}</style>" + render_highlights(text, [(0, 4, 1.0), (4, len(text), -2 / 7.5)])
    shown = page.removeprefix(f"<style>{HIGHLIGHT_CSS}</style>")
    shown = re.sub(r'<span class="for-screen-readers">.*?</span>|</?(?:div|mark|span)\b[^<>]*>', "", shown)
    assert "<" not in shown
    assert html.unescape(shown) == text


def test_the_style_sheet_for_notebooks_cannot_be_closed_by_itself() -> None:
    assert "<" not in HIGHLIGHT_CSS


@pytest.mark.parametrize(
    ("weights", "levels"),
    [
        ((3.0, 1.5), ["raises level-4", "raises level-3"]),
        ((-3.0, -0.3), ["lowers level-4", "lowers level-1"]),
        ((0.02, -0.01), ["raises level-4", "lowers level-3"]),
        ((1.7e308, -1.7e308), ["raises level-4", "lowers level-4"]),
        ((5e-324, -5e-324), ["raises level-4", "lowers level-4"]),
        ((0.0, 0.0), []),
        ((0.0, -9.0), ["lowers level-4"]),
    ],
)
def test_in_a_notebook_the_largest_weight_of_either_sign_is_the_strongest(
    weights: tuple[float, float], levels: list[str]
) -> None:
    page = HighlightedPost("a long day", [(2, 6, weights[0]), (7, 10, weights[1])])._repr_html_()
    assert re.findall(r'<mark class="([^"]+)"', page) == levels
    assert re.findall(r"\((raises|lowers) the score", page) == [level.split()[0] for level in levels]


def test_a_post_without_spans_is_shown_plain() -> None:
    assert HighlightedPost("a <b> day", [])._repr_html_().endswith(">a &lt;b&gt; day</div>")


def test_rows_of_a_table_are_spans_and_may_be_shown_twice() -> None:
    table = pd.DataFrame({"start": [2, 7], "end": [6, 10], "weight": [4.0, -1.0]})
    post = HighlightedPost("a long day", table.itertuples(index=False))
    assert post._repr_html_() == post._repr_html_()
    assert post.spans == ((2, 6, 1.0), (7, 10, -0.25))


def test_the_words_of_a_post_are_not_in_its_repr() -> None:
    assert "long" not in repr(HighlightedPost("a long day", [(2, 6, 1.0)]))


@pytest.mark.parametrize(
    "span", [(-1, 2, 9.0), (0, 5, 9.0), (2, 2, 9.0), (3, 1, 9.0), (0, 1, float("nan")), (0, 1, float("inf"))]
)
def test_spans_that_do_not_fit_are_refused_in_a_notebook_too(span: tuple[int, int, float]) -> None:
    with pytest.raises(ValueError, match="highlight"):
        HighlightedPost("abcd", [span])


def test_spans_of_two_heads_at_once_are_refused() -> None:
    with pytest.raises(ValueError, match="not overlap"):
        HighlightedPost("abcd", [(0, 3, 5.0), (0, 3, 2.0)])
