"""Whether two columns put the same things in the same order."""

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr


def compute_rank_correlation(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Compute Spearman's rank correlation, ties sharing their mean rank.

    Parameters
    ----------
    first, second : array-like of float, shape (n,)

    Returns
    -------
    float
        In [-1, 1]; NaN where either column has fewer than two different values.

    Raises
    ------
    ValueError
        If the columns differ in length.

    Examples
    --------
    >>> compute_rank_correlation([1, 2, 3], [10, 200, 3000])
    1.0
    """
    columns = [np.asarray(column, dtype=np.float64) for column in (first, second)]
    if columns[0].shape != columns[1].shape or columns[0].ndim != 1:
        message = f"expected two columns of one length, found shapes {columns[0].shape} and {columns[1].shape}"
        raise ValueError(message)
    if any(np.unique(column).size < 2 for column in columns):
        return float("nan")
    return float(spearmanr(*columns).statistic)
