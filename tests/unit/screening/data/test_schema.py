import numpy as np
import pandas as pd
import pytest

from screening.data.schema import MAX_LISTED, parse_dates, validate_posts
from screening.exceptions import SchemaError

SECRET = "the purple walrus sang"
NO_ID = "id is empty, has spaces, signs that cannot be seen, or over 100 characters"


def make_table(**columns: list[object]) -> pd.DataFrame:
    n_rows = len(next(iter(columns.values())))
    base = {"post_id": [f"id{i}" for i in range(n_rows)], "text": [f"{SECRET} {i}" for i in range(n_rows)]}
    return pd.DataFrame({**base, **columns}, dtype=object)


def catch_message(table: pd.DataFrame, **options: object) -> str:
    with pytest.raises(SchemaError) as caught:
        validate_posts(table, **{"max_characters": 100, **options})
    assert caught.value.__cause__ is None  # the checker's own error quotes the rows
    assert SECRET not in str(caught.value)
    return str(caught.value)


def test_good_posts_pass():
    table = make_table(label=["a", "b"], created_at=["2020-01-31", None], group=["x", None])
    validate_posts(table, max_characters=100, labels={"a", "b"}, group_columns=["group"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "text is empty"),
        (" \n\t", "text is empty"),
        (None, "text is missing or not a string"),
        (float("nan"), "text is missing or not a string"),
        (17, "text is missing or not a string"),
        (SECRET * 10, "text is over 100 characters"),
        ("a\x00b", "text holds NUL bytes"),
        ("a\ud800b", "text is not valid Unicode"),
    ],
)
def test_bad_texts_are_listed_by_id_and_reason(text, reason):
    message = catch_message(make_table(text=["fine", text, "fine too"]))
    assert f"{reason}: 1 rows (id1)" in message
    assert "1 of 3 rows" in message


def test_every_bad_row_is_counted_and_every_reason_is_listed():
    table = make_table(text=["", 3, "fine", ""], label=["a", SECRET, SECRET, "a"])
    message = catch_message(table, labels={"a", "b"})
    assert "4 of 4 rows" in message
    assert "text is empty: 2 rows (id0, id3)" in message
    assert "label is none of a, b (data.taxonomy may name a file of other labels): 2 rows (id1, id2)" in message


def test_long_lists_are_cut_but_counted():
    message = catch_message(make_table(text=[""] * (MAX_LISTED + 5)))
    assert f"text is empty: {MAX_LISTED + 5} rows" in message
    assert "and 5 more" in message
    assert "id20" not in message


def test_rows_with_repeated_ids_are_named_by_their_number():
    message = catch_message(make_table(post_id=["ada", "bob", "ada"], text=["fine", "", "fine"]))
    assert "id is not unique: 2 rows (row 1, row 3)" in message
    assert "text is empty: 1 rows (row 2)" in message
    assert "ada" not in message
    assert "bob" not in message


def test_an_id_that_may_be_a_text_is_named_by_its_row():
    message = catch_message(make_table(post_id=["x", SECRET, ""], source_split=["test"] * 3))
    assert f"{NO_ID}: 2 rows (test row 2, test row 3)" in message


@pytest.mark.parametrize("sign", ["\x00", "\x1b", "\u202e", "\u200b", "\ud800", "\ue000", "\uffff"])
def test_an_id_with_a_sign_that_cannot_be_seen_is_refused_and_not_shown(sign):
    message = catch_message(make_table(post_id=["t3_x", "日本-é=1", f"t3{sign}y"]))
    assert f"1 of 3 rows break the schema; nothing was written\n  {NO_ID}: 1 rows (row 3)" in message
    assert sign not in message


@pytest.mark.parametrize("post_id", ["我今天觉得很难过不想说话", "ada@example.org", "a" * 65, "x\ud800"])
def test_an_id_with_characters_of_a_text_is_not_shown(post_id):
    message = catch_message(make_table(post_id=["r/a:1", post_id], text=["", ""]))
    assert "text is empty: 2 rows (r/a:1, row 2)" in message
    assert post_id not in message


def test_rows_are_numbered_within_their_split():
    table = make_table(post_id=["一", "二", "三"], text=["", "fine", ""], source_split=["train", "train", "test"])
    assert "text is empty: 2 rows (train row 1, test row 1)" in catch_message(table)


def test_bad_dates_are_listed():
    message = catch_message(make_table(created_at=["2020-02-30", "2020-02-28", "", "yesterday"]))
    assert "date is neither ISO 8601 nor epoch seconds: 2 rows (id0, id3)" in message


def test_group_values_that_may_be_texts_are_refused():
    message = catch_message(make_table(group=["short", SECRET * 4]), group_columns=["group"])
    assert "group is over 60 characters, or has some that cannot be printed: 1 rows (id1)" in message


def test_lists_and_objects_in_cells_are_listed_with_the_other_bad_rows():
    several = [["a", "b"], np.array(["a", "b"]), {"a": 1}, []]
    table = make_table(
        text=[*several, "fine"], label=[*several, "a"], created_at=[*several, None], group=[*several, "x"]
    )
    message = catch_message(table, labels={"a"}, group_columns=["group"])
    assert "4 of 5 rows" in message
    for reason in (
        "text is missing or not a string",
        "label is none of a (data.taxonomy may name a file of other labels)",
        "date is neither ISO 8601 nor epoch seconds",
        "group is a list or an object, not one value",
    ):
        assert f"{reason}: 4 rows (id0, id1, id2, id3)" in message
    assert "group is over" not in message


def test_dates_are_read_as_utc_times_without_a_zone():
    values = pd.Series(
        ["2013-08-15", "2013-08-15T10:00:00+02:00", 1376524800, "1376524800.0", None, "", "soon"], dtype=object
    )
    parsed = parse_dates(values)
    assert parsed.dtype == "datetime64[us]"
    assert parsed.astype(str).tolist()[:4] == [
        "2013-08-15 00:00:00",
        "2013-08-15 08:00:00",
        *["2013-08-15 00:00:00"] * 2,
    ]
    assert parsed[4:].isna().all()


def test_a_column_without_any_date_is_all_missing():
    assert parse_dates(pd.Series([None, ""], dtype=object)).isna().all()
