"""The guard answers what MLflow's server cannot: with a status, a reason of ours, and nothing of the request."""

import json
from typing import NamedTuple

import pytest

from pipelines.serving.guard import EXPECTED, BusyError, ScoringFailedError, guard, is_scoring_server
from screening.exceptions import SchemaError

SECRET = "zyxquartz lanternfish"


class Answer(NamedTuple):
    response: str
    status: int
    mimetype: str


def ask(invocations, body=b"{}", content_type="application/json"):
    return guard(invocations, Answer, 10)(body, content_type, "model", "schema")


def fail_while_handling(inner):
    """Raise as MLflow does: an error of its own, quoting the request, while the model's is handled."""

    def predict():
        raise inner

    def invocations(*_):
        try:
            predict()
        except Exception:
            message = f"Failed to predict data {SECRET}"
            raise LookupError(message)  # noqa: B904  # as MLflow does

    return invocations


def test_a_good_answer_passes_as_it_is():
    good = Answer("[]", 200, "application/json")
    assert ask(lambda *_: good) is good


def test_a_body_over_the_limit_is_refused_before_it_is_read():
    answer = ask(lambda *_: pytest.fail("was read"), body=b"x" * 11)
    assert answer.status == 413
    assert "at most 10 bytes, found 11" in answer.response


def test_a_reason_of_ours_is_passed_on_and_the_servers_is_not():
    answer = ask(fail_while_handling(SchemaError("text is empty: 1 rows (post-1)")))
    assert answer.status == 400
    assert json.loads(answer.response)["message"] == "text is empty: 1 rows (post-1)"


def test_a_request_that_cannot_be_read_is_not_repeated():
    answer = ask(fail_while_handling(ValueError(SECRET)))
    assert (answer.status, json.loads(answer.response)["message"]) == (400, EXPECTED)


def test_a_failure_of_ours_is_500_and_logged_without_the_servers_message(caplog):
    answer = ask(fail_while_handling(ScoringFailedError("unexpected KeyError at: forward.py:1")))
    assert answer.status == 500
    assert "forward.py:1" in caplog.text
    assert SECRET not in caplog.text + answer.response


def test_a_request_that_waited_too_long_is_503():
    answer = ask(fail_while_handling(BusyError("other requests took longer than 20 seconds")))
    assert (answer.status, json.loads(answer.response)["error_code"]) == (503, "BUSY")


def test_an_unknown_content_type_is_not_repeated():
    answer = ask(lambda *_: Answer(f"Got '{SECRET}'", 415, "text/plain"), content_type=SECRET)
    assert answer.status == 415
    assert SECRET not in answer.response


def test_a_missing_content_type_is_passed_on_as_an_empty_one():
    seen = []
    ask(lambda *arguments: seen.append(arguments) or Answer("", 415, ""), content_type=None)
    assert seen == [(b"{}", "", "model", "schema")]


def test_a_test_is_no_scoring_server():
    assert not is_scoring_server()
