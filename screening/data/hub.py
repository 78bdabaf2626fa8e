"""Data sets of the Hugging Face hub, read with the user's own token."""

import pandas as pd

from screening.exceptions import DataAccessError


def read_hub_tables(hub_id: str, *, how_to_get: str) -> dict[str, pd.DataFrame]:
    """Download a data set of the hub and return one raw table per split.

    Parameters
    ----------
    hub_id : str
        Data set id such as ``"AIMH/SWMH"``. The token comes from ``HF_TOKEN`` or an earlier ``hf auth login``.
    how_to_get : str
        What the user can do when the data set is not reachable; ends the error message.

    Returns
    -------
    dict of str to pandas.DataFrame
        Object columns; class labels are given by name.

    Raises
    ------
    DataAccessError
        If the hub is not reachable, the data set does not exist, or its terms have not been accepted.
    """
    import datasets

    try:
        loaded = datasets.load_dataset(hub_id)
    except Exception as error:  # network, token, gate and format errors of three libraries share no base class
        message = f"data set {hub_id} could not be loaded from the hub ({type(error).__name__}); {how_to_get}"
        raise DataAccessError(message) from error
    return {str(name): _convert_split(split) for name, split in loaded.items()}


def _convert_split(split: "datasets.Dataset") -> pd.DataFrame:  # type: ignore[name-defined]  # noqa: F821
    table = split.to_pandas().astype(object)
    for name, feature in split.features.items():
        if hasattr(feature, "int2str"):
            table[name] = [
                feature.int2str(int(value)) if value is not None and value >= 0 else None for value in table[name]
            ]
    return table
