from pathlib import Path

import pandas as pd
import pytest

from screening.config import DataConfig
from screening.data.sources import hide_author_names, read_posts_file, read_source
from screening.exceptions import ConfigError, DataAccessError, SchemaError

SWMH_LABELS = ("self.depression", "self.SuicideWatch", "self.Anxiety", "self.offmychest", "self.bipolar")


def test_one_reader_serves_csv_tsv_jsonl_and_parquet(tmp_path, make_posts, write_jsonl):
    posts = make_posts(6, ("a", "b"), key=list("uvwxyz"))
    posts.to_csv(tmp_path / "posts.csv", index=False)
    posts.to_csv(tmp_path / "posts.tsv", index=False, sep="\t")
    posts.to_parquet(tmp_path / "posts.parquet")
    write_jsonl(tmp_path / "posts.jsonl", posts.to_dict("records"))
    tables = [
        read_posts_file(tmp_path / f"posts.{suffix}", text_column="text", id_column="key", label_column="label")
        for suffix in ("csv", "tsv", "jsonl", "parquet")
    ]
    for table in tables:
        pd.testing.assert_frame_equal(table, tables[0])
    assert tables[0].columns.tolist() == ["post_id", "text", "label"]
    assert tables[0]["post_id"].tolist() == list("uvwxyz")


def test_ids_come_from_file_and_row_and_labels_are_optional(tmp_path, make_posts):
    make_posts(2, ("a",)).rename(columns={"text": "body"}).to_csv(tmp_path / "inbox.csv", index=False)
    table = read_posts_file(tmp_path / "inbox.csv", text_column="body")
    assert table.columns.tolist() == ["post_id", "text"]
    assert table["post_id"].tolist() == ["inbox-1", "inbox-2"]


def test_a_missing_column_is_named_with_what_was_found_and_the_nearest(tmp_path, make_posts):
    make_posts(2, ("a",)).to_csv(tmp_path / "posts.csv", index=False)
    with pytest.raises(SchemaError, match="expected a column 'txt', found text, label; did you mean text"):
        read_posts_file(tmp_path / "posts.csv", text_column="txt")


def test_a_file_without_a_header_does_not_show_its_first_post(tmp_path):
    (tmp_path / "posts.csv").write_text("the purple walrus sang,a\nanother one,b\n", encoding="utf-8")
    with pytest.raises(SchemaError, match="expected a column 'text'") as caught:
        read_posts_file(tmp_path / "posts.csv", text_column="text")
    assert "walrus" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["post_id", "text", "split", "triage", "n_tokens", "author_code", "prob_a", "risk_a", "logit_a"]
)
def test_group_columns_cannot_take_reserved_names(tmp_path, make_posts, name):
    make_posts(2, ("a",)).to_csv(tmp_path / "posts.csv", index=False)
    with pytest.raises(ConfigError, match="fixed meaning"):
        read_posts_file(tmp_path / "posts.csv", text_column="text", group_columns=[name])


def test_swmh_is_read_from_its_three_official_files(tmp_path, make_posts):
    for seed, (name, n_posts) in enumerate({"train": 20, "val": 10, "test": 15}.items()):
        make_posts(n_posts, SWMH_LABELS, seed=seed).to_csv(tmp_path / f"{name}.csv", index=False)
    posts = read_source(DataConfig(source="swmh", path=tmp_path), seed=0).posts
    assert posts["source_split"].value_counts().to_dict() == {"train": 20, "test": 15, "validation": 10}
    assert posts["post_id"].is_unique
    assert posts["post_id"][20] == "val-1"


def test_swmh_without_access_says_how_to_get_it(monkeypatch):
    import datasets
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(DataAccessError, match=r"AIMH/SWMH could not be loaded.*accept the terms.*HF_TOKEN.*val\.csv"):
        read_source(DataConfig(source="swmh"), seed=0)


@pytest.mark.parametrize("hub_id", [None, "someone/emotion"])
def test_hub_tables_give_class_labels_by_name(hub_id, monkeypatch):
    import datasets

    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["sadness", "joy"])}
    )
    table = datasets.Dataset.from_dict({"text": ["one", "two"], "label": [1, 0]}, features=features)
    loaded = datasets.DatasetDict({"train": table, "validation": table})
    monkeypatch.setattr(datasets, "load_dataset", {hub_id or "dair-ai/emotion": loaded}.get)
    posts = read_source(DataConfig(source="emotion", hub_id=hub_id), seed=0).posts
    assert posts["label"].tolist() == ["joy", "sadness", "joy", "sadness"]
    assert posts["post_id"].tolist() == ["train-1", "train-2", "validation-1", "validation-2"]


