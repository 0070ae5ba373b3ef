"""The files of the front end, which ``setup.py`` builds from ``explorer-ui/``."""

from __future__ import annotations

from importlib import resources

from mlmd_lineage import errors

CONTENT_TYPES = {
    "explorer.js": "text/javascript; charset=utf-8",
    "widget.js": "text/javascript; charset=utf-8",
    "explorer.css": "text/css; charset=utf-8",
    "licences.json": "application/json",
}
"""The files, and the types with which they are served."""
_REMEDY = (
    "Install a wheel of the package, which has it; or build it where the npm registry can be "
    "reached: in a checkout by 'pip install -e .'."
)


def is_built() -> bool:
    """Tell whether the front end is there."""
    folder = resources.files("mlmd_lineage.explorer") / "static"
    return all((folder / name).is_file() for name in ("explorer.js", "explorer.css"))


def content(name: str) -> bytes:
    """Return a file of the front end.

    Raises:
        ConfigurationError: It is not there, as the package was built without it.
    """
    file = resources.files("mlmd_lineage.explorer") / "static" / name
    if name not in CONTENT_TYPES or not file.is_file():
        raise missing()
    return file.read_bytes()


def missing() -> errors.ConfigurationError:
    """Return the error that says what is missing, and how to get it."""
    message = f"The explorer's front end is not part of this installation. {_REMEDY}"
    return errors.ConfigurationError(message)
