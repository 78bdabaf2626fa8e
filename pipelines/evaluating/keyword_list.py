"""The keyword list of a taxonomy as a comparator: its scores, and the thresholds it would need for the same promise."""

from collections.abc import Mapping

import pandas as pd

from pipelines.calibrating.scorers import load_scope
from pipelines.run import RunContext
from screening.data.preparation import load_split
from screening.models.keywords import KeywordList
from screening.taxonomy import Taxonomy
from screening.thresholds.fitting import fit_operating_points
from screening.thresholds.operating_point import OperatingPoint
from screening.types import Record

KEYWORDS_NAME = "keyword list"
KEYWORDS_RULE = "any phrase found"
KEYWORDS_FILE = "keyword_operating_points.json"


class KeywordPoints(Record):
    """What a keyword list flags by: by target, the score of one phrase, and the thresholds that keep the promise."""

    any_phrase: dict[str, float]
    operating_points: tuple[OperatingPoint, ...]


def build_keyword_lists(taxonomy: Taxonomy) -> dict[str, KeywordList]:
    """Build the list of every target that has keywords."""
    return {target.name: KeywordList(target.keywords) for target in taxonomy.targets if target.keywords}


def score_keywords(lists: Mapping[str, KeywordList], posts: pd.DataFrame) -> pd.DataFrame:
    """Score posts by the share of each list's phrases they hold: ``post_id`` and ``risk_<target>`` in [0, 1]."""
    texts = posts["text"].tolist()
    return pd.DataFrame(
        {"post_id": posts["post_id"]} | {f"risk_{name}": phrases.score(texts) for name, phrases in lists.items()}
    )


def mark_listed_phrases(scores: pd.DataFrame) -> pd.DataFrame:
    """Turn keyword scores into facts: ``phrase_<target>``, whether a post holds any phrase of that target's list."""
    risks = scores.filter(regex="^risk_")
    return (risks > 0).rename(columns=lambda name: f"phrase_{name.removeprefix('risk_')}")


def fit_keyword_points(context: RunContext, lists: Mapping[str, KeywordList]) -> KeywordPoints:
    """Fit thresholds on the calibration split to the promise the classifier makes.

    Most positives hold no phrase at all: the threshold that keeps the promise is then 0, and every post is flagged.
    """
    posts = load_split(context.folder.split("calibration"))
    risks = {name: phrases.score(posts["text"].tolist()) for name, phrases in lists.items()}
    targets = [target for target in context.taxonomy.targets if target.name in lists]
    labels = posts["label"].to_numpy()
    fitted = fit_operating_points(targets, risks, labels, context.config.calibration, scope=load_scope(context))
    any_phrase = {name: phrases.any_phrase for name, phrases in lists.items()}
    return KeywordPoints(any_phrase=any_phrase, operating_points=fitted.operating_points)
