"""The data set is rebuilt from files of the crawl's shape: which posts stay, and where they go."""

import csv
import functools
import html
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import IncompleteRead
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from screening.data import reddit2013
from screening.data.reddit2013 import CONTROLS, DIGESTS, LABELS, MAX_CONTROLS, build_reddit2013, is_as_published
from screening.exceptions import DataAccessError, SchemaError

BODY = "one two three four five six seven eight nine ten"


def post(
    title: str, body: str = BODY, *, score: int = 5, is_self: str = "True", day: str = "2013-08-15"
) -> dict[str, Any]:
    second = datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() + 86_399
    return {
        "created_utc": str(second), "score": str(score), "domain": "self", "id": "x", "title": title, "author": "",
        "selftext": body, "is_self": is_self, "permalink": "https://example.invalid/x",
    }  # fmt: skip


def write_crawl(folder: Path, posts: dict[str, list[dict[str, Any]]]) -> Path:
    """One file per community; those not named hold one post of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*LABELS, *CONTROLS):
        rows = posts.get(name) or [post(f"the only post of {name}")]
        pd.DataFrame(rows).to_csv(folder / f"{name}.csv", index=False, quoting=csv.QUOTE_ALL)
    return folder


def read_titles(tables: dict[str, pd.DataFrame], community: str) -> list[str]:
    found = pd.concat(tables.values())
    return sorted(found.loc[found["subreddit"] == community, "text"].str.split("\n").str[0])


def test_text_posts_of_ten_words_stay(tmp_path: Path) -> None:
    rows = [
        post("ten words"),
        post("nine words", BODY.removesuffix(" ten")),
        post("a link", is_self="False"),
        post("gone", "[deleted]"),
    ]
    tables = build_reddit2013(str(write_crawl(tmp_path, {"depression": rows})))
    assert read_titles(tables, "depression") == ["ten words"]


def test_entities_are_decoded_once_and_only_the_day_is_kept(tmp_path: Path) -> None:
    row = post("R&amp;D &amp;lt;3", f"  {BODY} &gt; eleven  ", day="2012-02-29")
    tables = build_reddit2013(str(write_crawl(tmp_path, {"Anxiety": [row]})))
    found = pd.concat(tables.values())
    (kept,) = found[found["subreddit"] == "Anxiety"].to_dict("records")
    assert kept["text"] == f"R&D &lt;3\n  {BODY} > eleven"
    assert kept["created"] == "2012-02-29"
    assert kept["label"] == "anxiety"
    assert list(found.columns) == ["text", "label", "subreddit", "created", "score"]


def test_a_repeated_text_stays_once_and_one_of_two_labels_nowhere(tmp_path: Path) -> None:
    same, both = "Same  TEXT", "both"
    posts = {
        "bipolar": [post(same), post("same text"), post(both)],
        "BipolarReddit": [post("same text", score=99)],  # the same label
        "SuicideWatch": [post(both), post("kept")],
        "jobs": [post("c"), post("C")],
    }
    tables = build_reddit2013(str(write_crawl(tmp_path, posts)))
    assert read_titles(tables, "bipolar") == [same]
    assert read_titles(tables, "BipolarReddit") == []
    assert read_titles(tables, "SuicideWatch") == ["kept"]
    assert read_titles(tables, "jobs") == ["c"]


def test_of_a_control_community_the_posts_of_highest_score_stay_in_order(tmp_path: Path) -> None:
    rows = [post(f"post {i}", score=i) for i in range(MAX_CONTROLS + 30)]
    tables = build_reddit2013(str(write_crawl(tmp_path, {"math": rows})))
    math = tables["controls"][tables["controls"]["subreddit"] == "math"]
    assert math["score"].tolist() == list(range(MAX_CONTROLS + 29, 29, -1))
    assert set(math["label"]) == {"control_plain"}


def test_every_community_is_divided_by_itself_and_the_same_way_each_time(tmp_path: Path) -> None:
    posts = {name: [post(f"{name} {i}") for i in range(20 + 10 * k)] for k, name in enumerate(LABELS)}
    folder = write_crawl(tmp_path, posts)
    tables, again = build_reddit2013(str(folder)), build_reddit2013(str(folder))
    for k, name in enumerate(LABELS):
        counts = [int((tables[split]["subreddit"] == name).sum()) for split in ("train", "validation", "test")]
        n = 20 + 10 * k
        assert counts == [round(0.7 * n), round(0.1 * n), n - round(0.7 * n) - round(0.1 * n)]
    for split, table in tables.items():
        pd.testing.assert_frame_equal(table, again[split])


@pytest.fixture
def web_server(tmp_path: Path) -> Iterator[str]:
    folder = write_crawl(tmp_path / "crawl" / "data", {})
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(folder))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]  # of the partial's class
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_an_address_and_both_folders_of_a_clone_give_the_same(web_server: str, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    places = (f"{web_server}/", str(tmp_path / "crawl"), str(tmp_path / "crawl" / "data"))
    first, *others = [build_reddit2013(place, lambda done, n: seen.append((done, n))) for place in places]
    for other in others:
        for name, table in first.items():
            pd.testing.assert_frame_equal(table, other[name])
    assert seen[:2] == [(1, 28), (2, 28)]
    assert len(seen) == 3 * 28


def test_a_file_that_is_not_there_is_named_with_what_to_do(web_server: str, tmp_path: Path) -> None:
    (tmp_path / "crawl" / "data" / "jobs.csv").unlink()
    for place in (web_server, str(tmp_path / "crawl")):
        with pytest.raises(DataAccessError, match=r"jobs\.csv cannot be read .* --from"):
            build_reddit2013(place)
    with pytest.raises(DataAccessError, match="neither"):
        build_reddit2013("ftp://example.invalid/data")


def test_a_download_that_breaks_off_is_an_answer_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_off(*_: Any, **__: Any) -> Any:
        half = b"half"
        raise IncompleteRead(half)

    monkeypatch.setattr(reddit2013, "urlopen", break_off)
    with pytest.raises(DataAccessError, match="--from"):
        build_reddit2013("https://example.invalid/data")


@pytest.mark.parametrize("content", ["", "text,label\na,b\n", "a,b\n1,2,3,4\n", "\ufeff\x00"])
def test_a_file_of_another_shape_is_refused(tmp_path: Path, content: str) -> None:
    (write_crawl(tmp_path, {}) / "offmychest.csv").write_text(content, encoding="utf-8")
    with pytest.raises(SchemaError, match=r"offmychest\.csv: expected"):
        build_reddit2013(str(tmp_path))


def test_a_number_that_is_none_is_refused_without_quoting_it(tmp_path: Path) -> None:
    broken = post("a post") | {"score": "a secret thought"}
    with pytest.raises(SchemaError, match="expected numbers") as refused:
        build_reddit2013(str(write_crawl(tmp_path, {"depression": [broken]})))
    assert "secret" not in f"{refused.value}{refused.value.__context__ if refused.value.__cause__ else ''}"


@pytest.mark.real_data
def test_the_published_files_come_out_byte_for_byte(reddit2013_folder: Path, tmp_path: Path) -> None:
    """The files put back where they stood in the crawl give the same files again, division and order included."""
    published = {
        name: pd.read_csv(reddit2013_folder / f"{name}.csv", dtype=str, keep_default_na=False) for name in DIGESTS
    }
    drawn = pd.concat(
        published[name].set_index(np.random.RandomState(0).permutation(len(published[name]))).sort_index()
        for name in ("train", "validation", "test")
    )
    rng = np.random.RandomState(0)
    posts = {}
    for name in sorted(LABELS):
        rows = drawn[drawn["subreddit"] == name]
        taken = rng.permutation(len(rows))
        n_train, n_validation = round(0.7 * len(rows)), round(0.1 * len(rows))
        parts = np.split(taken, [n_train, n_train + n_validation])
        posts[name] = rows.set_index(np.concatenate([np.sort(part) for part in parts])).sort_index()
    posts |= dict(list(published["controls"].groupby("subreddit")))
    crawl = {
        name: [
            post(*map(html.escape, row.text.split("\n", 1)), score=int(row.score), day=row.created)
            for row in table.itertuples()
        ]
        for name, table in posts.items()
    }
    tables = build_reddit2013(str(write_crawl(tmp_path, crawl)))
    same = {name: is_as_published(name, table.to_csv(index=False).encode()) for name, table in tables.items()}
    assert same == dict.fromkeys(DIGESTS, True)  # no text in the message of a failure
