"""The registered model as code: MLflow copies this file beside the bundle and runs it to load the screener.

It keeps nothing between calls but the loaded screener. Thresholds are the bundle's own, unless the operator who serves
the model lets callers change them; the answer then says so.
"""

from pathlib import Path
from threading import Lock
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

from pipelines.serving.guard import BusyError, ScoringFailedError, guard_scoring_server, is_scoring_server
from pipelines.serving.served_screener import (
    ServingConfig,
    choose_thresholds,
    load_screener,
    score_table,
    validate_size,
    write_nulls,
)
from pipelines.unexpected import describe_unexpected
from screening.exceptions import ScreeningError


class ScreenerModel(PythonModel):
    """Scores posts with the screener of the logged bundle."""

    def load_context(self, context: Any) -> None:
        """Load and check the bundle that was logged with the model; in MLflow's scoring server, guard it too."""
        self.config = ServingConfig.model_validate(context.model_config or {})
        self.screener = load_screener(Path(context.artifacts["bundle"]))
        self.lock = Lock()  # one request at a time, on all cores: side by side they would only slow each other down
        self.is_served = is_scoring_server()
        if self.is_served:
            guard_scoring_server(self.config)

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Score posts.

        Parameters
        ----------
        context : mlflow.pyfunc.PythonModelContext
            Not read; MLflow passes it.
        model_input : DataFrame
            Column ``text``, and ``post_id`` where posts have one (else ``post-1``, ``post-2``, … within the call).
        params : dict, optional
            ``threshold_<target>``; see :func:`pipelines.serving.served_screener.choose_thresholds`.

        Returns
        -------
        DataFrame
            One row per post in input order (see :func:`pipelines.serving.served_screener.score_table`); no text.

        Raises
        ------
        SchemaError
            If a text is missing or empty, an id is not unique within the call (posts are named by id), or an HTTP
            request holds too many posts or too much text.
        BusyError
            If an HTTP request waited too long for those before it.
        ConfigError
            If a parameter is given that may not be.
        ScoringFailedError
            If anything else goes wrong; its message says where, and quotes nothing.
        """
        thresholds = choose_thresholds(self.screener, params, self.config)
        if self.is_served:
            validate_size(model_input, self.config)
        if not self.lock.acquire(timeout=self.config.max_wait_seconds if self.is_served else -1):
            message = (
                f"other requests took longer than {self.config.max_wait_seconds:g} seconds; send this one again later"
            )
            raise BusyError(message)
        try:
            table = score_table(self.screener, model_input, thresholds)
        except ScreeningError:
            raise
        except Exception as error:
            raise ScoringFailedError(describe_unexpected(error)) from None
        finally:
            self.lock.release()
        return write_nulls(table) if self.is_served else table


set_model(ScreenerModel())
