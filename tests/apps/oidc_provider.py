"""A small OpenID Connect provider on loopback: `python oidc_provider.py CLIENT_ID CLIENT_SECRET`, prints its port.

Its sign-in page asks for an address, and for a fault: what a broken or hostile provider would put into the token.
"""

import base64
import hashlib
import html
import json
import secrets
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from joserfc import jwk, jwt

FAULTS = {
    "none": {},
    "audience": {"aud": "another-client"},
    "issuer": {"iss": "https://elsewhere.example"},
    "expired": {"iat": -7200, "exp": -3600},
    "stale": {"iat": -3600, "exp": 3600},
    "unverified": {"email_verified": False},
    "nonce": {"nonce": "replayed"},
    "key": {},
}


class Provider(ThreadingHTTPServer):
    """Keeps the key pair and the codes it gave out."""

    def __init__(self, client_id: str, client_secret: str) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.issuer = f"http://127.0.0.1:{self.server_address[1]}"
        self.client = (client_id, client_secret)
        self.key = jwk.RSAKey.generate_key(2048, auto_kid=True)
        self.codes: dict[str, dict[str, str]] = {}

    def make_token(self, grant: dict[str, str]) -> str:
        """Sign what the person and the fault they chose amount to."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self.client[0],
            "sub": f"person-{hashlib.sha256(grant['person'].encode()).hexdigest()[:12]}",
            "email": grant["email"],
            "email_verified": True,
            "iat": now,
            "exp": now + 300,
            "nonce": grant.get("nonce", ""),
        }
        for name, value in FAULTS[grant["fault"]].items():
            claims[name] = now + value if name in {"iat", "exp"} else value
        key = self.key if grant["fault"] != "key" else jwk.RSAKey.generate_key(2048)
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, key)


class _Answers(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, dict(parse_qsl(urlsplit(self.path).query))
        if path == "/.well-known/openid-configuration":
            self._answer_json(self._describe())
        elif path == "/jwks":
            self._answer_json({"keys": [{**self.server.key.as_dict(private=False), "use": "sig", "alg": "RS256"}]})
        elif path == "/authorize" and query.get("client_id") == self.server.client[0]:
            hidden = "".join(f'<input type=hidden name="{k}" value="{html.escape(v)}">' for k, v in query.items())
            self._answer(
                f"<h1>Provider</h1><form method=post>{hidden}<label>Address <input name=email></label>"
                "<label>Person <input name=person></label><label>Fault <input name=fault value=none></label>"
                "<button>Let me in</button></form>"
            )
        elif path == "/logout":
            self._redirect(query["post_logout_redirect_uri"])
        else:
            self._answer("unknown", 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()}
        if urlsplit(self.path).path == "/authorize":
            code = secrets.token_urlsafe(16)
            self.server.codes[code] = {**form, "person": form.get("person") or form["email"]}
            self._redirect(f"{form['redirect_uri']}?{urlencode({'code': code, 'state': form['state']})}")
            return
        grant = self.server.codes.pop(form.get("code", ""), None)
        if grant is None or not self._is_client(form) or not _is_proven(grant, form):
            self._answer_json({"error": "invalid_grant"}, 400)
            return
        self._answer_json(
            {
                "access_token": secrets.token_urlsafe(16),
                "token_type": "Bearer",
                "expires_in": 300,
                "id_token": self.server.make_token(grant),
            }
        )

    def _is_client(self, form: dict[str, str]) -> bool:
        scheme, _, encoded = self.headers.get("authorization", "").partition(" ")
        if scheme == "Basic":
            return tuple(base64.b64decode(encoded).decode().split(":", 1)) == self.server.client
        return (form.get("client_id"), form.get("client_secret")) == self.server.client

    def _describe(self) -> dict[str, Any]:
        issuer = self.server.issuer
        return {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/jwks",
            "end_session_endpoint": f"{issuer}/logout",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def _answer(self, body: str, status: int = 200, kind: str = "text/html") -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.end_headers()
        self.wfile.write(body.encode())

    def _answer_json(self, body: dict[str, Any], status: int = 200) -> None:
        self._answer(json.dumps(body), status, "application/json")

    def _redirect(self, where: str) -> None:
        self.send_response(302)
        self.send_header("location", where)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _is_proven(grant: dict[str, str], form: dict[str, str]) -> bool:
    """Check PKCE: who brings the code is who asked for it."""
    digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    return (
        base64.urlsafe_b64encode(digest).decode().rstrip("=") == grant.get("code_challenge")
        and form.get("redirect_uri") == grant["redirect_uri"]
    )


if __name__ == "__main__":
    provider = Provider(*sys.argv[1:3])
    sys.stdout.write(f"{provider.server_address[1]}\n")
    sys.stdout.flush()
    provider.serve_forever()
