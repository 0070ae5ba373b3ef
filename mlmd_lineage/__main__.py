"""Lets ``python -m mlmd_lineage`` do what ``mlmd-lineage`` does."""

from __future__ import annotations

from mlmd_lineage.cli import main

if __name__ == "__main__":
    main()
