"""Creates the explorer's server, or says which packages have to be installed for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage import errors

if TYPE_CHECKING:
    from mlmd_lineage.explorer.explored_store import ExploredStore
    from mlmd_lineage.explorer.web.server import ExplorerServer


def explorer_server(
    store: ExploredStore, *, host: str = "127.0.0.1", port: int = 0, timeout: float | None = None
) -> ExplorerServer:
    """Return the server of a store, bound to its address and not yet running.

    Args:
        store: The store that is shown.
        host: The address to listen at.
        port: The port; 0 to have one chosen.
        timeout: How many seconds an answer may take; None for no limit.

    Raises:
        ConfigurationError: The extra ``explore`` is not installed, or the address cannot be had.
    """
    try:
        from mlmd_lineage.explorer.web.server import ExplorerServer
    except ImportError as error:
        name = error.name or ""
        if name.partition(".")[0] not in {"starlette", "uvicorn", "anyio"}:
            raise
        message = f"The explorer needs {name}: pip install 'mlmd-lineage[explore]'."
        raise errors.ConfigurationError(message) from None
    return ExplorerServer(store, host=host, port=port, timeout=timeout)
