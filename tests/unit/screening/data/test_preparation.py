import hashlib

import pandas as pd
import pytest

from screening.config import DataConfig
from screening.data.card import DataCard, FilterCount
from screening.data.preparation import load_split, prepare_posts, to_dataset_dict
from screening.exceptions import MissingArtifactError, SchemaError
from screening.taxonomy import load_taxonomy
from screening.types import SPLITS

SWMH_LABELS = ("self.depression", "self.SuicideWatch", "self.Anxiety", "self.offmychest", "self.bipolar")
LABELS = ("depression", "suicidewatch", "anxiety", "offmychest", "bipolar")


def find_filter(card: DataCard, step: str) -> FilterCount:
    return next(count for count in card.filters if count.step == step)


@pytest.fixture
def swmh_folder(tmp_path, make_posts):
    for seed, (name, n_posts) in enumerate({"train": 200, "val": 50, "test": 60}.items()):
        make_posts(n_posts, SWMH_LABELS, seed=seed).to_csv(tmp_path / f"{name}.csv", index=False)
    return tmp_path


def test_swmh_keeps_its_validation_and_test_and_carves_calibration_from_train(swmh_folder, taxonomy):
    prepared = prepare_posts(DataConfig(source="swmh", path=swmh_folder), taxonomy, seed=1)
    sizes = {split: len(frame) for split, frame in prepared.splits.items()}
    assert sizes == {"train": 170, "validation": 50, "calibration": 30, "test": 60}
    assert set(prepared.splits["calibration"]["label"]) == set(LABELS)  # names, not aliases
    assert prepared.splits["calibration"]["post_id"].str.startswith("train-").all()
    assert prepared.controls is None


def test_the_same_seed_gives_the_same_digests_and_another_does_not(swmh_folder, taxonomy):
    config = DataConfig(source="swmh", path=swmh_folder)
    first, again, other = (prepare_posts(config, taxonomy, seed=seed).card for seed in (1, 1, 2))
    assert first == again
    assert first.splits["train"].sha256 != other.splits["train"].sha256
    assert first.splits["test"].sha256 == other.splits["test"].sha256


def test_the_digest_is_taken_over_ids_labels_and_texts(swmh_folder, taxonomy):
    prepared = prepare_posts(DataConfig(source="swmh", path=swmh_folder), taxonomy, seed=1)
    rows = prepared.splits["test"][["post_id", "label", "text"]].itertuples(index=False)
    expected = hashlib.sha256("".join("\x1f".join(row) + "\x1e" for row in rows).encode()).hexdigest()
    assert prepared.card.splits["test"].sha256 == expected


def test_duplicates_are_dropped_from_the_later_split(tmp_path, make_posts, taxonomy):
    train = make_posts(100, LABELS, seed=0)
    test = make_posts(40, LABELS, seed=1)
    test.loc[0, "text"] = train.loc[7, "text"].upper()  # exact, but for case
    test.loc[1, "text"] = train.loc[9, "text"] + " again"  # near
    train.loc[99, "text"] = train.loc[3, "text"]  # within one split
    train.to_csv(tmp_path / "train.csv", index=False)
    test.to_csv(tmp_path / "test.csv", index=False)
    prepared = prepare_posts(DataConfig(source="file", path=tmp_path), taxonomy, seed=1)
    card = prepared.card
    assert find_filter(card, "exact_duplicates").counts == {"train": {"bipolar": 1}, "test": {"depression": 1}}
    assert find_filter(card, "near_duplicates").counts == {"test": {"suicidewatch": 1}}
    assert {"test-1", "test-2"}.isdisjoint(prepared.splits["test"]["post_id"])
    assert "train-100" not in set().union(*(frame["post_id"] for frame in prepared.splits.values()))
    assert find_filter(card, "read").n_posts == 140
    assert find_filter(card, "kept").n_posts == 137


def test_authors_never_stand_in_two_splits_and_conflicts_are_counted(tmp_path, make_posts, taxonomy):
    make_posts(120, LABELS, seed=0, who=[f"u{i // 3}" for i in range(120)]).to_csv(tmp_path / "train.csv", index=False)
    make_posts(30, LABELS, seed=1, who=["u5"] * 4 + [f"t{i}" for i in range(26)]).to_csv(
        tmp_path / "test.csv", index=False
    )
    config = DataConfig(source="file", path=tmp_path, author_column="who", keep_splits=("test",))
    prepared = prepare_posts(config, taxonomy, seed=1)
    assert find_filter(prepared.card, "author_conflicts").n_posts == 4
    assert len(prepared.splits["test"]) == 26
    authors = [set(frame["author_id"]) for frame in prepared.splits.values()]
    assert sum(map(len, authors)) == len(set().union(*authors))
    assert prepared.card.leakage.n_authors_in_two_splits == 0
    assert prepared.card.splits["test"].n_authors == 26


