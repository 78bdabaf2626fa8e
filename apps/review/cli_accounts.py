"""Commands about people: adding them, their roles and passwords, closing their accounts."""

import os
from typing import Annotated

import typer

from apps.review.cli_options import Database, open_as_operator
from screening.exceptions import ConfigError

PASSWORD_VARIABLE = "SCREENING_REVIEW_PASSWORD"  # noqa: S105  # the name of a variable, not a password

Role = Annotated[str, typer.Option(help="reviewer, lead, auditor or admin")]
IsGenerated = Annotated[
    bool, typer.Option("--generate", help="Print a password for one sign-in, at which the person chooses their own")
]


def add_user(
    name: str,
    role: Role,
    provider: Annotated[str, typer.Option(help="local, oidc (NAME is the e-mail address) or proxy")] = "local",
    subject: Annotated[str | None, typer.Option(help="The OpenID Connect provider's own name for the person")] = None,
    generate: IsGenerated = False,
    database: Database = None,
) -> None:
    """Create an account; a local one's password comes from a prompt, or from $SCREENING_REVIEW_PASSWORD."""
    from apps.review.services import accounts

    context, operator = open_as_operator(database, must_exist=False)
    password = _choose_password(is_generated=generate) if provider == "local" else None
    user_name = accounts.add_user(
        context,
        operator,
        name=name,
        role=role,
        password=password,
        credential="one_time" if generate else "own",
        provider=provider,
        subject=subject,
    )
    typer.echo(f"Added {user_name} as {role}.")
    _show_generated(password, is_generated=generate)


def set_password(name: str, generate: IsGenerated = False, database: Database = None) -> None:
    """Give an account a new password; ends its sessions and its lockout."""
    from apps.review.services import accounts

    context, operator = open_as_operator(database)
    password = _choose_password(is_generated=generate)
    accounts.set_password(context, operator, name=name, password=password, is_one_time=generate)
    typer.echo(f"New password set for {name}.")
    _show_generated(password, is_generated=generate)


def set_role(name: str, role: Role, database: Database = None) -> None:
    """Give someone another role; counts at their next click."""
    from apps.review.services import accounts

    context, operator = open_as_operator(database)
    accounts.change_role(context, operator, name=name, role=role)
    typer.echo(f"{name} is {role} now.")


def deactivate_user(name: str, database: Database = None) -> None:
    """Close an account; its sessions end at once, its decisions stay."""
    from apps.review.services import accounts

    context, operator = open_as_operator(database)
    accounts.deactivate_user(context, operator, name=name)
    typer.echo(f"The account {name} is closed.")


def reactivate_user(name: str, database: Database = None) -> None:
    """Open a closed account again."""
    from apps.review.services import accounts

    context, operator = open_as_operator(database)
    accounts.reactivate_user(context, operator, name=name)
    typer.echo(f"The account {name} is open again.")


def unlock_user(name: str, database: Database = None) -> None:
    """End the rest an account takes after five wrong passwords."""
    from apps.review.services import accounts

    context, operator = open_as_operator(database)
    accounts.unlock_user(context, operator, name=name)
    typer.echo(f"{name} may sign in again.")


def list_users(database: Database = None) -> None:
    """List accounts: name, role, way in, standing."""
    from apps.review.services.accounts import list_accounts

    context, operator = open_as_operator(database)
    for account in list_accounts(context, operator):
        standing = "closed" if not account.is_active else "locked" if account.is_locked else "open"
        typer.echo(f"{account.name}\t{account.role}\t{account.provider}\t{standing}")


def register_account_commands(app: typer.Typer) -> None:
    """Add these commands to the app's."""
    for command in (add_user, set_password, set_role, deactivate_user, reactivate_user, unlock_user, list_users):
        app.command(command.__name__.replace("_", "-"))(command)


def _choose_password(*, is_generated: bool) -> str:
    if is_generated:
        from apps.review.identity.passwords import generate_password

        return generate_password()
    password = os.environ.get(PASSWORD_VARIABLE)
    if password is not None:
        return password
    try:
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    except typer.Abort:
        message = f"no password given; type one, or set {PASSWORD_VARIABLE}"
        raise ConfigError(message) from None


def _show_generated(password: str | None, *, is_generated: bool) -> None:
    if is_generated and password is not None:
        typer.echo(f"  password  {password}   (for one sign-in; shown only here)")
