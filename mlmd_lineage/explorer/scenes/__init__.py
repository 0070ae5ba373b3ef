"""Scenes: boxes and lines with coordinates, folded, as the front end draws them."""