@pytest.mark.parametrize("source", ["file", "reddit2013", "goemotions", "empathetic_dialogues", "sst5"])
def test_a_source_without_a_path_is_refused(source):
    with pytest.raises(ConfigError, match=r"needs data\.path"):
        read_source(DataConfig(source=source), seed=0)


def test_a_missing_folder_says_how_to_get_the_data(tmp_path):
    with pytest.raises(DataAccessError, match=r"does not exist.*accept the terms"):
        read_source(DataConfig(source="swmh", path=tmp_path / "nowhere"), seed=0)


def test_a_folder_without_a_train_file_is_refused(tmp_path, make_posts):
    make_posts(3, ("a",)).to_csv(tmp_path / "posts.csv", index=False)
    with pytest.raises(DataAccessError, match=r"expected a train file.*found posts\.csv"):
        read_source(DataConfig(source="file", path=tmp_path), seed=0)


def test_two_files_for_one_split_are_refused(tmp_path, make_posts):
    for name in ("train", "val", "dev"):
        make_posts(3, ("a",)).to_csv(tmp_path / f"{name}.csv", index=False)
    with pytest.raises(SchemaError, match=r"two files for the validation split: dev\.csv and val\.csv"):
        read_source(DataConfig(source="file", path=tmp_path), seed=0)


def test_authors_are_numbered_and_deleted_accounts_are_nobody(tmp_path, make_posts):
    names = ["ada_l", "[deleted]", "ada_l", "bob_k", "", "[deleted]"]
    make_posts(6, ("a",), who=names).to_csv(tmp_path / "posts.csv", index=False)
    posts = read_source(DataConfig(source="file", path=tmp_path / "posts.csv", author_column="who"), seed=0).posts
    assert [None if pd.isna(a) else a for a in posts["author_id"]] == [
        "author-000001", None, "author-000001", "author-000002", None, None,
    ]  # fmt: skip
    assert "ada" not in posts.to_csv()


def test_white_space_around_a_name_makes_no_other_author():
    posts = pd.DataFrame({"author_id": ["ada", " ada ", "ada\t", 7, "7"]}, dtype=object)
    assert hide_author_names(posts)["author_id"].tolist() == ["author-000001"] * 3 + ["author-000002"] * 2


def test_several_authors_of_one_post_are_refused_by_id_and_not_shown(tmp_path, make_posts, write_jsonl):
    records = make_posts(3, ("a", "b"), post_id=list("xyz"), who="ada").to_dict("records")
    records[1]["who"] = ["ada", "bob"]
    config = DataConfig(source="file", path=write_jsonl(tmp_path / "posts.jsonl", records), author_column="who")
    with pytest.raises(SchemaError, match=r"a list or an object in 1 rows \(y\); write one name") as caught:
        read_source(config, seed=0)
    assert "bob" not in str(caught.value)


def test_a_list_is_no_id_and_stays_what_it_is_elsewhere(tmp_path, make_posts, write_jsonl):
    records = make_posts(2, ("a", "b"), post_id=[["x"], "y"]).to_dict("records")
    records[1]["label"] = ["a", "b"]
    path = write_jsonl(tmp_path / "posts.jsonl", records)
    posts = read_posts_file(path, text_column="text", label_column="label")
    assert posts["post_id"].tolist() == ["", "y"]
    assert posts["label"].tolist() == ["a", ["a", "b"]]
    config = DataConfig(source="file", path=path, controls=path)
    assert read_source(config, seed=0).controls["control_kind"].tolist() == ["a", ["a", "b"]]


