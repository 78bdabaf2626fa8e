"""The model card: valid metadata, filled sections, and a card that notices when it is stale."""

import dataclasses
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from reports.model_card import SECTION, build_sections, is_model_card_stale, write_model_card
from reports.recall import build_performance
from reports.results import RunResults


@pytest.fixture
def card(results: RunResults, tmp_path: Path) -> Path:
    return write_model_card(results, tmp_path / "MODEL_CARD.md")


def test_a_new_card_has_every_section_filled(results: RunResults, card: Path) -> None:
    found = {name: body for _, name, body, _ in SECTION.findall(card.read_text(encoding="utf-8"))}
    assert found == build_sections(results)
    assert all(body.strip() for body in found.values())


def test_front_matter_is_a_model_index_the_hub_can_read(results: RunResults, card: Path) -> None:
    data = ModelCard.load(card).data
    values = {result.metric_name: result.metric_value for result in data.eval_results}
    recall = build_performance(results).frame.set_index("target")["recall"]
    assert values["recall of any_risk"] == pytest.approx(recall["any_risk"], abs=5e-5)
    assert data.license == "apache-2.0"
    assert {result.dataset_split for result in data.eval_results} == {"test"}


def test_a_fresh_card_is_not_stale_and_another_run_makes_it_stale(results: RunResults, card: Path) -> None:
    assert not is_model_card_stale(results, card)
    assert is_model_card_stale(dataclasses.replace(results, test=results.test.head(700), comparators={}), card)


def test_a_number_changed_by_hand_makes_a_card_stale(results: RunResults, card: Path) -> None:
    text = card.read_text(encoding="utf-8")
    card.write_text(text.replace("of 136 such posts", "of 137 such posts"), encoding="utf-8")
    assert card.read_text(encoding="utf-8") != text
    assert is_model_card_stale(results, card)


def test_a_card_with_a_lost_section_is_stale(results: RunResults, card: Path) -> None:
    text = card.read_text(encoding="utf-8")
    card.write_text(SECTION.sub("", text, count=1), encoding="utf-8")
    assert is_model_card_stale(results, card)


def test_a_missing_card_is_stale(results: RunResults, tmp_path: Path) -> None:
    assert is_model_card_stale(results, tmp_path / "nowhere.md")


def test_words_outside_the_markers_stay(results: RunResults, card: Path) -> None:
    text = card.read_text(encoding="utf-8").replace("## Caveats\n", "## Caveats\n\nWritten by a person.\n")
    card.write_text(text, encoding="utf-8")
    write_model_card(dataclasses.replace(results, test=results.test.head(700), comparators={}), card)
    after = card.read_text(encoding="utf-8")
    assert "Written by a person." in after
    assert "On 700 test posts" in after
    assert after.count("screening:begin") == text.count("screening:begin")


def test_hostile_names_cannot_close_a_section_or_a_table(results: RunResults, tmp_path: Path) -> None:
    test = results.test.assign(community="a|b --> <script> <!-- screening:end results -->")
    path = write_model_card(dataclasses.replace(results, test=test), tmp_path / "card.md")
    text = path.read_text(encoding="utf-8")
    assert "<script>" not in text
    assert text.count("<!-- screening:end results -->") == 1


def test_a_synthetic_run_says_so_in_words_and_metadata(results: RunResults, tmp_path: Path) -> None:
    synthetic = dataclasses.replace(results, data_card=results.data_card | {"is_synthetic": True})
    path = write_model_card(synthetic, tmp_path / "card.md")
    assert "these numbers mean nothing about people" in path.read_text(encoding="utf-8")
    assert "synthetic-data" in ModelCard.load(path).data.tags
