from pathlib import Path

import pytest

from apps.review.components.guidelines import render_guidelines
from apps.review.components.keys import DECISION_KEYS
from apps.review.components.labels import label_decision, label_reasons, mark_post, to_percent
from apps.review.components.tables import describe_estimate, render_table
from apps.review.services.decisions import DECISIONS, DEFAULT_REASONS
from apps.review.services.guidelines import DEFAULT_FILE, MAX_CHARACTERS, read_guidelines
from screening.exceptions import ConfigError
from screening.types import Estimate, Interval


def test_every_decision_has_words_and_a_key_of_its_own_that_the_framework_leaves_free() -> None:
    assert set(DECISION_KEYS) == set(DECISIONS)
    assert len(set(DECISION_KEYS.values())) == len(DECISIONS)
    assert {"C", "R"}.isdisjoint(DECISION_KEYS.values())
    assert "Unknown" not in {label_decision(decision) for decision in DECISIONS}


def test_reasons_are_said_in_the_words_of_the_house_and_unknown_codes_stay() -> None:
    assert label_reasons(["farewell", "gone_by_now"], DEFAULT_REASONS) == "Farewell, gone_by_now"


def test_the_widgets_of_two_posts_have_different_names_whatever_their_ids_hold() -> None:
    names = {mark_post(post_id) for post_id in ("a", "A", "a ", "\ud800", "<a>", "")}
    assert len(names) == 6
    assert all(name.isalnum() for name in names)


@pytest.mark.parametrize(("value", "words"), [(0.0, "below 1%"), (0.01, "1%"), (0.99, "99%"), (0.991, "above 99%")])
def test_probabilities_are_never_written_as_certain(value: float, words: str) -> None:
    assert to_percent(value) == words


def test_an_estimate_is_written_with_its_interval_and_n() -> None:
    estimate = Estimate(value=0.25, interval=Interval(low=0.1, high=0.5), n_samples=1_200, split="audit")
    assert describe_estimate(estimate) == "25.0% (10.0% to 50.0%), n = 1,200"
    kappa = Estimate(value=-0.1, interval=Interval(low=-0.25, high=0.5), n_samples=8, split="twice read")
    assert describe_estimate(kappa, is_percent=False) == "−0.10 (−0.25 to 0.50), n = 8"


def test_cells_captions_and_headings_of_tables_are_escaped() -> None:
    table = render_table(["<i>"], [["<b>\u202e"]], caption="<u>")
    assert not any(tag in table for tag in ("<i>", "<b>", "<u>", "\u202e"))
    assert "&lt;b&gt;[RLO]" in table


def test_the_default_guideline_speaks_of_every_decision_and_of_the_reader() -> None:
    text = read_guidelines()
    assert all(f"# {label_decision(decision)}" in text for decision in DECISIONS)
    assert "# Look after yourself" in text
    assert render_guidelines(text).count("<h3>") == 6
    assert DEFAULT_FILE.is_file()


@pytest.mark.parametrize("content", [b"", b"   \n", b"\xff\xfe\x00", b"x" * (MAX_CHARACTERS + 1)])
def test_a_guideline_that_cannot_be_shown_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "house.txt"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"house\.txt"):
        read_guidelines(str(file))
