"""A share of the controls as a class of their own, so that a classifier has met posts from elsewhere."""

import numpy as np
import pandas as pd

from screening.config import DataConfig
from screening.data.controls import divide_controls
from screening.data.splitting import carve_splits, share_splits
from screening.exceptions import ConfigError
from screening.taxonomy import Taxonomy


def assign_background(
    posts: pd.DataFrame, config: DataConfig, taxonomy: Taxonomy, rng: np.random.Generator
) -> pd.DataFrame:
    """Give a share of the controls the background label, and divide them among the splits.

    Parameters
    ----------
    posts : DataFrame
        ``split`` (``controls`` for controls) and ``label`` (of controls: their kind); duplicates are gone.
    config : DataConfig
        Its ``background`` is set. The three fractions are those of all posts.
    taxonomy : Taxonomy
    rng : numpy.random.Generator

    Returns
    -------
    DataFrame
        The same posts in the same order. All four splits get some, also those the source fixes: a test split without
        the class could not tell how often it is right.

    Raises
    ------
    ConfigError
        If there are no controls, the label is not in the taxonomy or belongs to a risk target, or the group column is
        absent.
    SchemaError
        If there are too few controls for all splits.
    """
    background = config.background
    assert background is not None  # noqa: S101  # asked for by the caller
    _validate_label(background.label, taxonomy)
    controls = posts[posts["split"] == "controls"].rename(columns={"label": "control_kind"})
    if controls.empty:
        message = "data.background makes a class of controls, and there are none; name a file of them in data.controls"
        raise ConfigError(message)
    is_drawn = divide_controls(
        controls,
        training_fraction=background.fraction,
        group_column=background.group_column,
        rng=rng,
        setting="data.background.group_column",
    )
    drawn = controls[is_drawn]
    shares = share_splits(("train", "validation", "calibration", "test"), config)
    learnt = posts.copy()
    learnt.loc[drawn.index, "split"] = carve_splits(drawn["control_kind"], None, shares, rng)
    learnt.loc[drawn.index, "label"] = background.label
    return learnt


def _validate_label(label: str, taxonomy: Taxonomy) -> None:
    if label not in taxonomy.names:
        message = (
            f"data.background.label names {label!r}, and taxonomy {taxonomy.name} has {', '.join(taxonomy.names)}; "
            "add it there, or for the five communities set data.taxonomy=mh5_elsewhere"
        )
        raise ConfigError(message)
    targets = [target.name for target in taxonomy.targets if label in target.labels]
    if targets:
        message = (
            f"data.background.label {label!r} belongs to the risk target {targets[0]}; posts from elsewhere do not"
        )
        raise ConfigError(message)
