"""Write an MLMD store of a given size, to SQLite or to MariaDB.

    python benchmarks/generate.py M /path/to/M.db
    python benchmarks/generate.py M --mariadb mysql://user:password@host:port/database

The same size gives the same rows on every run and on both databases.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import shape
import sinks


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Write an MLMD store of a given size.")
    parser.add_argument(
        "size", choices=shape.SIZES, help="XS, S, M or L: a thousand to a million executions"
    )
    parser.add_argument("path", nargs="?", type=Path, help="the SQLite file to write")
    parser.add_argument("--mariadb", metavar="URL", help="the MariaDB or MySQL database to fill")
    options = parser.parse_args()
    if (options.path is None) == (options.mariadb is None):
        parser.error("give either a path or --mariadb")
    start = time.perf_counter()
    try:
        if options.path is not None:
            sinks.load_sqlite(options.path, shape.SIZES[options.size])
        else:
            sinks.load_mariadb(options.mariadb, shape.SIZES[options.size])
    except sinks.GenerateError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{options.size} written in {time.perf_counter() - start:.1f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
