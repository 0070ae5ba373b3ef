"""Serves a folder by a server that speaks S3, at ``s3://bucket/archive``: ADDRESS PORT FOLDER."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import s3fs
from moto.server import ThreadedMotoServer


def main(address: str, port: str, folder: str) -> None:
    """Serve until the process is ended."""
    ThreadedMotoServer(ip_address=address, port=int(port)).start()
    files = s3fs.S3FileSystem()  # AWS_ENDPOINT_URL says where it is
    files.mkdir("bucket")
    for path in Path(folder).iterdir():
        files.pipe_file(f"bucket/archive/{path.name}", path.read_bytes())
    print("serving", flush=True)  # noqa: T201 - for whoever started it
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
