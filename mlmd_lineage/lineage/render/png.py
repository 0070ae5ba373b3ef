"""PNG images of pictures, by the library resvg."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from mlmd_lineage import errors

_FAMILY = "DejaVu Sans"
SCALE = 2
"""How many pixels of the image a pixel of the drawing takes, so that it is sharp on paper."""
MOST_PIXELS = 1 << 26
"""How many pixels an image may have, each of which takes four bytes."""
_SIZE = re.compile(r'<svg [^>]*?viewBox="[-0-9.]+ [-0-9.]+ ([0-9.]+) ([0-9.]+)"')


def png(picture: str) -> bytes:
    """Return an SVG image as a PNG image with a white background, twice its size.

    One that would have very many pixels has its own size. Text is set in DejaVu Sans, which
    matplotlib brings, so that it looks alike everywhere.

    Raises:
        ConfigurationError: The extra ``png`` is not installed, or the image has too many pixels.
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
        zoom=_scale(picture),
        skip_system_fonts=True,
        font_files=_fonts(),
        font_family=_FAMILY,
        sans_serif_family=_FAMILY,
    )
    return bytes(made)


def _scale(picture: str) -> int:
    """Return how many pixels of the image a pixel of the drawing takes.

    Raises:
        ConfigurationError: There would be too many.
    """
    size = _SIZE.search(picture)
    pixels = 1.0 if size is None else float(size[1]) * float(size[2])
    if pixels > MOST_PIXELS:
        message = (
            f"The picture would have {pixels:,.0f} pixels, and a PNG image may have "
            f"{MOST_PIXELS:,}. Ask for less, fold it, or write SVG or HTML."
        )
        raise errors.ConfigurationError(message)
    return SCALE if pixels * SCALE**2 <= MOST_PIXELS else 1


def _fonts() -> list[str]:
    # The package is found, and not loaded: that takes half a second.
    found = importlib.util.find_spec("matplotlib")
    folder = Path(str(found.origin)).parent / "mpl-data" / "fonts" / "ttf" if found else Path()
    fonts = sorted(folder.glob("DejaVuSans*.ttf")) if found else []
    if not fonts:
        message = "PNG images need the fonts of matplotlib: pip install 'mlmd-lineage[png]'."
        raise errors.ConfigurationError(message)
    return [str(font) for font in fonts]
