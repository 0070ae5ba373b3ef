"""The backend on MLMD's own library, to which serialized messages are handed through.

The extension inside ``ml_metadata`` has a function for nearly every method of the service, which
takes and returns serialized messages. It holds the interpreter's lock for the length of a call, so
one process answers one call at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage import _proto
from mlmd_lineage.server.backend import methods, parse_request, unimplemented
from mlmd_lineage.server.status import StatusError
from mlmd_lineage.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable


class NativeBackend:
    """Answers from one store that ``ml_metadata`` has open."""

    def __init__(self, store: Store) -> None:
        """Open a store.

        Raises:
            NativeLibraryError: ``ml_metadata`` is not installed, or cannot open the store.
            StoreError: The store cannot be reached, or holds no MLMD tables.
        """
        # Several workers would migrate an older store at once, and nobody would see the warning.
        unmigrated = store.metadata_store.model_copy(update={"upgrade_migration_enabled": False})
        # The object holds the handle that the extension's functions take, and closes it at its end.
        self._store = Store(unmigrated).native()
        from ml_metadata.metadata_store.pywrap.metadata_store_extension import metadata_store

        available = vars(metadata_store)
        self._functions: dict[str, Callable[[Any, bytes], tuple[bytes, bytes, int]]] = {
            method: available[method] for method in methods() if method in available
        }

    def call(self, method: str, request: bytes) -> bytes:
        """Return the library's response to a request.

        Raises:
            StatusError: The library refuses the call, or has no such function.
        """
        function = self._functions.get(method)
        if function is not None:
            response, message, code = function(self._store._metadata_store, request)  # noqa: SLF001 - the handle that its own methods use
            if code:
                raise StatusError(code, message.decode(errors="replace"))
            return response
        if method in _SINGLE_CONTEXT_METHODS:
            return self._call_for_each_context(method, request)
        raise unimplemented(method)

    def _call_for_each_context(self, method: str, data: bytes) -> bytes:
        """Answer for several contexts one by one, as the library has no function for several."""
        single, related = _SINGLE_CONTEXT_METHODS[method]
        request: Any = parse_request(method, data)
        response: Any = _proto.message(f"{method}Response")()
        for context in dict.fromkeys(request.context_ids):
            one: Any = _proto.message(f"{single}Request")(context_id=context)
            found: Any = _proto.message(f"{single}Response").FromString(
                self.call(single, one.SerializeToString())
            )
            if found.contexts:
                getattr(response.contexts[context], related).extend(found.contexts)
        return bytes(response.SerializeToString())


_SINGLE_CONTEXT_METHODS = {
    "GetParentContextsByContexts": ("GetParentContextsByContext", "parent_contexts"),
    "GetChildrenContextsByContexts": ("GetChildrenContextsByContext", "children_contexts"),
}
