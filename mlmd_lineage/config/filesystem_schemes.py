"""The schemes of URIs from which artifacts are read, and the fsspec filesystem of each.

Only listed schemes are read: a URI in a store was written by somebody else. Further ones are added
by ``register_scheme()``, by the variable ``MLMD_LINEAGE_SCHEMES`` or by the file
``filesystem_schemes.json`` in the user's configuration folder, which both hold a JSON object::

    {
        "minio": {"protocol": "s3", "client_kwargs": {"endpoint_url": "http://minio:9000"}},
        "https": {},
    }

A key is a scheme. ``protocol`` is fsspec's name of the filesystem, by default the scheme itself;
the rest are arguments of that filesystem.
"""

from __future__ import annotations

import dataclasses
import os
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.config.folders import config_folder
from mlmd_lineage.config.json_text import JSONTextError, parse_json
from mlmd_lineage.config.owned_files import read_owned
from mlmd_lineage.config.web_redirects import web_options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SCHEMES_VARIABLE = "MLMD_LINEAGE_SCHEMES"
SCHEMES_FILE = "filesystem_schemes.json"
_NAME = re.compile(r"[a-z][a-z0-9+.-]*")
# Filesystems that read another URI, run code, or reach into archives by a URI's own words.
_REFUSED = frozenset({"reference", "simplecache", "filecache", "blockcache", "cached", "dask"})
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


@dataclasses.dataclass(frozen=True, slots=True)
class FilesystemScheme:
    """The fsspec filesystem of a scheme.

    Attributes:
        protocol: fsspec's name of the filesystem, such as ``s3``.
        options: Its arguments, which may hold secrets and never show.
    """

    protocol: str
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def extra(self) -> str | None:
        """The extra of this library that installs it, where there is one."""
        return _EXTRAS.get(self.protocol.lower())


_EXTRAS = {
    **dict.fromkeys(("s3", "s3a"), "s3"),
    **dict.fromkeys(("gs", "gcs"), "gcs"),
    **dict.fromkeys(("az", "abfs", "abfss"), "azure"),
    **dict.fromkeys(("http", "https"), "http"),
}
"""The extra of each of fsspec's protocols that needs one."""
_BUILT_IN: Mapping[str, FilesystemScheme] = MappingProxyType(
    {
        "file": FilesystemScheme("file"),
        "s3": FilesystemScheme("s3"),
        "s3a": FilesystemScheme("s3"),
        "gs": FilesystemScheme("gcs"),
        "gcs": FilesystemScheme("gcs"),
        "az": FilesystemScheme("abfs"),
        "abfs": FilesystemScheme("abfs"),
        "abfss": FilesystemScheme("abfs"),
    }
)
_registered: dict[str, FilesystemScheme] = {}
_places: dict[str, FilesystemScheme] = {}


def register_scheme(scheme: str, protocol: str | None = None, **options: Any) -> Callable[[], None]:
    """Read artifacts of a scheme by a filesystem of fsspec; return a function that unregisters it.

    >>> register_scheme("minio", "s3", client_kwargs={"endpoint_url": "http://minio:9000"})
    >>> register_scheme("https")

    Args:
        scheme: What stands before ``://``.
        protocol: fsspec's name of the filesystem; the scheme where None is given.
        options: The filesystem's arguments.

    Raises:
        ConfigurationError: The scheme is no scheme, or the filesystem is one that is refused, as
            it reads further URIs or runs code.
    """
    made = _checked(scheme, {"protocol": protocol or scheme, **options}, "register_scheme()")
    before = _registered.get(scheme)
    _registered[scheme] = made

    def unregister() -> None:
        if before is None:
            _registered.pop(scheme, None)
        else:
            _registered[scheme] = before

    return unregister


def list_place(path: str, options: Mapping[str, Any]) -> None:
    """Read what lies in a folder or bucket by a filesystem with arguments of its own.

    An artifact store's credentials are for its own path, and for no other URI of its scheme.

    >>> list_place("s3://bucket/artifacts", {"endpoint_url": "http://minio:9000"})

    Args:
        path: The folder or bucket, with its scheme.
        options: The filesystem's arguments.
    """
    protocol = path.partition("://")[0]
    _places[f"{path.rstrip('/')}/"] = FilesystemScheme(protocol, web_options(protocol, options))


def filesystem_scheme(scheme: str, uri: str = "") -> FilesystemScheme | None:
    """Return the filesystem of a scheme; None where the scheme is not listed.

    >>> filesystem_scheme("gs").protocol
    'gcs'

    Args:
        scheme: What stands before ``://``.
        uri: What is read; where it lies in a place of its own, see ``list_place()``, that counts.

    Raises:
        ConfigurationError: The variable or the file does not hold what it has to.
    """
    name = scheme.lower()
    places = [place for place in _places if f"{uri}/".startswith(place)]
    if places and ".." not in uri.split("/"):
        return _places[max(places, key=len)]
    for found in (_registered, _of_variable(), _of_file(), _BUILT_IN):
        if name in found:
            return found[name]
    if name == "minio" and any(os.environ.get(variable) for variable in _ENDPOINTS):
        return FilesystemScheme("s3")  # which takes the endpoint from there
    return None


def how_to_list(scheme: str) -> str:
    """Return a sentence that says how a scheme is listed."""
    example = f'register_scheme("{scheme}")'
    if scheme == "minio":
        example = (
            'register_scheme("minio", "s3", client_kwargs={"endpoint_url": "http://HOST:9000"}), '
            f"or set {_ENDPOINTS[1]}"
        )
    return (
        f"Artifacts are not read from {scheme}:// unless you list it: mlmd_lineage.{example}; "
        f"{SCHEMES_VARIABLE} and {SCHEMES_FILE} do so for good"
    )


def _of_variable() -> dict[str, FilesystemScheme]:
    return _parsed(os.environ.get(SCHEMES_VARIABLE, ""), f"The variable {SCHEMES_VARIABLE}")


def _of_file() -> dict[str, FilesystemScheme]:
    path = config_folder() / SCHEMES_FILE
    # It names servers that credentials are sent to, so one of another user's is refused.
    return _parsed(read_owned(path) or b"", str(path))


def _parsed(text: str | bytes, where: str) -> dict[str, FilesystemScheme]:
    if not text.strip():
        return {}
    try:
        held = parse_json(text)
    except JSONTextError:
        held = None
    if not isinstance(held, dict) or not all(isinstance(value, dict) for value in held.values()):
        example = '{"minio": {"protocol": "s3"}}'
        message = f"{where} has to hold a JSON object of schemes, such as {example}."
        raise errors.ConfigurationError(message)
    return {str(name): _checked(str(name), value, where) for name, value in held.items()}


def _checked(scheme: str, given: Mapping[str, Any], where: str) -> FilesystemScheme:
    options = dict(given)
    protocol = options.pop("protocol", scheme)
    names = (scheme, str(protocol))
    if not all(map(_NAME.fullmatch, names)):
        message = f"{where}: {scheme!r} for {protocol!r} is no scheme, such as 'minio' for 's3'."
        raise errors.ConfigurationError(message)
    refused = set(names) & _REFUSED
    if refused:
        message = (
            f"{where}: {min(refused)!r} is never read, as it reads other URIs or runs code of "
            "whoever wrote them."
        )
        raise errors.ConfigurationError(message)
    return FilesystemScheme(str(protocol), web_options(str(protocol), options))
