import math
from pathlib import Path

import pytest
import yaml

from screening.exceptions import ConfigError
from screening.taxonomy import load_taxonomy


@pytest.mark.parametrize("name", ["mh5", "emotion6"])
def test_shipped_taxonomies_name_a_source_for_every_coordinate(name: str) -> None:
    taxonomy = load_taxonomy(name)
    assert all(label.source for label in taxonomy.labels)
    assert taxonomy.targets[0].triage == "refer"
    assert set(taxonomy.risk_names) == set(taxonomy.targets[-1].labels)


def test_official_swmh_spellings_are_known() -> None:
    index = load_taxonomy("mh5").index_by_text
    spellings = ["self.depression", "self.SuicideWatch", "self.Anxiety", "self.offmychest", "self.bipolar"]
    assert [index[spelling] for spelling in spellings] == [0, 1, 2, 3, 4]


def test_emotion_pairs_lie_more_than_a_right_angle_apart() -> None:
    taxonomy = load_taxonomy("emotion6")
    points = {label.name: (label.valence, label.arousal) for label in taxonomy.labels}
    for a, b in taxonomy.incompatible_pairs:
        cosine = sum(x * y for x, y in zip(points[a], points[b], strict=True))
        cosine /= math.hypot(*points[a]) * math.hypot(*points[b])
        assert math.degrees(math.acos(cosine)) > 90


def test_intensity_is_the_distance_from_the_origin_clipped_to_one() -> None:
    by_name = {label.name: label for label in load_taxonomy("mh5").labels}
    assert by_name["suicidewatch"].intensity == 1.0  # hypot(.95, .73) is 1.198
    assert by_name["offmychest"].intensity == pytest.approx(math.hypot(0.05, 0.10))


def make_taxonomy(**changes: object) -> dict[str, object]:
    labels = [{"name": name, "risk": name == "a", "valence": 0, "arousal": 0, "source": "test"} for name in "ab"]
    target = {"name": "a", "labels": ["a"], "triage": "refer", "description": "a"}
    return {"name": "t", "description": "t", "label_meaning": "t", "labels": labels, "targets": [target]} | changes


def test_own_taxonomy_is_read_from_a_path(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(yaml.safe_dump(make_taxonomy()), encoding="utf-8")
    assert load_taxonomy(tmp_path / "t.yaml").names == ("a", "b")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"incompatible_pairs": [["a", "c"]]}, "unknown labels"),
        ({"targets": []}, "at least 1"),
        (
            {"labels": [{"name": "a", "risk": True, "valence": 2, "arousal": 0, "source": "x"}] * 2},
            "less than or equal",
        ),
    ],
)
def test_taxonomies_with_loose_ends_are_refused(changes: dict[str, object], expected: str, tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(yaml.safe_dump(make_taxonomy(**changes)), encoding="utf-8")
    with pytest.raises(ConfigError, match=expected):
        load_taxonomy(tmp_path / "t.yaml")


def test_unknown_taxonomy_lists_the_shipped_ones() -> None:
    with pytest.raises(ConfigError, match="emotion6, mh5"):
        load_taxonomy("mh6")


def test_labels_are_encoded_in_any_accepted_spelling() -> None:
    assert load_taxonomy("mh5").encode(["bipolar", "self.Anxiety"]) == [4, 2]
