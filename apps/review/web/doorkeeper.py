"""Says of each request whose it is, before the web framework sees it."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping

from apps.review.identity.cookies import read_token
from apps.review.identity.proxy import ProxyAccounts, read_proxy_name
from apps.review.identity.records import SignedIn, SignInRequest
from apps.review.identity.sessions import Sessions
from apps.review.identity.settings import SignInSettings
from apps.review.services.context import ReviewContext
from screening.types import Record

_MAX_REFUSED = 1_000


class Visit(Record):
    """Whose request it is; ``new_token`` is to be handed to the browser, ``is_refused`` leaves no other way in."""

    signed_in: SignedIn | None = None
    new_token: str | None = None
    is_refused: bool = False


class Doorkeeper:
    """Finds sessions, and opens them for people a trusted proxy names."""

    def __init__(self, context: ReviewContext, settings: SignInSettings) -> None:
        self.context = context
        self.settings = settings
        self.sessions = Sessions(context.store, context.settings.session, context.clock)
        self._refused: OrderedDict[str, None] = OrderedDict()

    def look(
        self,
        cookies: Mapping[str, str],
        headers: Iterable[tuple[bytes, bytes]],
        peer: str | None,
        *,
        may_open: bool,
    ) -> Visit:
        """Say whose request this is.

        Parameters
        ----------
        cookies, headers
            Of the request; the headers as they came over the wire.
        peer : str or None
            Address of the other end of the connection.
        may_open : bool
            Whether a new session may begin here: with a page, not with a picture or a socket.
        """
        token = read_token(cookies, self.settings)
        signed_in = self.sessions.find(token, self.settings.method) if token else None
        if self.settings.proxy is None:
            return Visit(signed_in=signed_in)
        name = read_proxy_name(headers, peer, self.settings.proxy)
        if name is None:
            return Visit(is_refused=True)
        if signed_in is not None and signed_in.user_name == name:
            return Visit(signed_in=signed_in)
        return self._open_for(name) if may_open else Visit(is_refused=True)

    def _open_for(self, name: str) -> Visit:
        digest = hashlib.sha256(name.encode()).hexdigest()
        now = self.context.clock()
        signed_in = ProxyAccounts(self.context.store).identify(
            SignInRequest(user_name=name), now, is_noted=digest not in self._refused
        )
        opened = self.sessions.open(signed_in) if signed_in is not None else None
        if opened is None:
            self._refused[digest] = None  # one event per name and server start: a reload must not fill the record
            while len(self._refused) > _MAX_REFUSED:
                self._refused.popitem(last=False)
            return Visit(is_refused=True)
        return Visit(signed_in=opened[0], new_token=opened[1])
