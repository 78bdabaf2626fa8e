from pathlib import Path

import pytest

from screening.whole_writes import remove_leftovers, write_folder_whole


def fill(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "a").write_text(text, encoding="utf-8")
    return folder


def read_all(parent: Path) -> dict[str, str]:
    return {path.parent.name: path.read_text(encoding="utf-8") for path in parent.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", [".out.part", ".out.old"])
def test_what_a_kill_left_beside_a_good_folder_is_removed(name: str, tmp_path: Path) -> None:
    folder = fill(tmp_path / "out", "good")
    fill(tmp_path / name, "left")
    remove_leftovers(folder)
    assert read_all(tmp_path) == {"out": "good"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_only_copy_left_between_two_renames_gets_its_name_back(tmp_path: Path) -> None:
    fill(tmp_path / ".out.old", "before")
    fill(tmp_path / ".out.part", "after")
    remove_leftovers(tmp_path / "out")
    assert read_all(tmp_path) == {"out": "before"}


def test_a_call_that_fails_after_a_kill_between_two_renames_loses_nothing(tmp_path: Path) -> None:
    fill(tmp_path / ".out.old", "before")
    with pytest.raises(ZeroDivisionError), write_folder_whole(tmp_path / "out"):
        _ = 1 / 0
    assert read_all(tmp_path) == {"out": "before"}


def test_without_leftovers_nothing_changes(tmp_path: Path) -> None:
    folder = fill(tmp_path / "out", "good")
    remove_leftovers(folder)
    remove_leftovers(tmp_path / "other")
    assert read_all(tmp_path) == {"out": "good"}


def test_a_folder_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    fill(tmp_path / "out", "before")
    fill(tmp_path / ".out.part", "left")
    with write_folder_whole(tmp_path / "out") as aside:
        (aside / "a").write_text("after", encoding="utf-8")
    assert read_all(tmp_path) == {"out": "after"}
