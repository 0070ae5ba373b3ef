"""A process that writes SQLite files for this one, kept for the next put.

``sqlite_subprocess`` is its side.
"""

from __future__ import annotations

from mlmd_lineage import deadline, errors
from mlmd_lineage.readers.sqlite.subprocess_client import SpareProcess, SubprocessClient


class WriterProcess(SubprocessClient):
    """The connection to a process that writes."""

    main = "mlmd_lineage.writing.sql.sqlite_subprocess"

    def put(self, busy_timeout: float, method: str, request: bytes) -> bytes:
        """Have a serialized request put, and return its serialized response.

        The process sees to the deadline of this thread: what it answers tells what was written.
        """
        deadline.check()
        seconds = deadline.remaining()
        with deadline.ignored():
            answer = self._done("put", self.path, busy_timeout, method, request, seconds)
        assert isinstance(answer, bytes)
        return answer

    def create(self, busy_timeout: float) -> bool:
        """Have MLMD's tables made where there are none; return whether that was so."""
        return bool(self._done("create", self.path, busy_timeout))

    def _done(self, *asked: object) -> object:
        sent = False
        try:
            self.send(asked)
            sent = True
            return self.answer()[1]
        except errors.ReadError as error:
            said = str(error).replace("Reading", "Writing", 1)
        said = said.replace(" that read ", " that wrote ")
        if not sent:
            message = f"{said} Nothing was written. Try again."
            raise errors.WriteError(message)
        message = f"{said} It cannot be known whether it was committed. Read the store to see."
        raise errors.UncertainWriteError(message)


_writing = SpareProcess(WriterProcess)
client_for = _writing.client_for
end = _writing.end
