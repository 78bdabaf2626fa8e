"""How people sign in at this server: read from the environment, never from the command line, because of the secrets."""

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError, field_validator, model_validator

from screening.exceptions import ConfigError
from screening.types import Record

SignInMethod = Literal["local", "oidc", "proxy"]
PREFIX = "SCREENING_REVIEW_"
SIGN_IN_VARIABLE = f"{PREFIX}SIGN_IN"
PUBLIC_URL_VARIABLE = f"{PREFIX}PUBLIC_URL"
MIN_COOKIE_SECRET_CHARACTERS = 32
MIN_PROXY_SECRET_CHARACTERS = 16
DEFAULT_PUBLIC_URL = "http://127.0.0.1:8501"
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class OidcSettings(Record):
    """The client this server is at an OpenID Connect provider."""

    client_id: str
    client_secret: SecretStr
    metadata_url: str
    cookie_secret: SecretStr | None = None
    prompt: str = "login"  # a session that timed out asks for the password again, not only for a click

    @field_validator("cookie_secret")
    @classmethod
    def _require_length(cls, secret: SecretStr | None) -> SecretStr | None:
        return _require_long(secret, MIN_COOKIE_SECRET_CHARACTERS)

    @field_validator("metadata_url")
    @classmethod
    def _require_tls(cls, url: str) -> str:
        if not is_private(url):
            message = f"the metadata URL must start with https://, found {url!r}"
            raise ValueError(message)
        return url


class ProxySettings(Record):
    """The header in which a proxy names the person it signed in, and the addresses this proxy connects from."""

    header: str
    addresses: tuple[str, ...]
    secret: SecretStr | None = None
    secret_header: str = "X-Review-Proxy-Secret"  # noqa: S105  # the name of a header, not a secret
    sign_out_url: str | None = None

    @field_validator("addresses")
    @classmethod
    def _require_addresses(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        networks = [ip_network(address) for address in addresses]
        if not networks or any(network.prefixlen == 0 for network in networks):
            message = "name the proxy's own addresses, such as 127.0.0.1/32; everyone's address is none"
            raise ValueError(message)
        return addresses

    @field_validator("secret")
    @classmethod
    def _require_length(cls, secret: SecretStr | None) -> SecretStr | None:
        return _require_long(secret, MIN_PROXY_SECRET_CHARACTERS)

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The addresses as networks."""
        return tuple(ip_network(address) for address in self.addresses)


class SignInSettings(Record):
    """The one way in, and the address people type.

    ``public_url`` is what stands in the browser: behind a TLS proxy the proxy's name. With ``https`` the session cookie
    is ``Secure``. A request for another host name is refused.
    """

    method: SignInMethod = "local"
    public_url: str = DEFAULT_PUBLIC_URL
    oidc: OidcSettings | None = None
    proxy: ProxySettings | None = None

    @field_validator("public_url")
    @classmethod
    def _require_private_url(cls, url: str) -> str:
        if not is_private(url):
            message = f"people's browsers must come by https:// (or to this machine itself), found {url!r}"
            raise ValueError(message)
        return url.rstrip("/")

    @model_validator(mode="after")
    def _require_what_the_method_needs(self) -> "SignInSettings":
        if self.method != "local" and getattr(self, self.method) is None:
            message = f"sign-in by {self.method} needs its settings; see docs/review.md, Security"
            raise ValueError(message)
        return self

    @property
    def is_secure(self) -> bool:
        """Whether browsers come by TLS."""
        return self.public_url.startswith("https://")

    @property
    def origin(self) -> str:
        """Scheme and host, as a browser sends it."""
        parts = urlsplit(self.public_url)
        return f"{parts.scheme}://{parts.netloc}"

    def is_own_host(self, host: str | None) -> bool:
        """Tell whether a ``Host`` header names this server; a page of another name could read its answers otherwise."""
        name = _host_name(f"//{host}") if host else None
        own = _host_name(self.public_url)
        return name is not None and (name == own or (own in _LOOPBACK_NAMES and name in _LOOPBACK_NAMES))

    def is_own_origin(self, origin: str | None, host: str | None) -> bool:
        """Tell whether a request comes from a page of this server; another port or scheme is another server.

        A cookie is sent to every port of its host, so ``SameSite`` does not keep a neighbour's page out.
        """
        if not origin:
            return False
        scheme, _, name = origin.partition("://")
        return origin == self.origin or (name == host and scheme == urlsplit(self.public_url).scheme)


def read_sign_in_settings(environment: Mapping[str, str]) -> SignInSettings:
    """Read the settings.

    Raises
    ------
    ConfigError
        If something is missing or unsafe; names the variable, never its value where that is a secret.
    """
    values = {key.removeprefix(PREFIX).lower(): value for key, value in environment.items() if key.startswith(PREFIX)}
    oidc = {name.removeprefix("oidc_"): value for name, value in values.items() if name.startswith("oidc_")}
    proxy: dict[str, object] = {
        name.removeprefix("proxy_"): value for name, value in values.items() if name.startswith("proxy_")
    }
    proxy["addresses"] = [part.strip() for part in str(proxy.get("addresses", "")).split(",") if part.strip()]
    method = values.get("sign_in", "local")
    try:
        return SignInSettings.model_validate(
            {
                "method": method,
                "public_url": values.get("public_url", DEFAULT_PUBLIC_URL),
                "oidc": oidc if method == "oidc" else None,
                "proxy": proxy if method == "proxy" else None,
            }
        )
    except ValidationError as error:
        raise ConfigError(_describe(error)) from None  # the chained error would show the values


def is_private(url: str) -> bool:
    """Tell whether what goes to a URL stays unread on the way: TLS, or the machine itself."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or ""))
    )


def _require_long(secret: SecretStr | None, n_characters: int) -> SecretStr | None:
    if secret is not None and len(secret.get_secret_value()) < n_characters:
        message = f"a secret needs {n_characters} characters or more, found {len(secret.get_secret_value())}"
        raise ValueError(message)
    return secret


def _describe(error: ValidationError) -> str:
    problems = []
    for problem in error.errors(include_input=False, include_url=False):
        where = "_".join(str(part) for part in problem["loc"]).upper() or "SIGN_IN"
        problems.append(f"{PREFIX}{where}: {problem['msg']}")
    return "sign-in is not set up right: " + "; ".join(problems)


def _host_name(url: str) -> str | None:
    try:
        name = urlsplit(url).hostname
    except ValueError:
        return None
    return name.rstrip(".").lower() if name else None


def _is_loopback(name: str) -> bool:
    if name in _LOOPBACK_NAMES:
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
