"""Values read as they were put: hypothesis makes them, SQLite keeps them, our reader reads them."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mlmd_lineage as ml
from mlmd_lineage.snapshot.values import ProtoValue, values_by_owner

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30).filter(
    lambda text: not text.startswith("mlmd-struct::") and text != "__MLMD_NULL__"
)
STRUCTS = st.dictionaries(
    TEXTS, st.one_of(TEXTS, st.booleans(), st.none(), st.floats(allow_nan=False)), max_size=3
)
VALUES = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    TEXTS,
    st.booleans(),
    STRUCTS,
    st.builds(ProtoValue, TEXTS, st.binary(max_size=20)),
)
_numbers = itertools.count()


def set_value(target: Any, value: Any) -> None:
    if isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int):
        target.int_value = value
    elif isinstance(value, float):
        target.double_value = value
    elif isinstance(value, str):
        target.string_value = value
    elif isinstance(value, dict):
        target.struct_value.SetInParent()
        target.struct_value.update(value)
    else:
        target.proto_value.type_url, target.proto_value.value = value.type_url, value.value
        target.proto_value.SetInParent()


def exact(value: Any) -> Any:
    """Return what tells values apart that Python takes for equal."""
    return (type(value), math.copysign(1, value), value) if isinstance(value, float) else value


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ml.Store:
    made = ml.connect(tmp_path_factory.mktemp("values") / "metadata.db", create=True)
    with made.writer() as writer:
        writer.put(ml.message("PutArtifactTypeRequest")(artifact_type={"name": "T"}))
    return made


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(properties=st.dictionaries(TEXTS, VALUES, max_size=5), name=TEXTS, uri=TEXTS)
def test_values_are_exact(store: ml.Store, properties: dict[str, Any], name: str, uri: str):
    artifact = ml.message("Artifact")(type_id=10, name=f"{next(_numbers)}{name}", uri=uri)
    for key, value in properties.items():
        set_value(artifact.custom_properties[key], value)
    with store.writer() as writer:
        request = ml.message("PutArtifactsRequest")(artifacts=[artifact])
        [number] = writer.put(request).artifact_ids
    snapshot = store.snapshot()
    view = snapshot.artifacts.to_pandas().set_index("id").loc[number]
    assert (view["name"], view["uri"]) == (artifact.name, uri)
    found = values_by_owner(snapshot["ArtifactProperty"]).get(number, ({}, {}))[1]
    assert {key: exact(value) for key, value in found.items()} == {
        key: exact(value) for key, value in properties.items()
    }
