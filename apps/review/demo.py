"""The demonstration: a database per screener version, and an account with a fresh password at every start."""

from pathlib import Path

import pandas as pd

from apps.review.identity.passwords import generate_password
from apps.review.identity.records import command_line_operator
from apps.review.services.accounts import add_user, is_generated_account, set_password
from apps.review.services.context import ReviewContext
from screening.exceptions import ConfigError, SchemaError


def choose_demo_database(run: Path, scores: pd.DataFrame) -> str:
    """Name ``RUN/review/review-<model version>.db`` and make its folder; another version never meets old decisions.

    Raises
    ------
    SchemaError
        If the scores do not name the one model they come from.
    """
    versions = sorted(set(scores["model_version"].astype(str))) if "model_version" in scores.columns else []
    if len(versions) != 1 or not versions[0].isalnum():
        message = (
            f"expected the test scores of {run} to name one model version, found {len(versions)}; score them again: "
            f"screening evaluate --config {run / 'config.yaml'} --force"
        )
        raise SchemaError(message)
    folder = run / "review"
    folder.mkdir(mode=0o700, exist_ok=True)
    return str(folder / f"review-{versions[0]}.db")


def prepare_demo_user(context: ReviewContext, name: str) -> str:
    """Create the account, or give it the password of this start; returns the password.

    Raises
    ------
    ConfigError
        If a person's account has this name.
    """
    operator, password = command_line_operator(context.clock()), generate_password()
    match is_generated_account(context, operator, name):
        case None:
            add_user(context, operator, name=name, role="reviewer", password=password, credential="demonstration")
        case True:
            set_password(context, operator, name=name, password=password)
        case False:
            message = f"the account {name!r} in this database was made by a person; use another --database for the demo"
            raise ConfigError(message)
    return password
