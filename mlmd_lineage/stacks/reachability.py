"""A test of whether an artifact store can be reached, and if not, why."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

from mlmd_lineage import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

State = Literal["ready", "missing", "credentials", "unreachable", "not installed"]

# Names of exception classes: importing the classes would load the clients of all clouds.
_CREDENTIALS = {
    "NoCredentialsError",
    "PartialCredentialsError",
    "CredentialRetrievalError",
    "NoAuthTokenError",
    "TokenRetrievalError",
    "ProfileNotFound",
    "DefaultCredentialsError",
    "RefreshError",
    "ClientAuthenticationError",
    "CredentialUnavailableError",
    "PermissionError",
}
_UNREACHABLE = {
    "EndpointConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ConnectionClosedError",
    "ClientConnectorError",
    "ClientConnectionError",
    "ServiceRequestError",
    "ServiceResponseError",
    "TransportError",
    "ConnectionError",
    "FSTimeoutError",
    "TimeoutError",
    "gaierror",
}
_ERRORS: dict[State, type[errors.MLMDLineageError]] = {
    "missing": errors.StoreNotFoundError,
    "credentials": errors.AuthenticationError,
    "unreachable": errors.UnreachableError,
    "not installed": errors.ConfigurationError,
}
_FORBIDDEN = {401, 403}
_GONE = 404


@dataclasses.dataclass(frozen=True)
class Reach:
    """The result of trying to reach an artifact store.

    Attributes:
        state: ``ready``; ``missing``: the server answers, but has no such folder or bucket;
            ``credentials``: there are none, or the server refuses them; ``unreachable``: no
            server answers; ``not installed``: a package is missing.
        message: The reason and what to do, in a sentence.
    """

    state: State
    message: str

    @property
    def ready(self) -> bool:
        """Whether it can be used."""
        return self.state == "ready"

    def raise_for_state(self) -> None:
        """Do nothing where it is ready.

        Raises:
            StoreNotFoundError: It is missing.
            AuthenticationError: Credentials are missing or refused.
            UnreachableError: No server answers.
            ConfigurationError: A package is not installed.
        """
        if not self.ready:
            raise _ERRORS[self.state](self.message)


def reach_of(filesystem: Callable[[], Any], path: str, extra: str) -> Reach:
    """Try to list a path.

    Args:
        filesystem: What makes the fsspec filesystem.
        path: The path.
        extra: The extra of this library that installs what the filesystem needs.
    """
    try:
        opened = filesystem()
        # A listing from the cache would prove nothing.
        opened.invalidate_cache()
        opened.ls(path, detail=False)
    except ImportError as error:
        how = f"pip install 'mlmd-lineage[{extra}]'" if extra else "install what fsspec names"
        return Reach("not installed", f"A package is missing for {path} ({error}): {how}.")
    except Exception as error:  # noqa: BLE001 - each cloud has errors of its own
        return Reach(*_classified(error, path))
    return Reach("ready", f"{path} can be listed.")


def _classified(error: BaseException, path: str) -> tuple[State, str]:
    """Classify an error of a cloud's client, whose own text may quote secrets."""
    causes = list(_causes(error))
    names = {cls.__name__ for cause in causes for cls in type(cause).__mro__}
    codes = {code for cause in causes for code in _codes(cause)}
    kind = type(error).__name__
    if codes & _FORBIDDEN or names & _CREDENTIALS:
        return "credentials", (
            f"The credentials for {path} are missing or refused ({kind}); give them as fields of "
            "the artifact store, or where the cloud's own tools look for them."
        )
    if names & _UNREACHABLE:
        return "unreachable", (
            f"No server answers for {path} ({kind}); check the address and the network. The "
            "credentials could not be checked."
        )
    if "FileNotFoundError" in names or "NotADirectoryError" in names or _GONE in codes:
        return "missing", f"There is no {path}; make it, or correct the path."
    return "unreachable", f"{path} cannot be listed: {kind}."


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__


def _codes(error: BaseException) -> Iterator[int]:
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        yield int(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    for name in ("status", "status_code", "code"):
        code = getattr(error, name, None)
        if isinstance(code, int):
            yield code
