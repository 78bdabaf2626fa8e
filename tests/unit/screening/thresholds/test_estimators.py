import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import validate_data

from screening.exceptions import RecallNotReachableError
from screening.thresholds.estimators import RecallControlledClassifier, RecallControlledThreshold
from screening.thresholds.recall_control import select_threshold

# The checks fit on a few dozen samples: a promise of .5 at .5 needs one positive.
EASY = {"target_recall": 0.5, "confidence_level": 0.5}
NOT_BY_ACCURACY = "predict follows the promised recall, not the class of highest probability or accuracy"
EXPECTED_TO_FAIL = {
    "FirstColumnThreshold": {
        "check_fit_score_takes_y": "fit names its arguments after what they hold: y_score, y_true",
        "check_classifiers_train": NOT_BY_ACCURACY,
    },
    "RecallControlledClassifier": {"check_classifiers_train": NOT_BY_ACCURACY},
}


class FirstColumnThreshold(RecallControlledThreshold):
    """Reads the first column of a table as the score: scikit-learn checks no estimator of one-dimensional input."""

    def _read_scores(self, y_score):
        table = validate_data(self, y_score, reset=not hasattr(self, "threshold_"), dtype=[np.float64, np.float32])
        return table[:, 0]

    def fit(self, y_score, y_true):
        vars(self).pop("threshold_", None)
        return super().fit(y_score, y_true)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array, tags.input_tags.two_d_array = False, True
        return tags


@parametrize_with_checks(
    [FirstColumnThreshold(**EASY), RecallControlledClassifier(LogisticRegression(), random_state=0, **EASY)],
    expected_failed_checks=lambda estimator: EXPECTED_TO_FAIL[type(estimator).__name__],
)
@pytest.mark.filterwarnings("ignore")  # some checks pass what scikit-learn itself warns about
def test_scikit_learn_checks_its_estimators(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def posts():
    features, labels = make_classification(3_000, weights=[0.8], class_sep=1.5, flip_y=0, random_state=0)
    return features, np.where(labels == 1, "risk", "other")


def test_the_threshold_is_the_order_statistic_of_the_positives():
    rng = np.random.default_rng(0)
    y_score, y_true = rng.random(500), rng.random(500) < 0.4
    rule = RecallControlledThreshold(0.9, 0.95).fit(y_score, y_true)
    expected = select_threshold(y_score, y_true, target_recall=0.9, confidence_level=0.95)
    assert (rule.threshold_, rule.n_positive_) == (expected.threshold, expected.n_positive)
    assert (rule.predict(y_score) == (y_score >= expected.threshold)).all()
    assert (rule.predict(y_score[:, None]) == rule.predict(y_score)).all()


def test_a_frozen_classifier_gives_all_samples_to_the_threshold(posts):
    features, labels = posts
    model = LogisticRegression().fit(features[:1_000], labels[:1_000])
    screener = RecallControlledClassifier(FrozenEstimator(model)).fit(features[1_000:], labels[1_000:])
    assert screener.threshold_rule_.n_positive_ == (labels[1_000:] == "risk").sum()
    y_prob = model.predict_proba(features)[:, 1]
    assert (screener.predict(features) == np.where(y_prob >= screener.threshold_, "risk", "other")).all()
    assert (screener.predict_proba(features)[:, 1] == y_prob).all()


def test_a_classifier_that_is_not_frozen_learns_from_other_samples_than_the_threshold(posts):
    features, labels = posts
    screener = RecallControlledClassifier(LogisticRegression(), calibration_fraction=0.4, random_state=0)
    screener.fit(features, labels)
    n_positive = (labels == "risk").sum()
    assert screener.threshold_rule_.n_positive_ == pytest.approx(0.4 * n_positive, abs=1)
    assert not hasattr(screener.estimator, "coef_")


def test_the_other_class_can_be_the_one_to_find(posts):
    features, labels = posts
    screener = RecallControlledClassifier(LogisticRegression(), pos_label="other", random_state=0)
    found = screener.fit(features, labels).predict(features)
    assert (found[labels == "other"] == "other").mean() >= 0.95
    y_prob = screener.predict_proba(features)[:, 0]
    assert screener.estimator_.classes_[0] == "other"
    assert (found == np.where(y_prob >= screener.threshold_, "other", "risk")).all()


@pytest.mark.parametrize("pos_label", ["risk", "other"])
def test_a_classifier_without_probabilities_is_read_by_its_decision_function(posts, pos_label):
    features, labels = posts
    screener = RecallControlledClassifier(LinearSVC(), pos_label=pos_label, random_state=0).fit(features, labels)
    assert not hasattr(screener, "predict_proba")
    assert (screener.predict(features)[labels == pos_label] == pos_label).mean() >= 0.95


def test_it_works_in_a_pipeline_and_in_a_search_by_ranking(posts):
    features, labels = posts
    pipeline = make_pipeline(StandardScaler(), RecallControlledClassifier(LogisticRegression(), random_state=0))
    grid = {"recallcontrolledclassifier__estimator__C": [0.01, 1.0]}
    search = GridSearchCV(pipeline, grid, scoring="roc_auc", cv=3).fit(features, labels)
    assert (search.predict(features)[labels == "risk"] == "risk").mean() >= 0.95
    assert set(search.predict(features)) == {"risk", "other"}


def test_a_clone_has_the_parameters_and_nothing_learnt(posts):
    screener = RecallControlledClassifier(LogisticRegression(C=3.0), target_recall=0.9, random_state=4)
    copied = clone(screener.fit(*posts))
    assert (copied.target_recall, copied.estimator.C, copied.random_state) == (0.9, 3.0, 4)
    assert not hasattr(copied, "threshold_")


def test_too_few_positives_are_refused_with_how_many_are_needed(posts):
    features, labels = posts
    with pytest.raises(RecallNotReachableError, match="at least 299 positive"):
        RecallControlledClassifier(LogisticRegression(), target_recall=0.99, random_state=0).fit(
            features[:600], labels[:600]
        )


@pytest.mark.parametrize(
    ("y_score", "y_true", "expected"),
    [
        (np.zeros((4, 2)), [0, 1, 0, 1], r"found \(4, 2\)"),
        (np.array([0.1, np.nan, 0.3]), [0, 1, 1], "NaN"),
        (np.zeros(3), [0, 1, 2], "type of the target is multiclass"),
        (np.zeros(3), [1, 1, 1], "expected two classes, found 1"),
    ],
)
def test_what_is_no_score_or_no_pair_of_classes_is_refused(y_score, y_true, expected):
    with pytest.raises(ValueError, match=expected):
        RecallControlledThreshold(**EASY).fit(y_score, y_true)


def test_an_unknown_class_to_find_is_refused():
    with pytest.raises(ValueError, match=r"one of the classes \[0, 1\], found 'risk'"):
        RecallControlledThreshold(**EASY, pos_label="risk").fit(np.linspace(0, 1, 4), [0, 1, 0, 1])


def test_scikit_learn_is_told_that_the_threshold_reads_one_column():
    tags = get_tags(RecallControlledThreshold())
    assert (tags.input_tags.one_d_array, tags.input_tags.two_d_array) == (True, False)
    assert not tags.classifier_tags.multi_class
