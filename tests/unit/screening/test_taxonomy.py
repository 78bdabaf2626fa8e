import itertools
import math
import re
from pathlib import Path

import pytest
import yaml

from screening import taxonomy as taxonomy_module
from screening.exceptions import ConfigError
from screening.taxonomy import Taxonomy, load_taxonomy

SHIPPED = ["emotion6", "empathetic32", "goemotions27", "mh5", "mh5_elsewhere", "sst5"]


@pytest.mark.parametrize("name", SHIPPED)
def test_what_shipped_labels_say_of_risk_is_what_their_targets_say(name: str) -> None:
    folder = Path(taxonomy_module.__file__).parent / "taxonomies"
    written = yaml.safe_load((folder / f"{name}.yaml").read_text(encoding="utf-8"))["labels"]
    taxonomy = load_taxonomy(name)
    by_name = {label.name: label.risk for label in taxonomy.labels}
    in_target = {label for target in taxonomy.targets for label in target.labels}
    assert by_name == {label: label in in_target for label in taxonomy.names}
    assert all(by_name[label["name"]] is label["risk"] for label in written)


@pytest.mark.parametrize("name", ["mh5", "emotion6"])
def test_shipped_taxonomies_name_a_source_for_every_coordinate(name: str) -> None:
    taxonomy = load_taxonomy(name)
    assert all(label.source for label in taxonomy.labels)
    assert taxonomy.targets[0].triage == "refer"


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


def list_weighted_opposites(taxonomy: Taxonomy) -> set[tuple[str, str]]:
    """Pairs in label order whose angle at the origin is above 90 degrees: their scalar product is negative."""
    placed = [label for label in taxonomy.labels if label.coordinate_weight > 0]
    return {
        (a.name, b.name)
        for a, b in itertools.combinations(placed, 2)
        if a.valence * b.valence + a.arousal * b.arousal < 0
    }


@pytest.mark.parametrize(("name", "n_pairs"), [("goemotions27", 10), ("empathetic32", 12), ("sst5", 0)])
def test_incompatible_pairs_are_all_weighted_labels_above_a_right_angle_apart(name: str, n_pairs: int) -> None:
    taxonomy = load_taxonomy(name)
    assert len(taxonomy.incompatible_pairs) == n_pairs
    assert {*taxonomy.incompatible_pairs} == list_weighted_opposites(taxonomy)


@pytest.mark.parametrize("name", ["goemotions27", "empathetic32"])
def test_only_labels_with_a_published_place_have_weight(name: str) -> None:
    for label in load_taxonomy(name).labels:
        assert (label.coordinate_weight == 0) == (label.source == "ours; no source")


@pytest.mark.parametrize(("name", "n_angles"), [("goemotions27", 2), ("empathetic32", 4)])
def test_a_stated_angle_gives_the_coordinates_on_the_unit_circle(name: str, n_angles: int) -> None:
    stated = [(label, re.search(r"scaling: \w+ at ([\d.]+)", label.source)) for label in load_taxonomy(name).labels]
    angles = [(label, math.radians(float(match[1]))) for label, match in stated if match]
    assert len(angles) == n_angles
    for label, angle in angles:
        assert (label.valence, label.arousal) == (round(math.cos(angle), 2), round(math.sin(angle), 2))
        assert label.coordinate_weight == 0.5


SAME_WORDS = {
    "goemotions27": {name: name for name in ("sadness", "joy", "love", "anger", "fear", "surprise")},
    "empathetic32": {
        "sad": "sadness",
        "joyful": "joy",
        "angry": "anger",
        "surprised": "surprise",
        "anxious": "anxiety",
    },
}


@pytest.mark.parametrize("name", SAME_WORDS)
def test_a_word_has_one_place_in_all_taxonomies(name: str) -> None:
    earlier = {label.name: label for word in ("mh5", "emotion6") for label in load_taxonomy(word).labels}
    by_name = {label.name: label for label in load_taxonomy(name).labels}
    kept = {"valence", "arousal", "coordinate_weight", "source"}
    for word, same in SAME_WORDS[name].items():
        assert by_name[word].model_dump(include=kept) == earlier[same].model_dump(include=kept)


@pytest.mark.parametrize("name", ["goemotions27", "empathetic32", "sst5"])
def test_targets_of_research_data_sets_ask_for_review_and_name_every_risk_label(name: str) -> None:
    taxonomy = load_taxonomy(name)
    assert {target.triage for target in taxonomy.targets} == {"review"}
    assert {label.name for label in taxonomy.labels if label.risk} == set(taxonomy.targets[-1].labels)
    assert all("not" in target.description for target in taxonomy.targets)


def test_sentiment_rises_evenly_from_very_negative_to_very_positive() -> None:
    labels = load_taxonomy("sst5").labels
    assert [label.name for label in labels] == ["very negative", "negative", "neutral", "positive", "very positive"]
    assert [label.valence for label in labels] == [-1, -0.5, 0, 0.5, 1]
    assert all(label.arousal == abs(label.valence) for label in labels)


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


def test_every_fault_is_told_in_a_line_of_its_own_and_nothing_that_only_follows_from_one(tmp_path: Path) -> None:
    labels = [{"name": "a", "risk": True, "valense": 0.5}, "b"]
    target = {"name": "a", "labels": ["a"], "triage": "urgent"}
    content = make_taxonomy(labels=labels, targets=[target])
    del content["label_meaning"]
    path = tmp_path / "t.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_taxonomy(path)
    assert str(caught.value).splitlines()[1:-1] == [
        "  label_meaning: expected a value, found none",
        "  labels.0.valense: unknown key; did you mean 'valence'?",
        "  labels.1: expected fields with values, found 'b'",
        "  targets.0.triage: Input should be 'refer' or 'review' (found 'urgent')",
    ]


