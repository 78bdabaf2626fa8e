"""The registered model as code: MLflow copies this file beside the bundle and runs it to load the screener.

It needs only MLflow, pandas and `screening`, and keeps nothing between calls but the loaded screener. Thresholds are
the bundle's own; there is no parameter to change them.
"""

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

from screening.scoring import Screener


class ScreenerModel(PythonModel):
    """Scores posts with the screener of the logged bundle."""

    def load_context(self, context: Any) -> None:
        """Load and check the bundle that was logged with the model."""
        self.screener = Screener.load(Path(context.artifacts["bundle"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Score posts.

        Parameters
        ----------
        context : mlflow.pyfunc.PythonModelContext
            Not read; MLflow passes it.
        model_input : DataFrame
            Column ``text``, and ``post_id`` where posts have one (else ``post-1``, ``post-2``, … within the call).
        params : None
            There are none; MLflow's interface has the argument.

        Returns
        -------
        DataFrame
            The score table, one row per post in input order, and ``model_version``; no text.

        Raises
        ------
        SchemaError
            If a text is missing or empty, or an id is not unique within the call; posts are named by id.
        ValueError
            If parameters are passed.
        """
        if params:
            message = f"expected no parameters, found {sorted(params)}; thresholds are fixed when a run is calibrated"
            raise ValueError(message)
        post_ids = model_input["post_id"].tolist() if "post_id" in model_input else None
        scores = self.screener.score(model_input["text"].tolist(), post_ids)
        return scores.assign(model_version=self.screener.version)


set_model(ScreenerModel())