def test_reddit2013_brings_its_controls_dates_and_subreddits(tmp_path, make_posts):
    extra = {"created": "2013-05-01", "score": 3}
    for seed, name in enumerate(("train", "validation", "test")):
        make_posts(5, ("depression", "anxiety"), seed=seed, subreddit="x", **extra).to_csv(
            tmp_path / f"{name}.csv", index=False
        )
    controls = make_posts(4, ("control_plain", "control_emotional"), seed=9, subreddit="Cooking", **extra)
    controls.to_csv(tmp_path / "controls.csv", index=False)
    source = read_source(DataConfig(source="reddit2013", path=tmp_path), seed=0)
    assert source.posts.columns.tolist() == ["post_id", "text", "label", "created_at", "subreddit", "source_split"]
    assert source.controls.columns.tolist() == ["post_id", "text", "control_kind", "created_at", "subreddit"]
    assert set(source.controls["control_kind"]) == {"control_plain", "control_emotional"}


def test_controls_can_come_from_any_file_even_without_kinds(tmp_path, make_posts):
    make_posts(3, ("a", "b")).to_csv(tmp_path / "posts.csv", index=False)
    make_posts(2, ("a",), seed=1).drop(columns="label").to_csv(tmp_path / "others.csv", index=False)
    config = DataConfig(source="file", path=tmp_path / "posts.csv", controls=tmp_path / "others.csv")
    assert read_source(config, seed=0).controls["control_kind"].tolist() == ["control", "control"]


def test_ids_made_from_a_file_name_have_no_spaces(tmp_path: Path) -> None:
    path = tmp_path / "my posts (new).csv"
    path.write_text("text\nsome words\n", encoding="utf-8")
    assert read_posts_file(path, text_column="text")["post_id"].tolist() == ["my-posts-new--1"]


def test_post_id_column_is_the_id_without_being_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text("post_id,text\na7,some words\n", encoding="utf-8")
    assert read_posts_file(path, text_column="text")["post_id"].tolist() == ["a7"]


@pytest.mark.parametrize(("name", "id_column"), [("text", "text"), ("post_id", None)])
def test_the_column_of_the_texts_cannot_be_that_of_the_ids(tmp_path: Path, name: str, id_column: str | None) -> None:
    path = tmp_path / "posts.csv"
    path.write_text(f"{name}\nsome words\n", encoding="utf-8")
    with pytest.raises(SchemaError, match=f"{name!r} is to be both text and id"):
        read_posts_file(path, text_column=name, id_column=id_column)


def test_a_word_of_a_headerless_file_is_no_hint(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text("x1,alice,texted\nx2,bob,tired\n", encoding="utf-8")
    with pytest.raises(SchemaError, match="found 3 columns, none with a usual name") as caught:
        read_posts_file(path, text_column="text")
    assert not any(word in str(caught.value) for word in ("alice", "texted", "did you mean"))


@pytest.mark.parametrize("source", ["goemotions", "empathetic_dialogues"])
def test_machine_paraphrases_beside_the_posts_are_not_read(tmp_path: Path, make_posts, source: str) -> None:
    for seed, name in enumerate(("train", "validation", "test")):
        posts = make_posts(4, ("a", "b"), seed=seed, label_id=0, aug_text=f"a machine wrote this {seed}")
        posts.to_csv(tmp_path / f"{name}.csv", index=False)
    posts = read_source(DataConfig(source=source, path=tmp_path), seed=0).posts
    assert posts.columns.tolist() == ["post_id", "text", "label", "source_split"]
    assert not posts.astype(str).apply(lambda column: column.str.contains("machine")).to_numpy().any()


@pytest.mark.parametrize("source", ["goemotions", "empathetic_dialogues"])
@pytest.mark.parametrize(
    "asked", [{"text_column": "aug_text"}, {"group_columns": ("aug_text",)}, {"author_column": "aug_text"}]
)
def test_a_machine_paraphrase_cannot_be_asked_for(tmp_path: Path, source: str, asked: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"aug_text.*made by a machine"):
        read_source(DataConfig(source=source, path=tmp_path, **asked), seed=0)


@pytest.mark.parametrize(
    ("source", "origin"), [("goemotions", "data/go_emotion/"), ("empathetic_dialogues", "data/ED/"), ("sst5", "sst_")]
)
def test_a_missing_folder_of_emotions_names_the_origin(tmp_path: Path, source: str, origin: str) -> None:
    with pytest.raises(DataAccessError, match=rf"does not exist; set data\.path.*{origin}\{{train"):
        read_source(DataConfig(source=source, path=tmp_path / "nowhere"), seed=0)
