"""People a trusted proxy names in a header: only from its addresses, only one name, only registered ones."""

import hmac
from collections.abc import Iterable
from datetime import datetime
from ipaddress import ip_address

from apps.review.identity.local import UNKNOWN_NAME, normalize_name
from apps.review.identity.passwords import compute_password_tag
from apps.review.identity.records import SignedIn, SignInRequest, to_role
from apps.review.identity.settings import ProxySettings
from apps.review.store.database import Store
from apps.review.store.events import append_event
from apps.review.store.models import User

MAX_NAME_CHARACTERS = 64


def read_proxy_name(headers: Iterable[tuple[bytes, bytes]], peer: str | None, settings: ProxySettings) -> str | None:
    """Read whom the proxy names.

    Parameters
    ----------
    headers : iterable of (bytes, bytes)
        As they came over the wire, in lower case, duplicates included.
    peer : str or None
        Address of the other end of the connection: never one told by a header.

    Returns
    -------
    str or None
        ``None`` if the request does not come from the proxy, or names nobody, or more than one.
    """
    if not _is_proxy(peer, settings):
        return None
    found = list(headers)
    if settings.secret is not None:
        secrets = _read(found, settings.secret_header)
        expected = settings.secret.get_secret_value().encode()
        if len(secrets) != 1 or not hmac.compare_digest(secrets[0], expected):
            return None
    names = _read(found, settings.header)
    if len(names) != 1:
        return None
    try:
        name = normalize_name(names[0].decode("ascii"))
    except UnicodeDecodeError:
        return None
    # Several names in one header are what a proxy makes of a duplicate.
    return name if name and len(name) <= MAX_NAME_CHARACTERS and "," not in name else None


class ProxyAccounts:
    """The provider for names read by :func:`read_proxy_name`."""

    name = "proxy"

    def __init__(self, store: Store) -> None:
        self._store = store

    def identify(self, request: SignInRequest, now: datetime, *, is_noted: bool = True) -> SignedIn | None:
        """Match the name with an account; a name nobody added gets nothing but an event, if that is to be noted."""
        with self._store.write() as session:
            user = session.get(User, request.user_name)
            if user is None or user.provider != self.name or not user.is_active:
                if is_noted:
                    payload = {"provider": self.name, "reason": "not registered"}
                    append_event(session, at=now, actor=UNKNOWN_NAME, kind="sign_in_failed", payload=payload)
                return None
            append_event(session, at=now, actor=user.name, kind="sign_in", payload={"provider": self.name})
            return SignedIn(
                user_name=user.name,
                role=to_role(user.role),
                provider=self.name,
                signed_in_at=now,
                last_seen_at=now,
                password_tag=compute_password_tag(None),
            )


def _is_proxy(peer: str | None, settings: ProxySettings) -> bool:
    try:
        address = ip_address(peer or "")
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in network for network in settings.networks)


def _read(headers: list[tuple[bytes, bytes]], name: str) -> list[bytes]:
    return [value.strip() for key, value in headers if key.lower() == name.lower().encode()]
