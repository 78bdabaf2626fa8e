"""Direct identifiers leave a post, the rest of it stays as it is, and hostile posts cost no more than others."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.data import deidentify
from screening.data.deidentify import KINDS, remove_identifiers, validate_region
from screening.exceptions import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write to jo.doe+x@mail.example.org.", "write to [e-mail]."),
        ("see https://example.org/a?b=c&d, really", "see [link], really"),
        ("[my page](http://example.org/me) (www.example.org)", "[my page]([link]) ([link])"),
        ("I am on instagram.com/some.one!", "I am on [link]!"),
        ("my blog is someone.tumblr.com.", "my blog is [link]."),
        ("youtu.be/abc and bbc.co.uk/news", "[link] and [link]"),
        ("thanks u/some_one, /u/Other-1 and /user/third", "thanks [user], [user] and [user]"),
        ("see./u/name, r/u_someone, hi.@bob", "see.[user], [user], hi.[user]"),
        ("@someone said so. (@other.one)", "[user] said so. ([user])"),
        ("call 202-456-1111 or (202) 456-1414", "call [phone] or [phone]"),
        ("+44 20 7031 3000", "[phone]"),
        ("mailto:a@b.example and a@b.example,c@d.example", "mailto:[e-mail] and [e-mail],[e-mail]"),
        ("https://a:b@example.org/c", "[link]"),
    ],
)
def test_identifiers_are_replaced_by_their_kind(text: str, expected: str) -> None:
    assert remove_identifiers(text, region="US")[0] == expected


@pytest.mark.parametrize(
    "text",
    [
        "r/depression and/or e.g. 3/4, at 5am on 2013-08-15 12:30, 100 000 000 times",
        "me@home, @ noon, @@, u/ and /u/ and menu/food, 24/7",
        "so tired... no sleep. None.At all",
        "tired.he/she left, I quit.and/or Mon.Tues/Wed, help.me user/password @5pm",
        "😀 مرحبا 12 34",
        "",
    ],
)
def test_what_identifies_nobody_stays(text: str) -> None:
    assert remove_identifiers(text, region="US") == (text, {})


def test_every_kind_is_counted() -> None:
    text = "a@b.example c@d.example www.example.org u/some @one +41 44 668 18 00"
    assert remove_identifiers(text)[1] == {"e-mail": 2, "link": 1, "user": 2, "phone": 1}
    assert set(remove_identifiers(text)[1]) == set(KINDS)


def test_a_number_without_its_country_needs_the_region() -> None:
    assert remove_identifiers("202-456-1111")[0] == "202-456-1111"
    assert remove_identifiers("020 7031 3000", region="GB")[0] == "[phone]"


@given(st.text(alphabet="ab1 @./:u-_+()\n", max_size=60))
def test_a_second_time_changes_nothing(text: str) -> None:
    once, _ = remove_identifiers(text, region="US")
    assert remove_identifiers(once, region="US")[0] == once


@pytest.mark.parametrize(
    "unit", ["a", "a.", "a@", "@", "1", "1 ", "+1 ", "(1", "u/", "a-", "https://", "www.", "a.aa/", "202-456-1111 "]
)
def test_time_grows_with_the_post_and_not_with_its_square(unit: str) -> None:
    def measure(n: int) -> float:
        text = unit * (n // len(unit))
        started = time.process_time()
        remove_identifiers(text, region="US")
        return time.process_time() - started

    measure(1_000)  # imports
    assert measure(80_000) < 16 * max(measure(20_000), 0.02)  # four times the text; a square would be 16 times and more


def test_unknown_regions_and_a_missing_package_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for region in ("us", "XX", "England"):
        with pytest.raises(ConfigError, match="two capital letters"):
            validate_region(region)
    monkeypatch.setattr(deidentify, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"\.\[deidentify\]"):
        remove_identifiers("a post")
