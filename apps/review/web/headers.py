"""The headers of every answer: what a browser may load, and who may show it."""

import base64
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def build_headers(index_page: str, *, is_secure: bool) -> Mapping[str, str]:
    """Build the headers.

    Parameters
    ----------
    index_page : str
        The framework's own page; the scripts written into it are allowed by their digest, and no others.
    is_secure : bool
        Whether browsers come by TLS.

    Notes
    -----
    ``style-src 'unsafe-inline'`` stays: the framework writes style elements as it runs. No script can come in by it.
    """
    digests = " ".join(f"'sha256-{_hash(script)}'" for script in _INLINE_SCRIPT.findall(index_page))
    policy = {
        "default-src": "'self'",
        "script-src": f"'self' 'wasm-unsafe-eval' {digests}".strip(),
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": "'self'",
        "worker-src": "'self' blob:",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-src": "'none'",
        "frame-ancestors": "'none'",
    }
    headers = {
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    }
    if is_secure:
        headers["strict-transport-security"] = "max-age=31536000"
    return headers


def read_index_page() -> str:
    """Read the web framework's page."""
    from streamlit.file_util import get_static_dir

    return (Path(get_static_dir()) / "index.html").read_text(encoding="utf-8")


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
