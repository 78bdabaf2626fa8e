import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.data.cleaning import clean_text
from screening.data.perturbation import N_FIRST_WORDS, PERTURBATIONS, perturb_texts

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=200)
PIECES = st.sampled_from(
    ["I", "i'm", "i\u2019ve", "am", "was", "not", "never", "can't", "cannot", "My", "me", "\u0131", "want", "tired",
     "really", ".", "\n", "  ", "?", "\u00e9t\u00e9s", "myself", "😀", "don't", "won't"]
)  # fmt: skip
ENGLISH = st.lists(PIECES, max_size=30).map(" ".join)


def change(name: str, text: str, seed: int = 0) -> str | None:
    return PERTURBATIONS[name].apply(text, np.random.default_rng(seed))


@pytest.mark.parametrize("name", PERTURBATIONS)
@given(text=ANY_TEXT | ENGLISH, seed=st.integers(0, 99))
def test_any_text_is_changed_or_left_out_and_always_in_the_same_way(name: str, text: str, seed: int) -> None:
    changed = change(name, text, seed)
    assert changed == change(name, text, seed)
    assert changed != text
    assert changed is None or changed.strip()


@given(text=ENGLISH.filter(str.strip))
def test_a_post_that_can_be_scored_still_can_after_a_change(text: str) -> None:
    for perturbation in PERTURBATIONS.values():
        changed = perturbation.apply(clean_text(text), np.random.default_rng(0))
        assert changed is None or clean_text(changed)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("negation_inserted", "I want to sleep and i'm sad", "I don't want to sleep and i'm not sad"),
        ("negation_inserted", "I\u2019ve gone, I can go", "I\u2019ve not gone, I can not go"),
        ("negation_inserted", "I can't go, I am not here, I cannot stay", None),
        ("negation_inserted", "She wants to sleep", None),
        ("negation_dropped", "I can't go, it isn't fair and I won't stay", "I can go, it is fair and I will stay"),
        ("negation_dropped", "I have never been here, I cannot say why", "I have been here, I can say why"),
        ("negation_dropped", "I DON\u2019T know", "I DO know"),
        ("negation_dropped", "A note on knots", None),
        ("third_person", "I was small. I'm not. My dog saw me", "They were small. They're not. Their dog saw them"),
        ("third_person", "So i am, and am I?", "So they are, and are they?"),
        ("third_person", "ive hurt myself, i.e. it is mine", "They've hurt themselves, i.e. it is theirs"),
        ("third_person", "Time is image, item, amigo", None),
        ("quoted", "So tired", 'A friend wrote: "So tired"'),
        ("quoted", " ", None),
        ("first_half", "one two\nthree four five", "one two"),
        ("first_half", "one", None),
        ("first_words", " ".join(["word"] * N_FIRST_WORDS), None),
        ("first_words", "a\n" + "word " * 99, "a\n" + " ".join(["word"] * (N_FIRST_WORDS - 1))),
        ("typos", "so it is", None),
    ],
)  # fmt: skip
def test_rules_do_what_they_say(name: str, text: str, expected: str | None) -> None:
    assert change(name, text) == expected


@given(seed=st.integers(0, 10_000))
def test_typos_swap_or_drop_one_inner_letter_of_long_words_and_touch_nothing_else(seed: int) -> None:
    words = ["so", "letters", "are", "moved", "1234", "aaaa"]
    changed = (change("typos", " ".join(words), seed) or "").split(" ")
    assert len(changed) == len(words)
    for word, other in zip(words, changed, strict=True):
        if word in {"so", "are", "1234"}:
            assert other == word
            continue
        one_dropped = {word[:i] + word[i + 1 :] for i in range(1, len(word))}
        swapped = {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(1, len(word) - 1)}
        assert other in {word} | one_dropped | swapped


def test_about_a_tenth_of_long_words_get_a_typo() -> None:
    words = ["abcdefgh"] * 20_000
    changed = (change("typos", " ".join(words)) or "").split(" ")
    share = np.mean([word != "abcdefgh" for word in changed])
    assert abs(share - 0.1) < 0.01  # standard error .002


def test_what_happens_to_a_text_does_not_depend_on_the_texts_before_it() -> None:
    typos = PERTURBATIONS["typos"]
    texts = ["nothing matters here", "another sleepless night", "so"]
    together = dict(perturb_texts(texts, typos, seed=3))
    assert dict(perturb_texts(["something else entirely", *texts[1:]], typos, seed=3))[1] == together[1]
    assert list(together) == [0, 1]
    assert together != dict(perturb_texts(texts, typos, seed=4))
