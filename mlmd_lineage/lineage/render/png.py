"""PNG images of pictures, by the library resvg."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from mlmd_lineage import errors

_FAMILY = "DejaVu Sans"
SCALE = 2
"""How many pixels of the image a pixel of the drawing takes, so that it is sharp on paper."""


def png(picture: str) -> bytes:
    """Return an SVG image as a PNG image with a white background, twice its size.

    Text is set in DejaVu Sans, which matplotlib brings, so that it looks alike everywhere.

    Raises:
        ConfigurationError: The extra ``png`` is not installed.
    """
    try:
        import resvg_py
    except ImportError:
        message = "PNG images need resvg_py and matplotlib: pip install 'mlmd-lineage[png]'."
        raise errors.ConfigurationError(message) from None
    text = picture.replace('font-family="Helvetica, Arial, sans-serif"', f'font-family="{_FAMILY}"')
    made = resvg_py.svg_to_bytes(
        svg_string=text,
        background="#ffffff",
        zoom=SCALE,
        skip_system_fonts=True,
        font_files=_fonts(),
        font_family=_FAMILY,
        sans_serif_family=_FAMILY,
    )
    return bytes(made)


def _fonts() -> list[str]:
    # The package is found, and not loaded: that takes half a second.
    found = importlib.util.find_spec("matplotlib")
    folder = Path(str(found.origin)).parent / "mpl-data" / "fonts" / "ttf" if found else Path()
    fonts = sorted(folder.glob("DejaVuSans*.ttf")) if found else []
    if not fonts:
        message = "PNG images need the fonts of matplotlib: pip install 'mlmd-lineage[png]'."
        raise errors.ConfigurationError(message)
    return [str(font) for font in fonts]
