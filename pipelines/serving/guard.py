"""A guard around MLflow's scoring server, which has no limits and quotes a refused request in its answer.

The server (``mlflow models serve``) reads a request in one function, ``mlflow.pyfunc.scoring_server.invocations``. The
guard stands around that function: it checks a request's size before it is parsed, and answers a refused one in words of
its own, so that no post text reaches an answer, a proxy's log or the server's. It replaces a function of MLflow's
because MLflow offers no place for this; the model's requirements pin the MLflow version, and a model whose server lacks
that function does not start.
"""

import json
import logging
import sys
from collections.abc import Callable
from typing import Any

from pipelines.serving.served_screener import INPUT_COLUMNS, ServingConfig
from screening.exceptions import ScreeningError

EXPECTED = (
    'expected JSON like {"dataframe_records": [{"text": "…", "post_id": "a1"}]} (or CSV with a header) with a column '
    f"{INPUT_COLUMNS[0]} of strings and, if posts have ids, a column {INPUT_COLUMNS[1]} of strings; found something "
    "else, which is not repeated here because it may hold posts"
)
_SERVER = "mlflow.pyfunc.scoring_server.app"

logger = logging.getLogger(__name__)


class ScoringFailedError(RuntimeError):
    """Scoring broke for a reason that is not the caller's; the message names places in the code and no post."""


class BusyError(RuntimeError):
    """Other requests kept the screener busy for too long; the message names no post."""


def is_scoring_server() -> bool:
    """Tell whether this process is MLflow's scoring server."""
    return _SERVER in sys.modules


def guard_scoring_server(config: ServingConfig) -> None:
    """Put the guard around the scoring server of this process.

    Parameters
    ----------
    config : ServingConfig
        Its ``max_request_bytes`` holds for every request from now on.
    """
    from mlflow.pyfunc import scoring_server

    scoring_server.invocations = guard(
        scoring_server.invocations, scoring_server.InvocationsResponse, config.max_request_bytes
    )
    # warnings about columns and parameters it ignores name them, and a CSV file without a header names posts
    logging.getLogger("mlflow.models.utils").setLevel(logging.ERROR)


def guard(invocations: Callable[..., Any], respond: Callable[..., Any], max_request_bytes: int) -> Callable[..., Any]:
    """Wrap the function that answers requests.

    Parameters
    ----------
    invocations : callable
        MLflow's: called with body, content type, model and input schema; raises what it cannot answer.
    respond : callable
        Makes an answer of ``response``, ``status`` and ``mimetype``.
    max_request_bytes : int

    Returns
    -------
    callable
        Raises nothing. A refused request is answered with ``{"error_code": …, "message": …}``.
    """

    def refuse(status: int, code: str, message: str) -> Any:
        body = json.dumps({"error_code": code, "message": message}, ensure_ascii=False)
        return respond(response=body, status=status, mimetype="application/json")

    def answer(data: bytes, content_type: str | None, *rest: Any) -> Any:
        if len(data) > max_request_bytes:
            message = f"expected a request of at most {max_request_bytes:,} bytes, found {len(data):,}"
            return refuse(413, "REQUEST_TOO_LARGE", f"{message}; send fewer posts at a time")
        try:
            answered = invocations(data, content_type or "", *rest)
        except Exception as error:
            cause = error.__context__ or error  # MLflow raises its own error while it handles the model's
            if isinstance(cause, ScreeningError):
                return refuse(400, "BAD_REQUEST", str(cause))
            if isinstance(cause, BusyError):
                return refuse(503, "BUSY", str(cause))
            if isinstance(cause, ScoringFailedError):
                logger.error("%s", cause)  # noqa: TRY400  # the trace of MLflow's error would quote the request
                return refuse(500, "INTERNAL_ERROR", "scoring failed; the server's log says where")
            return refuse(400, "BAD_REQUEST", EXPECTED)
        return answered if answered.status == 200 else refuse(answered.status, "BAD_REQUEST", EXPECTED)

    return answer