def test_a_label_without_coordinates_teaches_none(tmp_path: Path) -> None:
    bare = [{"name": "a", "risk": True}, {"name": "b", "risk": False}]
    path = tmp_path / "t.yaml"
    for labels, expected in ((bare, False), ([bare[0], bare[1] | {"valence": 0.1, "arousal": 0}], True)):
        path.write_text(yaml.safe_dump(make_taxonomy(labels=labels)), encoding="utf-8")
        taxonomy = load_taxonomy(path)
        assert taxonomy.labels[0].coordinate_weight == 0
        assert taxonomy.has_coordinates is expected
        assert Taxonomy.model_validate_json(taxonomy.model_dump_json()) == taxonomy  # as a bundle keeps it
    path.write_text(yaml.safe_dump(make_taxonomy(labels=[bare[0], bare[1] | {"valence": 0.1}])), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"labels\.1\.arousal: expected a value, found none"):
        load_taxonomy(path)


def test_the_taxonomy_of_the_page_on_training_is_a_whole_one(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "train.md").read_text(encoding="utf-8")
    path = tmp_path / "t.yaml"
    path.write_text(page.split("# labels.yaml\n")[1].split("```")[0], encoding="utf-8")
    assert load_taxonomy(path).names == ("risk", "no_risk")


TARGET = {"name": "a", "labels": ["a"], "triage": "refer"}


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ([TARGET | {"labels": ["a", "a"]}], "target 'a' has label 'a' more than once"),
        ([TARGET, TARGET], "targets: 2 are named 'a'; give each a name of its own"),
        ([TARGET | {"name": "self-harm & suicide"}], "letters, digits, spaces and _ . -, found 'self-harm & suicide'"),
        ([TARGET | {"name": "a/b"}], "found 'a/b'"),
        ([TARGET | {"name": "a" * 61}], "at most 60 letters"),
        ([TARGET | {"labels": ["a", "b"]}], "label 'b' has risk: false, but a target has it; leave risk out"),
        ([TARGET | {"labels": ["b"]}], "label 'a' has risk: true, but no target has it; leave risk out"),
    ],
)
def test_targets_that_can_be_read_in_two_ways_are_refused(
    targets: list[dict[str, object]], expected: str, tmp_path: Path
) -> None:
    (tmp_path / "t.yaml").write_text(yaml.safe_dump(make_taxonomy(targets=targets)), encoding="utf-8")
    with pytest.raises(ConfigError, match=re.escape(expected)):
        load_taxonomy(tmp_path / "t.yaml")


@pytest.mark.parametrize("name", ["any_risk", "Selbstverletzung v1.2", "self-harm", "自杀"])
def test_a_target_may_be_named_in_any_script(name: str, tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(yaml.safe_dump(make_taxonomy(targets=[TARGET | {"name": name}])), encoding="utf-8")
    assert load_taxonomy(tmp_path / "t.yaml").targets[0].name == name


def test_labels_that_do_not_say_it_count_as_risk_where_a_target_has_them(tmp_path: Path) -> None:
    labels = [{"name": "a"}, {"name": "b"}]
    (tmp_path / "t.yaml").write_text(yaml.safe_dump(make_taxonomy(labels=labels)), encoding="utf-8")
    assert [label.risk for label in load_taxonomy(tmp_path / "t.yaml").labels] == [True, False]


def test_targets_of_an_extending_file_decide_what_counts_as_risk(tmp_path: Path) -> None:
    own = {"extends": "mh5", "targets": [{"name": "low", "labels": ["depression", "bipolar"], "triage": "review"}]}
    (tmp_path / "t.yaml").write_text(yaml.safe_dump(own), encoding="utf-8")
    risky = [label.name for label in load_taxonomy(tmp_path / "t.yaml").labels if label.risk]
    assert risky == ["depression", "bipolar"]


def test_unknown_taxonomy_lists_the_shipped_ones() -> None:
    with pytest.raises(ConfigError, match=r"shipped \(emotion6, .*, mh5, mh5_elsewhere, sst5\)"):
        load_taxonomy("mh6")


def test_labels_are_encoded_in_any_accepted_spelling() -> None:
    assert load_taxonomy("mh5").encode(["bipolar", "self.Anxiety"]) == [4, 2]


def test_a_taxonomy_that_extends_another_adds_labels_and_pairs_behind(tmp_path: Path) -> None:
    own = {
        "extends": "mh5",
        "name": "mine",
        "labels": [{"name": "news", "risk": False, "valence": 0, "arousal": 0, "source": "ours"}],
        "incompatible_pairs": [["suicidewatch", "news"]],
    }
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(own), encoding="utf-8")
    found, base = load_taxonomy(path), load_taxonomy("mh5")
    assert found.name == "mine"
    assert found.labels[:-1] == base.labels
    assert found.names[-1] == "news"
    assert found.incompatible_pairs == (*base.incompatible_pairs, ("suicidewatch", "news"))
    assert found.targets == base.targets


@pytest.mark.parametrize(
    ("own", "found"),
    [
        ({"extends": "mh6"}, "extends 'mh6', which is not shipped; extend one of emotion6"),
        ({"extends": "mine.yaml"}, "extends 'mine.yaml', which is not shipped"),
        ({"extends": 5}, "extends 5, which is not shipped"),
        ({"extends": "mh5", "labels": 5}, "not valid"),
        ({"extends": "mh5", "labels": [{"name": "anxiety", "risk": False}]}, "not valid"),
    ],
)
def test_a_taxonomy_that_extends_another_wrongly_is_refused(tmp_path: Path, own: dict[str, object], found: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(own), encoding="utf-8")
    with pytest.raises(ConfigError, match=found):
        load_taxonomy(path)
