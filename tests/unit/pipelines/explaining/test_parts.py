"""Parts outlive an interruption, belong to one work, and are gone when it is done."""

from pathlib import Path

import pandas as pd
import pytest

from pipelines.explaining.parts import keep_parts
from screening.exceptions import ConfigError

TABLE = pd.DataFrame({"x": [1, 2]})


def refuse() -> pd.DataFrame:
    message = "this part is there already"
    raise AssertionError(message)


def work_and_stop(out: Path) -> None:
    with keep_parts(out, "work") as parts:
        parts.take("first", lambda: TABLE)
        raise KeyboardInterrupt


def test_a_finished_part_is_not_made_again_after_an_interruption(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    with pytest.raises(KeyboardInterrupt):
        work_and_stop(out)
    with keep_parts(out, "work") as parts:
        pd.testing.assert_frame_equal(parts.take("first", refuse), TABLE)
    assert list(tmp_path.iterdir()) == []


def test_parts_of_other_work_are_not_taken_and_stay(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    with pytest.raises(KeyboardInterrupt):
        work_and_stop(out)
    with keep_parts(out, "other") as parts:
        made = parts.take("first", lambda: TABLE.assign(x=0))
    assert made["x"].tolist() == [0, 0]
    with keep_parts(out, "work") as parts:
        pd.testing.assert_frame_equal(parts.take("first", refuse), TABLE)
    assert list(tmp_path.iterdir()) == []


def test_two_works_on_one_output_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    with keep_parts(out, "work"), pytest.raises(ConfigError, match="another process writes"), keep_parts(out, "work"):
        pass


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(ConfigError, match=r"cannot be written to: .*; name another output"),
        keep_parts(tmp_path / "file" / "out.parquet", "work"),
    ):
        pass
