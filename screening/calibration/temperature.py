"""Temperature scaling: one number that makes probabilities as confident as they are right."""

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy.special import log_softmax, softmax

from screening.exceptions import NotCalibratedError
from screening.metrics.validation import validate_classes
from screening.types import Record

MIN_TEMPERATURE = 0.1
MAX_TEMPERATURE = 10.0


class TemperatureScaling(Record):
    """A fitted temperature: ``softmax(logits / temperature)``.

    Attributes
    ----------
    temperature : float
        Above 1 the model was over-confident, below 1 under-confident.
    n_samples : int
        Posts it was fitted on; 0 for the identity.
    is_capped : bool
        Whether the best value lies outside ``[0.1, 10]``: the posts were all classified right (nothing says how far
        confidence may rise) or no better than by chance.
    """

    temperature: float = Field(gt=0, allow_inf_nan=False)
    n_samples: int = Field(ge=0)
    is_capped: bool = False

    def compute_probabilities(self, logits: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Compute probabilities in double precision, whatever the precision of the logits.

        Parameters
        ----------
        logits : array-like, shape (n_posts, n_classes)
            Finite values before softmax.

        Returns
        -------
        ndarray of float64, shape (n_posts, n_classes)
            In [0, 1]; rows sum to 1; classes keep the order of their logits. No rows for no posts.

        Examples
        --------
        >>> TemperatureScaling(temperature=2, n_samples=0).compute_probabilities([[0.0, 0.0]]).tolist()
        [[0.5, 0.5]]
        """
        values = _validate_logits(logits)
        probabilities: npt.NDArray[np.float64] = softmax(values / self.temperature, axis=1)
        return probabilities


def fit_temperature(logits: npt.ArrayLike, y_true: npt.ArrayLike) -> TemperatureScaling:
    """Fit the temperature that minimises the log loss.

    Use the validation split: the calibration split stays untouched for thresholds. Scaling changes no class ranking
    within a post, but it changes the order of posts by risk score, so fit it before any threshold.

    Parameters
    ----------
    logits : array-like, shape (n_posts, n_classes)
        Finite values before softmax, at least two classes.
    y_true : array-like of int, shape (n_posts,)
        True class indices; a class may be missing, but not all but one.

    Returns
    -------
    TemperatureScaling
        With the temperature held within [0.1, 10]; ``is_capped`` says when a bound was met.

    Raises
    ------
    NotCalibratedError
        If the posts hold fewer than two classes or the logits are the same for every class: no temperature is better
        than another, or a meaningless one is best.
    ValueError
        If shapes, types or values are wrong.

    Notes
    -----
    The loss is convex in ``1 / temperature`` (Guo et al. 2017, arXiv:1706.04599), so a bounded scalar search finds the
    minimum. scikit-learn's ``CalibratedClassifierCV(method="temperature")`` minimises the same loss and is the oracle
    of our tests; it is not called because it takes logits in [0, 1] whose rows sum to 1 for probabilities, doubles
    two-class margins, and needs every class present.
    """
    from scipy.optimize import minimize_scalar

    values = _validate_logits(logits)
    classes = validate_classes(y_true, values.shape[1], len(values))
    _validate_information(values, classes)
    rows = np.arange(classes.size)

    def compute_log_loss(log_temperature: float) -> float:
        return -float(log_softmax(values / np.exp(log_temperature), axis=1)[rows, classes].mean())

    bounds = (np.log(MIN_TEMPERATURE), np.log(MAX_TEMPERATURE))
    found = minimize_scalar(compute_log_loss, bounds=bounds, method="bounded", options={"xatol": 1e-8})
    losses = {bound: compute_log_loss(bound) for bound in bounds}
    best_bound = min(losses, key=losses.__getitem__)
    is_capped = losses[best_bound] <= found.fun
    temperature = float(np.exp(best_bound if is_capped else found.x))
    return TemperatureScaling(temperature=temperature, n_samples=classes.size, is_capped=is_capped)


def _validate_logits(logits: npt.ArrayLike) -> npt.NDArray[np.float64]:
    values = np.asarray(logits, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < 2:
        message = f"expected logits of shape (n_posts, n_classes >= 2), found {values.shape}"
        raise ValueError(message)
    n_bad = int(np.count_nonzero(~np.isfinite(values).all(axis=1)))
    if n_bad:
        message = f"expected finite logits, found NaN or infinity in {n_bad} of {len(values)} posts; check the model"
        raise ValueError(message)
    return values


def _validate_information(logits: npt.NDArray[np.float64], classes: npt.NDArray[np.int64]) -> None:
    n_found = np.unique(classes).size
    if n_found < 2:
        message = (
            f"a temperature needs posts of at least two classes, found {n_found} in {classes.size} posts; add posts"
        )
        raise NotCalibratedError(message)
    if not np.ptp(logits, axis=1).any():
        message = (
            f"a temperature needs logits that differ between classes, found none in {classes.size} posts; train first"
        )
        raise NotCalibratedError(message)
