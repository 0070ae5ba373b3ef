"""Run a small TFX pipeline three times, the second time from the cache, and one that fails.

    python run_pipeline.py FOLDER [PORT]

Its metadata goes to FOLDER/store.db by ml_metadata itself, or to the service at PORT of 127.0.0.1.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from components import Bless, Fail, Train
from ml_metadata.proto import metadata_store_pb2
from tfx import v1 as tfx
from tfx.orchestration import metadata
from tfx.types.standard_artifacts import Model, ModelBlessing

folder = Path(sys.argv[1])
connection = tfx.orchestration.metadata.sqlite_metadata_connection_config(str(folder / "store.db"))

if len(sys.argv) > 2:
    # The local runner only knows databases, so the service is named where it opens them.
    service = metadata_store_pb2.MetadataStoreClientConfig(host="127.0.0.1", port=int(sys.argv[2]))
    open_store = metadata.Metadata.__init__
    metadata.Metadata.__init__ = lambda self, _: open_store(self, service)


def run(name: str, components: list[object]) -> None:
    tfx.orchestration.LocalDagRunner().run(
        tfx.dsl.Pipeline(
            pipeline_name=name,
            pipeline_root=str(folder / "root"),
            components=components,
            enable_cache=True,
            metadata_connection_config=connection,
        )
    )


data = folder / "data"
data.mkdir()
(data / "rows.csv").write_text("x,y\n" + "0.5,1\n0.25,0\n" * 50, encoding="utf-8")
for rate in (0.1, 0.1, 0.2):
    examples = tfx.components.CsvExampleGen(input_base=str(data))
    statistics = tfx.components.StatisticsGen(examples=examples.outputs["examples"])
    schema = tfx.components.SchemaGen(statistics=statistics.outputs["statistics"])
    validator = tfx.components.ExampleValidator(
        statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"]
    )
    trainer = Train(
        examples=examples.outputs["examples"], schema=schema.outputs["schema"], rate=rate
    )
    blessed = tfx.dsl.Resolver(
        strategy_class=tfx.dsl.experimental.LatestBlessedModelStrategy,
        model=tfx.dsl.Channel(type=Model),
        model_blessing=tfx.dsl.Channel(type=ModelBlessing),
    ).with_id("blessed")
    blesser = Bless(model=trainer.outputs["model"])
    run("small", [examples, statistics, schema, validator, trainer, blessed, blesser])
with contextlib.suppress(ValueError):
    run("failing", [Fail()])
