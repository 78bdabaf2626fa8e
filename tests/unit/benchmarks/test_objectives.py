import argparse
import dataclasses
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from objectives import Cell, append_results, list_open, read_results, select_current

from screening.objectives import PRESETS
from screening.taxonomy import load_taxonomy

TAXONOMIES = ("emotion6", "empathetic32", "goemotions27", "mh5", "sst5")
CONFIGS = Path(__file__).parents[3] / "pipelines" / "configs"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go into a folder that has the shipped configurations and nothing else."""
    shutil.copytree(CONFIGS, tmp_path / "pipelines" / "configs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_line(cell: Cell, name: str | None = None) -> dict[str, Any]:
    return {"data": cell.data, "system": name or cell.system, "seed": cell.seed, "digest": cell.digest}


def test_a_changed_value_of_the_shipped_configuration_makes_another_cell(checkout: Path) -> None:
    cell = Cell("emotion", "cross_entropy", 0)
    before = cell.digest
    path = checkout / "pipelines" / "configs" / "emotion.yaml"
    changed = path.read_text(encoding="utf-8").replace("ema_decay: 0.99", "ema_decay: 0.98")
    path.write_text(changed, encoding="utf-8")
    assert cell.digest != before


@pytest.mark.usefixtures("checkout")
def test_cells_of_one_system_share_a_digest_and_differ_from_other_systems_and_changes() -> None:
    cell = Cell("emotion", "cmhl", 0)
    others = (
        Cell("emotion", "tfidf", 0),  # the same configuration, which the word model does not read
        Cell("reddit2013", "cmhl", 0),
        Cell("emotion", "cmhl", 0, ("training.ema_decay=null",)),
    )
    assert Cell("emotion", "cmhl", 1).digest == cell.digest
    assert cell.digest not in {other.digest for other in others}


@pytest.mark.usefixtures("checkout")
def test_a_student_is_another_cell_when_its_teachers_are(monkeypatch: pytest.MonkeyPatch) -> None:
    student = Cell("emotion", "distilled, 4 epochs, averaged", 0)
    before = student.digest
    monkeypatch.setattr("objectives_cells.LAST_WEIGHTS", ("training.ema_decay=0.5",))
    assert student.digest != before


@pytest.mark.usefixtures("checkout")
def test_presets_and_taxonomies_are_those_of_the_finished_cells() -> None:
    """A cell's digest knows a preset and a taxonomy by name alone.

    Whoever changes what a name stands for gives the cells another digest in ``Cell.digest``, such as a number beside
    the system, so that no finished line is taken for one of the new settings; then the digests here.
    """
    presets = [dataclasses.asdict(PRESETS[name]) for name in sorted(PRESETS)]
    taxonomies = [load_taxonomy(name).model_dump(mode="json", exclude_defaults=True) for name in TAXONOMIES]
    digests = [hashlib.sha256(json.dumps(known).encode()).hexdigest()[:8] for known in (presets, taxonomies)]
    assert digests == ["9b63e502", "e3a66597"]


@pytest.mark.usefixtures("checkout")
def test_a_line_of_other_settings_stays_out_of_the_table() -> None:
    current = Cell("emotion", "gru", 0)
    other = Cell("emotion", "gru", 0, ("training.epochs=1",))
    assert select_current([make_line(other), make_line(current)]) == [make_line(current)]


def test_a_line_cut_off_by_a_kill_is_left_out_and_spoils_no_line_after_it(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    append_results(path, [{"seed": 0}])
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"seed": 1})[:5])
    append_results(path, [{"seed": 2}])
    assert read_results(path) == [{"seed": 0}, {"seed": 2}]


def test_cells_are_open_until_all_their_lines_are_written(checkout: Path) -> None:
    results = checkout / "results.jsonl"
    options = argparse.Namespace(data=["emotion"], systems=["cmhl", "tfidf"], seeds=[0, 1], results=results)
    cells = {(cell.system, cell.seed): cell for cell in list_open(options)}
    assert set(cells) == {("cmhl", 0), ("tfidf", 0), ("cmhl", 1), ("tfidf", 1)}
    append_results(results, [make_line(cells["tfidf", 0]), make_line(cells["cmhl", 0])])
    append_results(results, [make_line(cells["cmhl", 1], name) for name in ("cmhl", "cmhl + tfidf")])
    assert [(cell.system, cell.seed) for cell in list_open(options)] == [("cmhl", 0), ("tfidf", 1)]
