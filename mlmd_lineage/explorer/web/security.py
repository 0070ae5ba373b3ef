"""Checks of each request to the explorer's server, and the security headers of each answer.

The rules are those of Jupyter's server: a random token in the first URL, and the Host and the
Origin of this machine, so that no page of another site can ask (DNS rebinding, cross-site
requests).
"""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.requests import Request

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def new_token() -> str:
    """Return a random token of 256 bits."""
    return secrets.token_urlsafe(32)


class Gate:
    """Decides whether a request may be answered.

    Attributes:
        token: What the first URL holds.
        cookie: The name of the cookie that holds it afterwards; each port has its own, as browsers
            do not tell the ports of a host apart.
    """

    def __init__(self, token: str, port: int, hosts: Collection[str] = ()) -> None:
        """Let in who knows a token.

        Args:
            token: The token.
            port: The port of the server.
            hosts: Names of the server other than those of the loopback.
        """
        self.token = token
        self.cookie = f"mlmd_lineage_explorer_{port}"
        self._hosts = {f"{host}:{port}" for host in (*_LOOPBACK, *hosts)}
        if port == 80:
            self._hosts |= {*_LOOPBACK, *hosts}

    def refusal(self, request: Request) -> tuple[int, str] | None:
        """Return why a request is refused, with the status for it; None where it is not."""
        if request.method not in {"GET", "HEAD"}:
            return 405, "The explorer only reads; use GET."
        if request.headers.get("host", "").lower() not in self._hosts:
            return 403, "The Host of the request is not this server."
        # A link on another site may open the page itself, as one in a notebook does.
        navigates = request.headers.get("sec-fetch-mode", "navigate") == "navigate"
        is_page = request.url.path == "/" and navigates
        if not self._is_from_here(request) and not is_page:
            return 403, "The request comes from another site."
        has_token = is_page and self.is_known(request.query_params.get("token"))
        if has_token or self.is_known(request.cookies.get(self.cookie)):
            return None
        return 403, "Open the address with the token that 'mlmd-lineage explore' printed."

    def _is_from_here(self, request: Request) -> bool:
        """Tell whether a request comes from a page of this server, or from no page at all."""
        origin = request.headers.get("origin")
        if origin is not None and origin.partition("://")[2] not in self._hosts:
            return False
        return request.headers.get("sec-fetch-site", "none") in {"none", "same-origin"}

    def is_known(self, text: str | None) -> bool:
        """Tell whether a text is the token, in a time that tells nothing of it."""
        return text is not None and hmac.compare_digest(text.encode(), self.token.encode())
