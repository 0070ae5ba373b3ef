"""Components of a small TFX pipeline; TFX reads their annotations and finds them by module name."""

from pathlib import Path

from tfx import v1 as tfx
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.types.standard_artifacts import Examples, Model, ModelBlessing, Schema


@tfx.dsl.components.component
def Train(  # noqa: N802 -- TFX names the component after the function
    examples: InputArtifact[Examples],  # noqa: ARG001 -- the record names it as an input
    schema: InputArtifact[Schema],  # noqa: ARG001
    model: OutputArtifact[Model],
    rate: Parameter[float],
):
    (Path(model.uri) / "model.txt").write_text(str(rate), encoding="utf-8")
    model.set_float_custom_property("accuracy", 0.1 + rate)
    model.set_string_custom_property("größe", "ü\U0001f600")


@tfx.dsl.components.component
def Bless(model: InputArtifact[Model], blessing: OutputArtifact[ModelBlessing]):  # noqa: ARG001, N802
    blessing.set_int_custom_property("blessed", 1)


@tfx.dsl.components.component
def Fail(model: OutputArtifact[Model]):  # noqa: ARG001, N802
    message = "a step that fails"
    raise ValueError(message)
