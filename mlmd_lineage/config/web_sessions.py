"""Sessions with web servers: what they are sent, how long they may be silent, how much they send.

aiohttp follows redirects to other servers without ``Authorization`` and cookies, but with all other
headers, such as ``X-Api-Key``: https://docs.aiohttp.org/en/stable/client_reference.html. It waits
five minutes for the whole of an answer, however much of it comes, and takes all that is sent where
a part was asked for.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_WEB = ("http", "https")
SILENCE = 60.0
"""How many seconds may pass without a byte."""
_RANGE = re.compile(r"bytes=(\d+)-(\d+)")
_CHUNK = 1 << 16
_ERRORS = 400
"""The first of HTTP's statuses that say that there is no answer."""


class OtherServerError(OSError):
    """A server redirects to another one, which may not get what was given for the first."""


class TooMuchSentError(OSError):
    """A server sends more than the part of a file that was asked for."""


def web_options(protocol: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a filesystem's arguments; those of web servers have sessions with limits.

    Where there are arguments, redirects to other servers are refused; without, there is nothing to
    keep, and they are followed. A ``get_client`` of the user's own stays, which then has to see to
    all of it.

    >>> sorted(web_options("https", {"headers": {"X-Api-Key": "..."}}))
    ['get_client', 'headers']

    Args:
        protocol: fsspec's name of the filesystem.
        options: Its arguments.
    """
    if protocol not in _WEB:
        return dict(options)
    return {"get_client": client_of_one_server if options else client, **options}


async def client_of_one_server(**arguments: Any) -> Any:
    """Return an aiohttp session with limits that follows redirects within a server only.

    >>> HTTPFileSystem(headers={"X-Api-Key": "..."}, get_client=client_of_one_server)

    Args:
        arguments: Those of ``aiohttp.ClientSession``.
    """
    import aiohttp

    async def refuse_other_server(_session: Any, _context: Any, redirect: Any) -> None:
        response = redirect.response
        target = response.headers.get("Location") or response.headers.get("URI") or ""
        # The URL that was asked last: redirect.url has parameters, and the same origin.
        if response.url.join(type(response.url)(target)).origin() != response.url.origin():
            message = "It redirects to another server."
            raise OtherServerError(message)

    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(refuse_other_server)
    traces = [*arguments.pop("trace_configs", ()), trace]
    return await client(**arguments, trace_configs=traces)


async def client(**arguments: Any) -> Any:
    """Return an aiohttp session that gives up on a silent server, or on one that sends too much.

    Args:
        arguments: Those of ``aiohttp.ClientSession``.
    """
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=None, sock_connect=SILENCE, sock_read=SILENCE)
    limits = {"timeout": timeout, "response_class": _response_class()}
    return aiohttp.ClientSession(**{**limits, **arguments})


@functools.cache
def _response_class() -> Any:
    import aiohttp

    class BoundedResponse(aiohttp.ClientResponse):
        """An answer to a request for a part of a file, of which no more is read than that has."""

        async def read(self) -> bytes:
            """Return the body.

            Raises:
                TooMuchSentError: It is longer than the part that was asked for.
            """
            wanted = _RANGE.fullmatch(self.request_info.headers.get("Range", ""))
            if wanted is None:
                return await super().read()
            if self.status >= _ERRORS:
                return b""
            most = int(wanted[2]) - int(wanted[1]) + 1
            parts: list[bytes] = []
            async for part in self.content.iter_chunked(_CHUNK):
                most -= len(part)
                if most < 0:
                    self.close()
                    message = "It sends more than was asked for."
                    raise TooMuchSentError(message)
                parts.append(part)
            return b"".join(parts)

    return BoundedResponse
