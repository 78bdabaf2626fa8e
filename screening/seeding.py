"""One seed for every source of randomness, so that the same config and seed give the same numbers."""

import random

import numpy as np


def set_seed(seed: int) -> np.random.Generator:
    """Seed Python, NumPy and, where it is loaded already, torch.

    Parameters
    ----------
    seed : int
        Non-negative seed.

    Returns
    -------
    numpy.random.Generator
        A generator to hand to functions that take randomness as an argument.
    """
    import sys

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  third-party code (datasets, sklearn) reads the global state
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)
    return np.random.default_rng(seed)
