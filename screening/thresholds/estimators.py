"""The recall promise for scikit-learn: a threshold fitted on scores, and a classifier that keeps it."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array, check_consistent_length, column_or_1d, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted

from screening.metrics.validation import FloatArray
from screening.thresholds.recall_control import select_threshold


class RecallControlledThreshold(ClassifierMixin, BaseEstimator):
    """A score threshold whose true recall is at least ``target_recall`` with probability ``confidence_level``.

    Parameters
    ----------
    target_recall, confidence_level : float
        Both in (0, 1).
    pos_label : label, optional
        The class to find; by default the second of the two in sorted order (``True`` of booleans, 1 of 0 and 1).

    Attributes
    ----------
    threshold_ : float
        The positive class is predicted at or above it.
    n_positive_, n_allowed_misses_, recall_lower_bound_, confidence_achieved_
        See :class:`~screening.thresholds.operating_point.OperatingPoint`.
    classes_ : ndarray, shape (2,)

    Notes
    -----
    Fit on samples that neither trained nor selected whatever gives the scores.

    Examples
    --------
    >>> y_score = np.arange(200) / 200
    >>> rule = RecallControlledThreshold(target_recall=0.9).fit(y_score, y_score >= 0.5)
    >>> rule.threshold_, rule.n_allowed_misses_, rule.predict([0.4, 0.9]).tolist()
    (0.52, 4, [False, True])
    """

    def __init__(self, target_recall: float = 0.95, confidence_level: float = 0.95, pos_label: Any = None) -> None:
        self.target_recall = target_recall
        self.confidence_level = confidence_level
        self.pos_label = pos_label

    def fit(self, y_score: npt.ArrayLike, y_true: npt.ArrayLike) -> Self:
        """Select the threshold.

        Parameters
        ----------
        y_score : array-like of float, shape (n_samples,) or (n_samples, 1)
            Finite scores, higher meaning more like the positive class.
        y_true : array-like, shape (n_samples,)
            Two classes.

        Raises
        ------
        RecallNotReachableError
            If there are too few positives; the message says how many are needed.
        ValueError
            If scores are not finite or more than one column, or labels have not exactly two classes.
        """
        scores = self._read_scores(y_score)
        labels = _read_labels(y_true, type(self).__name__)
        check_consistent_length(scores, labels)
        self.classes_ = np.unique(labels)
        positive = labels == find_positive_class(self.classes_, self.pos_label)
        found = select_threshold(
            scores, positive, target_recall=self.target_recall, confidence_level=self.confidence_level
        )
        self.threshold_ = found.threshold
        self.n_positive_ = found.n_positive
        self.n_allowed_misses_ = found.n_allowed_misses
        self.recall_lower_bound_ = found.recall_lower_bound
        self.confidence_achieved_ = found.confidence_achieved
        return self

    def predict(self, y_score: npt.ArrayLike) -> npt.NDArray[Any]:
        """Predict the positive class at or above the threshold, shape (n_samples,)."""
        check_is_fitted(self)
        scores = self._read_scores(y_score)
        positive = find_positive_class(self.classes_, self.pos_label)
        other = self.classes_[0] if self.classes_[1] == positive else self.classes_[1]
        return np.where(scores >= np.asarray(self.threshold_, dtype=scores.dtype), positive, other).astype(
            self.classes_.dtype
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.classifier_tags.multi_class = False
        return tags

    def _read_scores(self, y_score: npt.ArrayLike) -> FloatArray:
        scores: FloatArray = check_array(y_score, ensure_2d=False, dtype=[np.float64, np.float32], estimator=self)
        if scores.ndim == 2 and scores.shape[1] != 1:
            message = f"expected one score per sample, shape (n_samples,) or (n_samples, 1), found {scores.shape}"
            raise ValueError(message)
        return scores.ravel()


class RecallControlledClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """Any scikit-learn classifier, with its threshold set for recall on samples it was not fitted on.

    Parameters
    ----------
    estimator : classifier with ``predict_proba`` or ``decision_function``
        A ``FrozenEstimator`` is kept as it is, and all of ``fit``'s samples set the threshold. Any other is cloned and
        fitted on a part of them; the rest sets the threshold.
    target_recall, confidence_level, pos_label
        See :class:`RecallControlledThreshold`.
    calibration_fraction : float
        Share of ``fit``'s samples that set the threshold, in (0, 1), drawn within classes; unused for a
        ``FrozenEstimator``.
    random_state : int, RandomState or None
        Draws them.

    Attributes
    ----------
    estimator_ : classifier
    threshold_rule_ : RecallControlledThreshold
        With the threshold and the exact numbers of its promise.
    threshold_ : float
    classes_ : ndarray, shape (2,)

    Notes
    -----
    The promise is about ``predict`` on samples like those that set the threshold. Search for hyperparameters by
    a score of ``predict_proba``; a search that looks at ``predict`` must hold back samples of its own.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = make_classification(2_000, weights=[0.8], random_state=0)
    >>> model = LogisticRegression().fit(X[:500], y[:500])
    >>> screener = RecallControlledClassifier(FrozenEstimator(model)).fit(X[500:1_500], y[500:1_500])
    >>> screener.threshold_rule_.n_positive_, screener.threshold_rule_.n_allowed_misses_
    (199, 4)
    """

    def __init__(
        self,
        estimator: Any,
        *,
        target_recall: float = 0.95,
        confidence_level: float = 0.95,
        calibration_fraction: float = 0.5,
        random_state: Any = None,
        pos_label: Any = None,
    ) -> None:
        self.estimator = estimator
        self.target_recall = target_recall
        self.confidence_level = confidence_level
        self.calibration_fraction = calibration_fraction
        self.random_state = random_state
        self.pos_label = pos_label

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:  # noqa: N803  # scikit-learn's name
        """Fit the classifier unless it is frozen, then the threshold on samples it has not seen.

        Raises
        ------
        RecallNotReachableError
            If too few positives are left for the threshold.
        ValueError
            If labels have not exactly two classes.
        """
        labels = _read_labels(y, type(self).__name__)
        check_consistent_length(X, labels)
        if isinstance(self.estimator, FrozenEstimator):
            self.estimator_, held_out, held_out_labels = self.estimator, X, labels
        else:
            train, held_out, train_labels, held_out_labels = train_test_split(
                X, labels, test_size=self.calibration_fraction, stratify=labels, random_state=self.random_state
            )
            self.estimator_ = clone(self.estimator).fit(train, train_labels)
        self.threshold_rule_ = RecallControlledThreshold(self.target_recall, self.confidence_level, self.pos_label)
        self.threshold_rule_.fit(self._score_positive(held_out), held_out_labels)
        self.threshold_, self.classes_ = self.threshold_rule_.threshold_, self.threshold_rule_.classes_
        if hasattr(self.estimator_, "n_features_in_"):
            self.n_features_in_ = self.estimator_.n_features_in_
        if hasattr(self.estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.estimator_.feature_names_in_
        return self

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:  # noqa: N803  # scikit-learn's name
        """Predict the positive class where its score is at or above the threshold, shape (n_samples,)."""
        check_is_fitted(self)
        return self.threshold_rule_.predict(self._score_positive(X))

    @available_if(lambda self: hasattr(getattr(self, "estimator_", self.estimator), "predict_proba"))
    def predict_proba(self, X: npt.ArrayLike) -> npt.NDArray[np.float64]:  # noqa: N803  # scikit-learn's name
        """Compute the classifier's own probabilities, shape (n_samples, 2); the threshold does not change them."""
        check_is_fitted(self)
        probabilities: npt.NDArray[np.float64] = self.estimator_.predict_proba(X)
        return probabilities

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.sparse = get_tags(self.estimator).input_tags.sparse
        return tags

    def _score_positive(self, X: npt.ArrayLike) -> FloatArray:  # noqa: N803  # scikit-learn's name
        """Score the positive class: its probability, or the decision function turned towards it."""
        classes = self.estimator_.classes_
        positive = find_positive_class(classes, self.pos_label)
        if hasattr(self.estimator_, "predict_proba"):
            column: FloatArray = self.estimator_.predict_proba(X)[:, list(classes).index(positive)]
            return column
        decision: FloatArray = self.estimator_.decision_function(X)
        return decision if classes[1] == positive else -decision


def find_positive_class(classes: npt.NDArray[Any], pos_label: Any) -> Any:
    """Find the class to find: ``pos_label``, or the second in sorted order.

    Raises
    ------
    ValueError
        If ``pos_label`` is none of the two.
    """
    if pos_label is None:
        return classes[1]
    if pos_label not in classes:
        message = f"expected pos_label to be one of the classes {classes.tolist()}, found {pos_label!r}"
        raise ValueError(message)
    return pos_label


def _read_labels(y: npt.ArrayLike, name: str) -> npt.NDArray[Any]:
    """Return labels of exactly two classes; messages contain what scikit-learn's own checks look for."""
    if y is None:
        message = f"{name} requires y to be passed, but the target y is None: labels decide the threshold"
        raise ValueError(message)
    labels = column_or_1d(y, warn=True)
    check_classification_targets(labels)
    kind = type_of_target(labels)
    if kind != "binary":
        message = f"Only binary classification is supported. The type of the target is {kind}."
        raise ValueError(message)
    if np.unique(labels).size < 2:
        message = f"{name} can't train when only one class is present: expected two classes, found 1"
        raise ValueError(message)
    return labels
