"""What can be measured on validation posts is asked for before a training."""

from pathlib import Path

import pandas as pd
import pytest

from screening.exceptions import ConfigError
from screening.training.evaluation import refuse_unmeasurable
from tests.unit.screening.training.small_training import TAXONOMY, fit, make_config


@pytest.mark.parametrize("labels", [["anxiety", "depression"], ["suicidewatch", "suicidewatch"]])
def test_average_precision_of_posts_alike_for_the_urgent_target_is_refused(labels: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"'suicidewatch'.*found \d of it among 2; enlarge data\.validation_fraction"):
        refuse_unmeasurable("average_precision", TAXONOMY, labels)


@pytest.mark.parametrize("best_by", ["macro_f1", "loss"])
def test_other_measures_need_no_post_of_the_target(best_by: str) -> None:
    refuse_unmeasurable(best_by, TAXONOMY, ["anxiety", "depression"])
    refuse_unmeasurable("average_precision", TAXONOMY, ["anxiety", "suicidewatch"])


def test_a_training_that_cannot_choose_its_epoch_does_not_begin(
    encoder: Path, posts: pd.DataFrame, tmp_path: Path
) -> None:
    without = posts[posts["label"] != "suicidewatch"]
    with pytest.raises(ConfigError, match="found 0 of it"):
        fit(make_config(encoder, best_by="average_precision"), posts, tmp_path / "run", validation=without)
    assert list((tmp_path / "run").iterdir()) == []
