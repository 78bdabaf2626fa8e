"""`mlflow models serve` on a screener, asked over HTTP as a stranger would, in good and bad ways."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pipelines.serving.registered_model import export_screener
from pipelines.tracking import import_mlflow
from screening.scoring import Screener
from tests.integration.served_model import Server, serve

pytestmark = pytest.mark.slow

PLANTED = "zyxquartz lanternfish"
TEXTS = [
    f"i feel so tired today {PLANTED}",
    "my dog is happy",
    "no sleep tonight 😀",
    "été à la plage, ñandú",
    "日本語",
]


@pytest.fixture(scope="module")
def bundle(save_small_bundle: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_bundle(tmp_path_factory.mktemp("served") / "bundle")


@pytest.fixture(scope="module")
def model(bundle: Path) -> Path:
    import_mlflow()
    export_screener(bundle, bundle.with_name("model"))
    return bundle.with_name("model")


@pytest.fixture(scope="module")
def server(model: Path) -> Iterator[Server]:
    with serve(model, model.with_name("server.log")) as running:
        yield running


def as_records(texts: list[str]) -> list[dict[str, Any]]:
    return [{"post_id": f"id-{i}", "text": text} for i, text in enumerate(texts)]


def test_posts_in_any_script_are_scored_as_the_screener_scores_them(server: Server, bundle: Path) -> None:
    status, answer = server.score(as_records(TEXTS))
    assert status == 200
    expected = Screener.load(bundle).score(TEXTS, [f"id-{i}" for i in range(len(TEXTS))])
    rows = answer["predictions"]
    for name in ("post_id", "triage", "n_tokens"):
        assert [row[name] for row in rows] == expected[name].tolist()
    for name in ("risk_any_risk", "risk_suicidewatch", "valence"):
        assert [row[name] for row in rows] == pytest.approx(expected[name].tolist(), abs=1e-6)  # JSON, one thread
    assert {row["operating_point"] for row in rows} == {"certified"}
    assert not any("text" in row for row in rows)


def test_csv_with_a_header_and_no_ids_is_scored(server: Server) -> None:
    status, answer = server.ask("POST", "/invocations", b"text\nmy dog is happy\nno sleep\n", "text/csv")
    assert status == 200
    assert [row["post_id"] for row in json.loads(answer)["predictions"]] == ["post-1", "post-2"]


REFUSED = {
    "malformed JSON": (b'{"dataframe_records": [{"text": "%s"' % PLANTED.encode(), "application/json"),
    "not UTF-8": (b'{"x": "\xff %s"}' % PLANTED.encode(), "application/json"),
    "a list": (json.dumps([PLANTED]).encode(), "application/json"),
    "deeply nested": (b"[" * 100_000, "application/json"),
    "no body": (b"", "application/json"),
    "no posts": (b'{"dataframe_records": []}', "application/json"),
    "another format": (json.dumps({"posts": [PLANTED]}).encode(), "application/json"),
    "wrong column": (json.dumps({"dataframe_records": [{"body": PLANTED}]}).encode(), "application/json"),
    "a number for a text": (
        json.dumps({"dataframe_records": [{"text": 5, "post_id": PLANTED}]}).encode(),
        "application/json",
    ),
    "a text in a list": (json.dumps({"dataframe_records": [{"text": [PLANTED]}]}).encode(), "application/json"),
    "a missing text": (
        json.dumps({"dataframe_records": [{"text": None}, {"text": PLANTED}]}).encode(),
        "application/json",
    ),
    "an empty text": (
        json.dumps({"dataframe_records": [{"text": " "}, {"text": PLANTED}]}).encode(),
        "application/json",
    ),
    "half a character": (
        b'{"dataframe_records": [{"text": "\\ud800 %s"}]}' % PLANTED.encode(),
        "application/json",
    ),
    "a text as id": (
        json.dumps({"dataframe_records": [{"text": "a", "post_id": PLANTED}]}).encode(),
        "application/json",
    ),
    "ids that repeat": (
        json.dumps({"dataframe_records": [{"text": PLANTED, "post_id": "a"}] * 2}).encode(),
        "application/json",
    ),
    "columns that do not fit": (
        json.dumps({"dataframe_split": {"columns": ["text"], "data": [[PLANTED, PLANTED]]}}).encode(),
        "application/json",
    ),
    "a parameter of another type": (
        json.dumps({"dataframe_records": [{"text": "a"}], "params": {"threshold_any_risk": PLANTED}}).encode(),
        "application/json",
    ),
    "CSV without a header": (f"{PLANTED}\n{PLANTED}\n".encode(), "text/csv"),
    "broken CSV": (f'text\n"{PLANTED}\n"a","b\n'.encode(), "text/csv"),
    "no Parquet": (PLANTED.encode(), "application/vnd.apache.parquet"),
    "another type of content": (PLANTED.encode(), "text/plain"),
    "a text as type of content": (b"{}", f"application/json; charset=utf-8; {PLANTED}=1"),
    "no type of content": (PLANTED.encode(), None),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_request_is_refused_with_a_reason_and_without_its_words(server: Server, case: str) -> None:
    status, answer = server.ask("POST", "/invocations", *REFUSED[case])
    assert 400 <= status < 500, answer
    assert "expected" in answer or "break the schema" in answer
    assert PLANTED not in answer


def test_many_posts_or_a_long_body_are_refused_before_they_are_scored(server: Server) -> None:
    status, answer = server.score([{"text": "a"}] * 100_000)
    assert (status, answer["error_code"]) == (400, "BAD_REQUEST")
    assert "at most 1,000 posts in one request, found 100,000" in answer["message"]
    status, answer = server.score([{"text": f"{PLANTED} " * 2_400_000}])  # 50 MB
    assert (status, answer["error_code"]) == (413, "REQUEST_TOO_LARGE")
    status, answer = server.score([{"text": "a" * 40_001}])
    assert status == 400
    assert "at most 40,000 characters" in answer["message"]
    assert server.ask("GET", "/ping")[0] == 200


def test_a_threshold_of_the_callers_is_refused(server: Server) -> None:
    status, answer = server.score([{"text": "my dog is happy"}], threshold_any_risk=0.0)
    assert status == 400
    assert "thresholds are certified" in answer["message"]


def test_concurrent_requests_give_what_they_give_one_after_another(server: Server) -> None:
    requests = [as_records([f"{text} {i}" * (1 + 9 * (i % 3)) for text in TEXTS]) for i in range(24)]  # some are long
    one_by_one = [server.score(posts) for posts in requests]
    with ThreadPoolExecutor(8) as pool:
        at_once = list(pool.map(server.score, requests))
    assert {status for status, _ in one_by_one} == {200}
    assert at_once == one_by_one


def test_health_and_version_answer_and_nothing_of_a_post_was_logged(server: Server) -> None:
    assert [server.ask("GET", path)[0] for path in ("/ping", "/health", "/version")] == [200, 200, 200]
    server.score(as_records(TEXTS))
    server.ask("POST", "/invocations", json.dumps({"dataframe_records": [{"text": "a", PLANTED: 1}]}).encode())
    for body, content_type in REFUSED.values():
        server.ask("POST", "/invocations", body, content_type)
    log = server.log.read_text(encoding="utf-8")
    assert "POST /invocations" in log
    assert PLANTED not in log
    assert "Traceback" not in log


def test_an_operator_can_let_callers_choose_and_the_answer_says_so(model: Path) -> None:
    settings = json.dumps({"allow_threshold_override": True, "max_posts": 2})
    with serve(model, model.with_name("open.log"), MLFLOW_PYFUNC_INFERENCE_CONFIG=settings) as open_server:
        status, answer = open_server.score([{"text": "my dog is happy"}], threshold_any_risk=1.0)
        assert (status, answer["predictions"][0]["operating_point"]) == (200, "override")
        assert answer["predictions"][0]["threshold_any_risk"] == 1.0
        assert open_server.score([{"text": "a"}] * 3)[0] == 400