def test_controls_lose_their_duplicates_to_every_split(tmp_path, make_posts, taxonomy):
    train, controls = make_posts(100, LABELS), make_posts(10, ("control_plain",), seed=8)
    controls.loc[0, "text"] = train.loc[0, "text"]
    train.to_csv(tmp_path / "train.csv", index=False)
    controls.to_csv(tmp_path / "controls.csv", index=False)
    config = DataConfig(source="file", path=tmp_path / "train.csv", controls=tmp_path / "controls.csv")
    prepared = prepare_posts(config, taxonomy, seed=1)
    assert prepared.controls.columns.tolist() == ["post_id", "text", "control_kind"]
    assert len(prepared.controls) == 9
    assert find_filter(prepared.card, "kept").counts["controls"] == {"control_plain": 9}


def test_a_control_kind_that_may_be_a_text_is_refused(tmp_path, make_posts, taxonomy):
    make_posts(100, LABELS).to_csv(tmp_path / "posts.csv", index=False)
    controls = make_posts(10, ("plain",), seed=8)
    controls.loc[3, "label"] = "the purple walrus sang " * 4
    controls.to_csv(tmp_path / "controls.csv", index=False)
    config = DataConfig(source="file", path=tmp_path / "posts.csv", controls=tmp_path / "controls.csv")
    with pytest.raises(SchemaError, match=r"control_kind is over 60 characters.*: 1 rows \(controls-4\)") as caught:
        prepare_posts(config, taxonomy, seed=1)
    assert "walrus" not in str(caught.value)


def test_controls_without_a_kind_are_just_controls(tmp_path, make_posts, taxonomy):
    make_posts(100, LABELS).to_csv(tmp_path / "posts.csv", index=False)
    make_posts(4, ("plain", ""), seed=8).to_csv(tmp_path / "controls.csv", index=False)
    config = DataConfig(source="file", path=tmp_path / "posts.csv", controls=tmp_path / "controls.csv")
    prepared = prepare_posts(config, taxonomy, seed=1)
    assert prepared.controls["control_kind"].tolist() == ["plain", "control", "plain", "control"]


def test_posts_are_cleaned_and_counted(tmp_path, make_posts, taxonomy):
    posts = make_posts(100, LABELS)
    posts.loc[4, "text"] += " &amp; more\u200b"
    posts.to_csv(tmp_path / "posts.csv", index=False)
    prepared = prepare_posts(DataConfig(source="file", path=tmp_path / "posts.csv"), taxonomy, seed=1)
    assert find_filter(prepared.card, "cleaned").counts == {"all": {"bipolar": 1}}
    together = pd.concat(prepared.splits.values()).set_index("post_id")
    assert together.loc["posts-5", "text"].endswith("& more")


def test_bad_rows_stop_preparation_and_are_listed_by_id(tmp_path, make_posts, taxonomy):
    posts = make_posts(100, LABELS)
    posts.loc[3, "text"] = ""
    posts.loc[5, "label"] = "walrus"
    posts.to_csv(tmp_path / "posts.csv", index=False)
    with pytest.raises(SchemaError) as caught:
        prepare_posts(DataConfig(source="file", path=tmp_path / "posts.csv"), taxonomy, seed=1)
    assert "text is empty: 1 rows (posts-4)" in str(caught.value)
    assert "1 rows (posts-6)" in str(caught.value)
    assert "walrus" not in str(caught.value)


def test_posts_that_cleaning_empties_are_refused(tmp_path, make_posts, taxonomy):
    posts = make_posts(100, LABELS)
    posts.loc[3, "text"] = "\u200b&#x200B;"
    posts.to_csv(tmp_path / "posts.csv", index=False)
    with pytest.raises(SchemaError, match=r"after cleaning.*\n.*text is empty: 1 rows \(posts-4\)"):
        prepare_posts(DataConfig(source="file", path=tmp_path / "posts.csv"), taxonomy, seed=1)


def test_ids_shared_by_posts_and_controls_are_refused(tmp_path, make_posts, taxonomy):
    make_posts(50, LABELS).assign(key=range(50)).to_csv(tmp_path / "posts.csv", index=False)
    make_posts(5, LABELS, seed=2).assign(key=range(5)).to_csv(tmp_path / "controls.csv", index=False)
    config = DataConfig(source="file", path=tmp_path / "posts.csv", controls=tmp_path / "controls.csv", id_column="key")
    with pytest.raises(SchemaError, match="id is not unique: 10 rows"):
        prepare_posts(config, taxonomy, seed=1)


def test_a_single_class_is_refused(tmp_path, make_posts, taxonomy):
    make_posts(100, ("depression",)).to_csv(tmp_path / "posts.csv", index=False)
    with pytest.raises(SchemaError, match="at least two classes, found 1"):
        prepare_posts(DataConfig(source="file", path=tmp_path / "posts.csv"), taxonomy, seed=1)


def test_a_class_without_training_posts_is_refused_by_name(tmp_path, make_posts, taxonomy):
    make_posts(100, ("depression", "suicidewatch", "anxiety")).to_csv(tmp_path / "train.csv", index=False)
    make_posts(50, LABELS, seed=1).to_csv(tmp_path / "test.csv", index=False)
    with pytest.raises(SchemaError, match=r"0 posts of offmychest, bipolar\. .*data\.taxonomy"):
        prepare_posts(DataConfig(source="file", path=tmp_path), taxonomy, seed=1)


