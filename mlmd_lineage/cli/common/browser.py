"""Opens the explorer's address in a browser, without the token in the browser's command line.

Other users of a machine see the command lines of all processes. The browser is given a private file
that leads to the address, as Jupyter's server does (``ServerApp.use_redirect_file``).
"""

from __future__ import annotations

import html
import webbrowser

from mlmd_lineage import errors
from mlmd_lineage.config.private_files import write_private

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0;url={url}">
<title>mlmd_lineage</title>
</head>
<body><p><a href="{url}">Open the explorer</a></p></body>
</html>
"""


def open_privately(url: str, port: int, owner: object) -> bool:
    """Open an address in a browser by a file that only this user can read.

    >>> open_privately("http://127.0.0.1:41234/?token=...", 41234, server)
    True

    Args:
        url: The address.
        port: The server's port, which keeps the files of several servers apart.
        owner: The object with which the file goes.

    Returns:
        Whether a browser was found, and the file could be written.
    """
    page = _PAGE.format(url=html.escape(url)).encode()
    try:
        path = write_private(f"explore-{port}.html", page, owner)
    except errors.MLMDLineageError:
        return False
    return webbrowser.open(path.as_uri())
