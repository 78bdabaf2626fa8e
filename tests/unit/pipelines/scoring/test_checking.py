"""Parts are cut at the same rows every time, and ids are told apart however many there are."""

import numpy as np

from pipelines.scoring.checking import MAX_PART_CHARACTERS, compute_rows_digest, cut_parts
from pipelines.scoring.rows import Row
from pipelines.scoring.seen_ids import SeenIds


def _row(number: int, text: object = "post") -> Row:
    return Row("posts.csv", number, number + 1, f"posts-{number}", text)


def test_parts_end_after_so_many_rows_or_characters() -> None:
    rows = [_row(n) for n in range(7)]
    assert [len(part) for part in cut_parts(rows, 3)] == [3, 3, 1]
    long = "x" * (MAX_PART_CHARACTERS // 2)
    assert [len(part) for part in cut_parts([_row(0, long), _row(1), _row(2, long), _row(3)], 100)] == [3, 1]
    assert list(cut_parts([], 3)) == []


def test_the_digest_of_rows_changes_with_any_cell_and_not_with_the_name_of_the_file() -> None:
    rows = [_row(1), _row(2)]
    digest = compute_rows_digest(rows)
    assert digest == compute_rows_digest([row._replace(source="/moved/posts.csv") for row in rows])
    for changed in ({"text": "other"}, {"text": None}, {"post_id": "x"}, {"fault": "broken"}, {"text": "\udce9"}):
        assert compute_rows_digest([rows[0]._replace(**changed), rows[1]]) != digest
    assert compute_rows_digest(rows[::-1]) != digest


def test_repeats_are_those_a_set_would_find() -> None:
    rng = np.random.default_rng(7)
    seen, known = SeenIds(), set()
    for _ in range(40):
        names = [f"id-{n}" for n in rng.integers(0, 5_000, size=rng.integers(0, 400))]
        expected = []
        for name in names:
            expected.append(name in known)
            known.add(name)
        assert seen.mark_repeats(names).tolist() == expected
