"""The demonstration account: a fresh password at every start."""

from apps.review.identity.passwords import generate_password
from apps.review.identity.records import command_line_operator
from apps.review.services.accounts import add_user, is_generated_account, set_password
from apps.review.services.context import ReviewContext
from screening.exceptions import ConfigError


def prepare_demo_user(context: ReviewContext, name: str) -> str:
    """Create the account, or give it the password of this start; returns the password.

    Raises
    ------
    ConfigError
        If a person's account has this name.
    """
    operator, password = command_line_operator(context.clock()), generate_password()
    match is_generated_account(context, name):
        case None:
            add_user(context, operator, name=name, role="reviewer", password=password, is_generated=True)
        case True:
            set_password(context, operator, name=name, password=password)
        case False:
            message = f"the account {name!r} in this database was made by a person; use another --database for the demo"
            raise ConfigError(message)
    return password
