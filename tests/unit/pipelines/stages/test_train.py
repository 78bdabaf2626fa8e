"""What the train stage refuses before anything is trained."""

from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from pipelines.artifacts import RunFolder
from pipelines.run import RunContext
from pipelines.stages import train
from screening.config import load_config
from screening.exceptions import ConfigError
from tests.unit.pipelines.conftest import TAXONOMY, make_posts


@pytest.fixture
def prepared(tmp_path: Path) -> RunContext:
    folder = RunFolder(tmp_path / "runs" / "r")
    folder.data.mkdir(parents=True)
    for split in ("train", "validation", "calibration", "test"):
        make_posts(10, split).to_parquet(folder.split(split))
    settings = (f"output_dir={tmp_path / 'runs'}", "name=r", f"pretraining.path={tmp_path / 'rated.csv'}")
    return RunContext(load_config(overrides=list(settings)), TAXONOMY, folder, Console(quiet=True))


def _write_ratings(context: RunContext, texts: list[str]) -> None:
    known = [f"somebody else said {i}" for i in range(20)]
    table = pd.DataFrame({"text": [*known, *texts], "valence": 2, "arousal": 3})
    table.to_csv(context.config.pretraining.path, index=False)


@pytest.mark.parametrize("split", ["validation", "calibration", "test"])
def test_rated_sentences_that_are_posts_of_a_split_not_to_be_learnt_from_are_refused(
    prepared: RunContext, split: str
) -> None:
    texts = make_posts(10, split)["text"].tolist()
    _write_ratings(prepared, [texts[2].replace(" ", "  "), texts[7].replace("'", "&#39;")])
    with pytest.raises(ConfigError, match=rf"pretraining\.path: posts that .* \(2 of {split}\); remove") as refused:
        train.run(prepared)
    assert texts[2][:10] not in str(refused.value)
    assert not prepared.folder.checkpoints.exists()


def test_rated_sentences_that_are_training_posts_or_none_are_let_through(
    prepared: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Reached(Exception):  # noqa: N818  stands for the training itself
        pass

    def stop() -> None:
        raise Reached

    monkeypatch.setattr(train, "start_training", stop)
    _write_ratings(prepared, make_posts(10, "train")["text"].tolist())
    with pytest.raises(Reached):
        train.run(prepared)