def test_a_kept_split_made_of_duplicates_is_refused(tmp_path, make_posts, taxonomy):
    make_posts(100, LABELS).to_csv(tmp_path / "train.csv", index=False)
    make_posts(10, LABELS).to_csv(tmp_path / "test.csv", index=False)
    with pytest.raises(SchemaError, match="no posts are left for the test split"):
        prepare_posts(DataConfig(source="file", path=tmp_path), taxonomy, seed=1)


def test_the_synthetic_corpus_is_marked_as_such_and_leaks_nothing(taxonomy):
    card = prepare_posts(DataConfig(n_synthetic=400), taxonomy, seed=1).card
    assert card.is_synthetic
    assert "nothing about people" in card.licence
    assert card.leakage.model_dump() == {
        "n_authors_in_two_splits": 0,
        "n_exact_duplicates": 0,
        "n_near_duplicates": 0,
        "n_ids_in_two_splits": 0,
    }
    assert card.first_date is not None
    assert card.label_meaning == taxonomy.label_meaning


def test_the_card_holds_no_text_and_no_author(tmp_path, make_posts, taxonomy):
    make_posts(100, LABELS, who=[f"ada_{i}" for i in range(100)]).to_csv(tmp_path / "posts.csv", index=False)
    config = DataConfig(source="file", path=tmp_path / "posts.csv", author_column="who")
    dumped = prepare_posts(config, taxonomy, seed=1).card.model_dump_json()
    assert "entry 0" not in dumped
    assert "ada_" not in dumped
    assert "author-0" not in dumped


def test_splits_survive_parquet_and_datasets(tmp_path, taxonomy):
    prepared = prepare_posts(DataConfig(n_synthetic=400), taxonomy, seed=1)
    prepared.splits["test"].to_parquet(tmp_path / "test.parquet")
    pd.testing.assert_frame_equal(load_split(tmp_path / "test.parquet"), prepared.splits["test"])
    converted = to_dataset_dict(prepared)
    assert tuple(converted) == SPLITS
    assert converted["test"]["text"][0] == prepared.splits["test"]["text"][0]
    assert converted["train"].column_names[:3] == ["post_id", "text", "label"]


def test_loading_a_split_that_was_not_prepared_says_what_to_run(tmp_path):
    with pytest.raises(MissingArtifactError, match="prepare"):
        load_split(tmp_path / "test.parquet")


@pytest.mark.real_data
@pytest.mark.slow
def test_reddit2013_gives_enough_calibration_positives_and_no_leaks(reddit2013_folder, taxonomy):
    config = DataConfig(
        source="reddit2013",
        path=reddit2013_folder,
        keep_splits=("test",),
        calibration_fraction=0.155,
        validation_fraction=0.085,
    )
    prepared = prepare_posts(config, taxonomy, seed=13)
    assert (prepared.splits["calibration"]["label"] == "suicidewatch").sum() >= 93
    assert len(prepared.splits["test"]) >= 860
    assert set(prepared.controls["control_kind"]) == {"control_plain", "control_emotional"}
    assert prepared.card.leakage.n_near_duplicates == 0
    assert prepared.card.leakage.n_authors_in_two_splits is None
    assert find_filter(prepared.card, "read").counts["train"]["suicidewatch"] == 552


@pytest.mark.real_data
def test_the_emotion_folder_is_read_with_its_own_taxonomy(reddit2013_folder):
    config = DataConfig(source="emotion", path=reddit2013_folder.parent / "emotion_dair", taxonomy="emotion6")
    card = prepare_posts(config, load_taxonomy("emotion6"), seed=1).card
    assert find_filter(card, "read").n_posts == 20_000
    assert 40 <= find_filter(card, "exact_duplicates").n_posts <= 60  # 31 + 2 within and about 19 across splits


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "folder", "name", "n_read", "n_repeated"),
    [
        ("goemotions", "goemotions_lcl", "goemotions27", 29_425, (152, 230)),  # within splits, and across besides
        ("empathetic_dialogues", "empathetic_dialogues", "empathetic32", 23_104, (279, 285)),
        ("sst5", "sst5", "sst5", 11_855, (11, 20)),
    ],
)
def test_every_label_of_every_split_is_known_and_none_is_missing(
    reddit2013_folder, source, folder, name, n_read, n_repeated
):
    config = DataConfig(source=source, path=reddit2013_folder.parent / folder, taxonomy=name)
    prepared = prepare_posts(config, load_taxonomy(name), seed=13)
    assert find_filter(prepared.card, "read").n_posts == n_read
    assert n_repeated[0] <= find_filter(prepared.card, "exact_duplicates").n_posts <= n_repeated[1]
    for split in ("train", "validation", "test"):
        assert {*prepared.splits[split]["label"]} == {*load_taxonomy(name).names}
