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
            Column ``text``, and ``post_id`` where posts have one.
        params : None
            There are none; MLflow's interface has the argument.

        Returns
        -------
        DataFrame
            The score table, one row per post in input order; no text.

        Raises
        ------
        ValueError
            If a text is missing (rows are named by id or position), or parameters are passed.
        """
        if params:
            message = f"expected no parameters, found {sorted(params)}; thresholds are fixed when a run is calibrated"
            raise ValueError(message)
        is_missing = model_input["text"].isna()
        if is_missing.any():
            names = model_input["post_id"] if "post_id" in model_input else pd.Series(range(len(model_input)))
            rows = names[is_missing.to_numpy()].tolist()[:20]
            message = f"expected a text in every row, found {int(is_missing.sum())} without: {rows}; drop them first"
            raise ValueError(message)
        post_ids = model_input["post_id"].tolist() if "post_id" in model_input else None
        return self.screener.score(model_input["text"].tolist(), post_ids)


set_model(ScreenerModel())
