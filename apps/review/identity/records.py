"""The records of identity: a sign-in attempt, and the person it proved to be."""

import getpass
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Literal, get_args

from pydantic import Field, SecretStr

from screening.types import Record

Role = Literal["reviewer", "lead", "auditor", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
PROVIDERS = ("local", "oidc", "proxy")


class SignInRequest(Record):
    """Whatever a provider may need: a name and a password, a name a proxy vouches for, or claims of an OIDC token."""

    user_name: str = ""
    password: SecretStr | None = None
    claims: Mapping[str, object] = Field(default_factory=dict)


class SignedIn(Record):
    """A person who proved who they are; ``role`` is for display, the services read it anew from the store.

    ``password_tag`` changes with the password, so a new password ends every session opened with the old one.
    ``session_id`` names the server's row of this session; ``""`` before one is opened.
    """

    user_name: str
    role: Role
    provider: str
    signed_in_at: datetime
    last_seen_at: datetime
    password_tag: str = ""
    session_id: str = ""
    must_change_password: bool = False


def to_role(text: str) -> Role:
    """Turn what the store holds into a role; the store's own check keeps others out."""
    return next(role for role in ROLES if role == text)


def command_line_operator(now: datetime) -> SignedIn:
    """Return the person at the server's own command line, who can open the database file anyway.

    Events name them as the machine does, in parentheses, which no account's name may hold.
    """
    name = f"(command line: {_find_login_name()})"
    return SignedIn(user_name=name, role="admin", provider=OPERATOR_PROVIDER, signed_in_at=now, last_seen_at=now)


def _find_login_name() -> str:
    """Find who is signed in to the machine; behind sudo, who called it."""
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        name = f"user {os.getuid()}"
    return name[:64].encode(errors="replace").decode()


OPERATOR_PROVIDER = "command_line"
