"""Controls are divided so that a first stage is judged on communities it has never seen."""

import numpy as np
import pandas as pd
import pytest

from screening.data.controls import divide_controls
from screening.exceptions import ConfigError

CONTROLS = pd.DataFrame(
    {
        "post_id": [f"c{i}" for i in range(600)],
        "control_kind": ["plain"] * 400 + ["emotional"] * 200,
        "community": [f"p{i % 8}" for i in range(400)] + [f"e{i % 3}" for i in range(200)],
    }
)


def divide(controls: pd.DataFrame = CONTROLS, *, fraction: float = 0.5, column: str | None = None) -> np.ndarray:
    rng = np.random.default_rng(3)
    return divide_controls(controls, training_fraction=fraction, group_column=column, rng=rng)


@pytest.mark.parametrize("fraction", [0.01, 0.3, 0.5, 0.99])
def test_no_group_stands_on_both_sides_and_every_kind_on_each(fraction: float) -> None:
    is_training = divide(fraction=fraction, column="community")
    learnt, counted = CONTROLS[is_training], CONTROLS[~is_training]
    assert not set(learnt["community"]) & set(counted["community"])
    assert set(learnt["control_kind"]) == set(counted["control_kind"]) == {"plain", "emotional"}


@pytest.mark.parametrize("seed", range(20))
def test_a_group_of_several_kinds_is_drawn_once_for_all_of_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups, kinds = rng.integers(0, 6, 300), rng.choice(["plain", "emotional"], 300)
    controls = pd.DataFrame({"control_kind": kinds, "community": [f"g{group}" for group in groups]})
    is_training = divide_controls(controls, training_fraction=0.5, group_column="community", rng=rng)
    assert set(controls["community"][is_training]).isdisjoint(controls["community"][~is_training])
    assert is_training.any()
    assert not is_training.all()


def test_groups_are_drawn_by_the_kind_that_most_of_their_posts_are_of() -> None:
    stray = CONTROLS.assign(control_kind=np.where(np.arange(600) % 50 == 0, "stray", CONTROLS["control_kind"]))
    assert (divide(stray, column="community") == divide(column="community")).all()


def test_single_posts_are_drawn_in_the_asked_share_of_each_kind() -> None:
    is_training = divide(fraction=0.3)
    assert is_training[:400].sum() == 120
    assert is_training[400:].sum() == 60


def test_the_same_seed_gives_the_same_division() -> None:
    assert (divide(column="community") == divide(column="community")).all()


def test_a_kind_of_one_group_is_only_counted_on() -> None:
    controls = CONTROLS.assign(community=np.where(CONTROLS["control_kind"] == "emotional", "e", CONTROLS["community"]))
    assert not divide(controls, column="community")[400:].any()


def test_an_absent_column_and_a_single_group_are_refused() -> None:
    with pytest.raises(ConfigError, match="columns present: control_kind, community"):
        divide(column="forum")
    with pytest.raises(ConfigError, match="at least two groups of community"):
        divide(CONTROLS.assign(community="one"), column="community")
