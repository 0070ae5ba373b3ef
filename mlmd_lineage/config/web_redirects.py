"""Redirects of web servers: what was given for one server is sent to no other.

aiohttp follows redirects to other servers without ``Authorization`` and cookies, but with all other
headers, such as ``X-Api-Key``: https://docs.aiohttp.org/en/stable/client_reference.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_WEB = ("http", "https")


class OtherServerError(OSError):
    """A server redirects to another one, which may not get what was given for the first."""


def web_options(protocol: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a filesystem's arguments; those of web servers refuse redirects to other servers.

    Without arguments there is nothing to keep, and redirects are followed. A ``get_client`` of the
    user's own stays, which then has to see to it.

    >>> sorted(web_options("https", {"headers": {"X-Api-Key": "..."}}))
    ['get_client', 'headers']

    Args:
        protocol: fsspec's name of the filesystem.
        options: Its arguments.
    """
    if protocol in _WEB and options:
        return {"get_client": client_of_one_server, **options}
    return dict(options)


async def client_of_one_server(**arguments: Any) -> Any:
    """Return an aiohttp session that follows redirects within a server only.

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
    return aiohttp.ClientSession(**arguments, trace_configs=traces)
