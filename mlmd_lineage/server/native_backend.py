"""Answers from MLMD's own library: the bytes are handed through.

The extension inside ``ml_metadata`` has a function for nearly every method of the service, which
takes and gives serialized messages. It holds the interpreter for the length of a call, so calls
to one store are answered one after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage import _proto
from mlmd_lineage.server import dispatch
from mlmd_lineage.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable


class NativeAnswers:
    """Answers from one store that ``ml_metadata`` has open."""

    def __init__(self, store: Store) -> None:
        """Open a store.

        Raises:
            NativeLibraryError: ``ml_metadata`` is not installed, or cannot open the store.
            StoreError: The store cannot be reached, or holds no MLMD tables.
        """
        # Several workers would migrate an older store at once, and nobody would see it announced.
        as_it_is = {"upgrade_migration_enabled": False}
        opened = Store(store.metadata_store.model_copy(update=as_it_is))
        # It keeps what the extension's functions take, and closes the store when it goes.
        self._store = opened.native()
        from ml_metadata.metadata_store.pywrap.metadata_store_extension import metadata_store

        self._functions: dict[str, Callable[[Any, bytes], tuple[bytes, bytes, int]]] = {
            method: function
            for method in dispatch.methods()
            if (function := getattr(metadata_store, method, None)) is not None
        }

    def answer(self, method: str, request: bytes) -> bytes:
        """Return the library's response to a request."""
        function = self._functions.get(method)
        if function is not None:
            response, message, code = function(self._store._metadata_store, request)  # noqa: SLF001 - the handle that its own methods use
            if code:
                raise dispatch.StatusError(code, message.decode(errors="replace"))
            return response
        if method in _BY_ONE:
            return self._by_contexts(method, request)
        raise dispatch.unimplemented(method)

    def _by_contexts(self, method: str, request: bytes) -> bytes:
        """Answer for several contexts, for which the library has no function, one by one."""
        single, related = _BY_ONE[method]
        asked: Any = dispatch.parsed(f"{method}Request", request)
        response: Any = _proto.message(f"{method}Response")()
        for context in dict.fromkeys(asked.context_ids):
            one: Any = _proto.message(f"{single}Request")(context_id=context)
            found: Any = _proto.message(f"{single}Response").FromString(
                self.answer(single, one.SerializeToString())
            )
            if found.contexts:
                getattr(response.contexts[context], related).extend(found.contexts)
        return bytes(response.SerializeToString())


_BY_ONE = {
    "GetParentContextsByContexts": ("GetParentContextsByContext", "parent_contexts"),
    "GetChildrenContextsByContexts": ("GetChildrenContextsByContext", "children_contexts"),
}
