"""Time stamps of RFC 3161: an authority's signed word that some bytes existed at a moment.

The format: https://www.rfc-editor.org/rfc/rfc3161. Requests are made and answers verified by the
library rfc3161-client; the extra ``sign`` installs it.
"""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors

if TYPE_CHECKING:
    import datetime as dt
    import os
    from collections.abc import Callable
    from typing import TypeAlias

    Authority: TypeAlias = "str | Callable[[bytes], bytes]"

_SECONDS = 30
_MOST_BYTES = 1 << 20


class TimeStampError(ValueError):
    """A time stamp is not one of the bytes that it stands beside."""


def time_stamp(content: bytes, authority: Authority) -> bytes:
    """Return a time stamp of some bytes.

    Args:
        content: The bytes; only their SHA-256 is sent.
        authority: The URL of a time-stamp authority, or a function that takes a request's bytes
            and returns the answer's.

    Raises:
        ConfigurationError: The authority does not answer, or refuses.
    """
    request = _library().TimestampRequestBuilder().data(content).build().as_bytes()
    answer = _sent(authority, request) if isinstance(authority, str) else authority(request)
    try:
        stamped_at(answer, content)
    except TimeStampError as error:
        message = f"The time-stamp authority gave no time stamp of these bytes: {error}."
        raise errors.ConfigurationError(message) from None
    return answer


def _sent(url: str, request: bytes) -> bytes:
    """Return what an authority answers; see https://www.rfc-editor.org/rfc/rfc3161#section-3.4."""
    if not url.startswith(("https://", "http://")):
        message = "A time-stamp authority has an address that begins with https:// or http://."
        raise errors.ConfigurationError(message)
    headers = {"Content-Type": "application/timestamp-query"}
    asked = urllib.request.Request(url, request, headers)  # noqa: S310 - the scheme was checked
    try:
        with urllib.request.urlopen(asked, timeout=_SECONDS) as answer:  # noqa: S310
            raw: bytes = answer.read(_MOST_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        message = f"The time-stamp authority does not answer: {reason}."
        raise errors.ConfigurationError(message) from None
    return raw


def stamped_at(answer: bytes, content: bytes) -> dt.datetime:
    """Return when some bytes were stamped, without looking at who says so.

    Raises:
        TimeStampError: The answer is no time stamp of these bytes.
    """
    found = _decoded(answer)
    try:
        info = found.tst_info
        digest, algorithm = info.message_imprint.message, info.message_imprint.hash_algorithm
        moment: dt.datetime = info.gen_time
    except Exception as error:
        message = "it holds no time stamp"
        raise TimeStampError(message) from error
    names = {
        "2.16.840.1.101.3.4.2.1": "sha256",
        "2.16.840.1.101.3.4.2.2": "sha384",
        "2.16.840.1.101.3.4.2.3": "sha512",
    }
    name = names.get(algorithm.dotted_string)
    if name is None or hashlib.new(name, content).digest() != digest:
        message = "it is a time stamp of other bytes"
        raise TimeStampError(message)
    return moment


def verify(answer: bytes, content: bytes, certificates: str | os.PathLike[str]) -> dt.datetime:
    """Return when some bytes were stamped, by an authority that is trusted.

    Args:
        answer: The time stamp.
        content: The bytes.
        certificates: A file of the root certificates that are trusted, in PEM.

    Raises:
        TimeStampError: It is no time stamp of these bytes by such an authority.
        ConfigurationError: There are no such certificates.
    """
    from cryptography.x509 import load_pem_x509_certificates

    library = _library()
    moment = stamped_at(answer, content)
    try:
        roots = load_pem_x509_certificates(Path(certificates).read_bytes())
    except (OSError, ValueError):
        message = f"{certificates} holds no certificates in PEM that can be read."
        raise errors.ConfigurationError(message) from None
    builder = library.VerifierBuilder()
    for each in roots:
        builder = builder.add_root_certificate(each)
    try:
        builder.build().verify_message(_decoded(answer), content)
    except Exception as error:  # noqa: BLE001 - the library's errors have no common base
        message = f"its authority is not trusted: {error}"
        raise TimeStampError(message) from None
    return moment


def _decoded(answer: bytes) -> Any:
    try:
        return _library().decode_timestamp_response(answer)
    except ValueError:
        message = "it cannot be read"
        raise TimeStampError(message) from None


def _library() -> Any:
    try:
        import rfc3161_client
    except ImportError:
        message = "Time stamps need the package rfc3161-client: pip install 'mlmd-lineage[sign]'."
        raise errors.ConfigurationError(message) from None
    return rfc3161_client
