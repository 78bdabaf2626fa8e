"""The records of identity: a sign-in attempt, and the person it proved to be."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, Protocol, get_args

from pydantic import Field, SecretStr

from screening.types import Record

Role = Literal["reviewer", "lead", "auditor", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)


class SignInRequest(Record):
    """Whatever a provider may need: a name and password, or headers of a trusted proxy, or claims of an OIDC token."""

    user_name: str = ""
    password: SecretStr | None = None
    headers: Mapping[str, str] = Field(default_factory=dict)
    claims: Mapping[str, str] = Field(default_factory=dict)
    remote_address: str | None = None


class SignedIn(Record):
    """A person who proved who they are; ``role`` is for display, the services read it anew from the store.

    ``password_tag`` changes with the password, so a new password ends every session opened with the old one.
    """

    user_name: str
    role: Role
    provider: str
    signed_in_at: datetime
    last_seen_at: datetime
    password_tag: str = ""


class IdentityProvider(Protocol):
    """One way to sign in. Local accounts now; OIDC and a trusted proxy header fit the same door."""

    name: str
    needs_password: bool

    def identify(self, request: SignInRequest, now: datetime) -> SignedIn | None:
        """Return who this is, or ``None``, without telling why not."""
        ...


def command_line_operator(now: datetime) -> SignedIn:
    """Return the person at the server's own command line, who can open the database file anyway."""
    return SignedIn(
        user_name=OPERATOR_NAME, role="admin", provider=OPERATOR_PROVIDER, signed_in_at=now, last_seen_at=now
    )


OPERATOR_NAME = "(command line)"
OPERATOR_PROVIDER = "command_line"
