"""Lineage of stores that are too large for one machine, on Apache Spark: ``docs/spark.md``.

>>> from mlmd_lineage import spark
>>> store = spark.connect("s3://bucket/archive")
>>> store.impact(["artifact/1", "artifact/7"]).reached.show()
"""

from __future__ import annotations

from mlmd_lineage.spark.opening import connect
from mlmd_lineage.spark.parts import LARGEST_PART
from mlmd_lineage.spark.store import SparkStore

__all__ = ["LARGEST_PART", "SparkStore", "connect"]
