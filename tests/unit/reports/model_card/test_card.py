"""The model card: valid metadata, filled sections, and a card that notices when it is stale."""

import dataclasses
import re
from pathlib import Path

import pytest
from huggingface_hub import ModelCard, ModelCardData

from reports.model_card.card import (
    BLOCK,
    SECTION,
    is_model_card_stale,
    read_sections,
    render_model_card,
    restore_sections,
    start_card,
    strip_sections,
    write_model_card,
)
from reports.model_card.metadata import build_metadata
from reports.model_card.sections import CARD_FORMAT, build_card_sections
from reports.results import RunResults
from reports.sections.recall import build_performance

ROOT = Path(__file__).resolve().parents[4]
SHAPE = Path(__file__).with_name("model_card_shape.md")
REBUILD = (
    "the root card was written by other code: run `screening report --config reddit2013 --force` in a folder with "
    "that run, and copy runs/reddit2013/MODEL_CARD.md over MODEL_CARD.md"
)


@pytest.fixture(scope="module")
def written(results: RunResults, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The card of the made run, written once."""
    return write_model_card(results, tmp_path_factory.mktemp("card") / "MODEL_CARD.md").read_text(encoding="utf-8")


@pytest.fixture
def card(written: str, tmp_path: Path) -> Path:
    path = tmp_path / "MODEL_CARD.md"
    path.write_text(written, encoding="utf-8")
    return path


def test_a_new_card_has_every_section_filled(results: RunResults, written: str) -> None:
    found = read_sections(written)
    assert found == build_card_sections(results)
    assert all(body.strip() for body in found.values())


def test_front_matter_comes_back_from_the_hubs_own_reader_as_it_was_written(results: RunResults, card: Path) -> None:
    made = build_metadata(results)
    read = ModelCard.load(card).data
    assert isinstance(read, ModelCardData)
    assert read.to_dict() == made.to_dict()
    assert read.to_yaml() == made.to_yaml()
    assert read.eval_results == made.eval_results


def test_the_model_index_has_the_shape_and_the_numbers_of_the_report(results: RunResults, card: Path) -> None:
    (index,) = ModelCard.load(card).data.to_dict()["model-index"]
    assert index["name"] == "screener-made"
    (entry,) = index["results"]
    assert entry["task"] == {"type": "text-classification"}
    assert entry["dataset"] == {"name": "reddit2013", "type": "reddit2013", "split": "test"}
    metrics = {metric["name"]: metric for metric in entry["metrics"]}
    for row in build_performance(results).frame.to_dict("records"):
        for words, column in (("recall", "recall"), ("precision", "ppv")):
            metric = metrics[f"{words} of {row['target']} at its promised threshold"]
            assert metric["type"] == words
            assert metric["value"] == pytest.approx(row[column], abs=5e-5)
            assert metric["args"]["interval_95_low"] == pytest.approx(row[f"{column}_low"], abs=5e-5)
            assert metric["args"]["n"] == row[f"{column}_n"]
    assert {metric["type"] for metric in entry["metrics"]} == {"recall", "precision", "accuracy", "f1"}


def test_a_run_without_promise_has_valid_metadata(results: RunResults) -> None:
    data = build_metadata(dataclasses.replace(results, operating_points=(), comparators={}))
    read = ModelCardData(**data.to_dict())
    assert read.eval_results is not None
    assert {result.metric_type for result in read.eval_results} == {"accuracy", "f1"}


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


@pytest.mark.parametrize("lost", [("robustness",), ("checks", "audit", "tripod"), ("summary",), ("crisis",)])
def test_lost_sections_are_put_back_in_their_place_with_their_headings(lost: tuple[str, ...]) -> None:
    whole = start_card("made").replace("## Caveats\n", "## Caveats\n\nWritten by a person.\n")
    text = whole
    for block in BLOCK.finditer(whole):
        if block[1] in lost:
            text = text.replace(block[0], "", 1)
    assert read_sections(text).keys() == read_sections(whole).keys() - set(lost)
    if lost == ("summary",):  # nothing stands before it: it is put at the end
        assert read_sections(restore_sections(text, "made")).keys() == read_sections(whole).keys()
    else:
        assert restore_sections(text, "made") == whole
    assert restore_sections(whole, "made") == whole


def test_a_missing_card_is_stale(results: RunResults, tmp_path: Path) -> None:
    assert is_model_card_stale(results, tmp_path / "nowhere.md")


def test_words_outside_the_markers_stay(results: RunResults, written: str) -> None:
    text = written.replace("## Caveats\n", "## Caveats\n\nWritten by a person.\n")
    after = render_model_card(dataclasses.replace(results, test=results.test.head(700), comparators={}), text)
    assert "Written by a person." in after
    assert "On 700 test posts" in after
    assert strip_sections(after) == strip_sections(text)


def test_hostile_names_cannot_close_a_section_or_a_table(results: RunResults) -> None:
    test = results.test.assign(community="a|b --> <script> <!-- screening:end results -->")
    hostile = dataclasses.replace(results, test=test, comparators={})
    text = render_model_card(hostile, start_card("<script>"))
    assert "<script>" not in text
    assert text.count("<!-- screening:end results -->") == 1


def test_a_synthetic_run_says_so_in_words_and_metadata(results: RunResults, tmp_path: Path) -> None:
    card = results.data_card | {"is_synthetic": True}
    path = write_model_card(dataclasses.replace(results, data_card=card, comparators={}), tmp_path / "card.md")
    assert "these numbers mean nothing about people" in path.read_text(encoding="utf-8")
    assert "synthetic-data" in ModelCard.load(path).data.tags


def describe_shape(text: str) -> str:
    """What of a card does not depend on a run's numbers: sections, titles, headings of tables, words without digits."""
    lines, before = [], ""
    for line in text.splitlines():
        is_row = line.startswith("|") and before.startswith("|")
        if not is_row:
            lines.append(re.sub(r"\d[\d.,:]*", "0", line))
        before = line
    return "\n".join(lines) + "\n"


def describe_card(results: RunResults) -> str:
    body = "".join(f"=== {name}\n{body}" for name, body in build_card_sections(results).items())
    return f"Card format {CARD_FORMAT}\n{describe_shape(body)}"


def test_the_shape_of_a_card_changes_only_together_with_the_card_format(results: RunResults) -> None:
    """What cards say is written down in one file: read the difference, raise CARD_FORMAT, then renew the file.

    Renew: ``python -m tests.unit.reports.model_card.test_card``.
    """
    told = "read the difference, raise CARD_FORMAT, renew the shape, and write the root card anew (docs/model-card.md)"
    assert describe_card(results) == SHAPE.read_text(encoding="utf-8"), told


@pytest.fixture(scope="module")
def root_card() -> str:
    return (ROOT / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_the_root_card_was_written_by_the_present_code(root_card: str) -> None:
    assert f"- Card format: {CARD_FORMAT}\n" in read_sections(root_card).get("training", ""), REBUILD


def test_the_root_card_has_every_section_in_place_and_no_other_and_none_empty(root_card: str) -> None:
    written = iter(strip_sections(root_card).splitlines())  # with words of ours between
    assert all(line in written for line in start_card("reddit2013").splitlines()), REBUILD
    sections = read_sections(root_card)
    assert set(sections) == set(read_sections(start_card("reddit2013")))
    assert all(body.strip() for body in sections.values())


def test_the_root_cards_metadata_are_valid_and_say_what_its_tables_say(root_card: str) -> None:
    data = ModelCard(root_card).data
    assert data.to_dict()["model-index"][0]["name"] == "screener-reddit2013"
    results = read_sections(root_card)["results"]
    for result in data.eval_results:
        if result.metric_type in ("recall", "precision"):
            assert f"{100 * result.metric_value:.1f}%" in results


def test_the_root_card_is_that_of_the_run_it_names_where_the_run_is_here(root_card: str) -> None:
    """Figures come from a run that is not in the repository: elsewhere the three tests above are all there is."""
    from rich.console import Console

    from pipelines.artifacts import RunFolder
    from pipelines.run import RunContext
    from pipelines.run_results import load_results
    from screening.config import load_config
    from screening.taxonomy import load_taxonomy

    folder = RunFolder(ROOT / "runs" / "reddit2013")
    record = folder.read_record()
    if record is None or "evaluate" not in record.stages:
        pytest.skip("the run reddit2013 is not here, or not evaluated")
    config = load_config(folder.config)
    context = RunContext(config, load_taxonomy(config.data.taxonomy), folder, Console(quiet=True))
    assert not is_model_card_stale(load_results(context), ROOT / "MODEL_CARD.md"), REBUILD


if __name__ == "__main__":
    from tests.unit.reports.conftest import make_results

    SHAPE.write_text(describe_card(make_results()), encoding="utf-8")
