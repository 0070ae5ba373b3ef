"""Our messages against MLMD's own: the same fields, the same bytes."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from mlmd_lineage import _proto
from mlmd_lineage.errors import MLMDLineageError

if TYPE_CHECKING:
    from collections.abc import Iterator

MESSAGES = ["ConnectionConfig", "MetadataStoreClientConfig"]


@pytest.fixture
def metadata_store_pb2() -> Any:
    return pytest.importorskip("ml_metadata.proto.metadata_store_pb2")


def fields(
    descriptor: Any, prefix: str = "", above: tuple[str, ...] = ()
) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Name every field below a message, with all that decides how it is written."""
    if descriptor.full_name in above:
        return
    for field in descriptor.fields:
        name = f"{prefix}{field.name}"
        oneof = field.containing_oneof and field.containing_oneof.name
        values = [(value.name, value.number) for value in getattr(field.enum_type, "values", [])]
        default = None if field.message_type else str(field.default_value)
        yield name, (field.number, field.type, field.has_presence, oneof, values, default)
        if field.message_type:
            yield from fields(field.message_type, f"{name}.", (*above, descriptor.full_name))


def filled(kind: type[Any], seed: int) -> Iterator[Any]:
    """Make messages of one kind with every field set; one for each choice of a oneof."""
    oneofs = [field for oneof in kind.DESCRIPTOR.oneofs for field in oneof.fields]
    for chosen in oneofs or [None]:
        message = kind()
        for field in kind.DESCRIPTOR.fields:
            if field.containing_oneof and field is not chosen:
                continue
            if field.message_type:
                part = getattr(message, field.name)
                part.SetInParent()
                for value in filled(type(part), seed + field.number):
                    part.CopyFrom(value)
            elif field.enum_type:
                setattr(message, field.name, field.enum_type.values[-1].number)
            else:
                text = f"{field.name} ü {seed}"
                value = {"int": 2**40 + seed, "str": text, "bool": True, "float": 0.1 + seed}
                kind_of = type(field.default_value).__name__
                setattr(message, field.name, value[kind_of])
        yield message


@pytest.mark.native
@pytest.mark.parametrize("name", MESSAGES)
def test_every_field_is_mlmds(name: str, metadata_store_pb2: Any):
    theirs = dict(fields(getattr(metadata_store_pb2, name).DESCRIPTOR))
    assert dict(fields(_proto.message(name).DESCRIPTOR)) == theirs


@pytest.mark.native
def test_the_service_is_mlmds():
    theirs = pytest.importorskip("ml_metadata.proto.metadata_store_service_pb2")
    [service] = theirs.DESCRIPTOR.services_by_name.values()
    ours = _proto.service().methods_by_name
    assert list(ours) == list(service.methods_by_name)
    for name, method in service.methods_by_name.items():
        for one, other in (
            (ours[name].input_type, method.input_type),
            (ours[name].output_type, method.output_type),
        ):
            assert one.name == other.name
            assert dict(fields(one)) == dict(fields(other))


@pytest.mark.native
@pytest.mark.parametrize("name", MESSAGES)
def test_bytes_go_both_ways(name: str, metadata_store_pb2: Any):
    ours, theirs = _proto.message(name), getattr(metadata_store_pb2, name)
    for message in filled(ours, 1):
        data = message.SerializeToString(deterministic=True)
        read = theirs.FromString(data)
        assert str(read) == str(message) != ""
        assert read.SerializeToString(deterministic=True) == data
        assert ours.FromString(read.SerializeToString()) == message


@pytest.mark.native
def test_the_native_class_where_it_is(metadata_store_pb2: Any):
    assert _proto.connection_config_class() is metadata_store_pb2.ConnectionConfig


def test_our_class_where_ml_metadata_is_not(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ml_metadata", None)
    monkeypatch.setitem(sys.modules, "ml_metadata.proto", None)
    kind = _proto.connection_config_class()
    assert kind is _proto.message("ConnectionConfig")
    config: Any = kind()
    config.sqlite.filename_uri = "metadata.db"
    assert config.SerializeToString() == b"\x1a\x0d\x0a\x0bmetadata.db"


def test_nested_messages_have_dotted_names():
    assert _proto.message("MySQLDatabaseConfig.SSLOptions").DESCRIPTOR.name == "SSLOptions"
    with pytest.raises(KeyError):
        _proto.message("NoSuchMessage")


def test_a_missing_descriptor_set_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_proto, "_DESCRIPTOR_SET", "none.binpb")
    with pytest.raises(MLMDLineageError, match="install it again"):
        _proto._built_pool.__wrapped__()


def test_protobuf_waits_for_the_first_message():
    code = "import sys, mlmd_lineage._proto; print('google.protobuf' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


FIRST_MESSAGES = """
import sys, threading
from mlmd_lineage import _proto

sys.setswitchinterval(1e-6)
together = threading.Barrier(8)
found = set()

def ask():
    together.wait()
    found.add((_proto.message("GetArtifactsResponse"), _proto.message("Artifact")))

threads = [threading.Thread(target=ask) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
[(response, artifact)] = found
print(response(artifacts=[artifact(id=1)]).artifacts[0].id)
"""


def test_threads_that_ask_first_at_once_get_the_same_classes():
    done = subprocess.run(
        [sys.executable, "-c", FIRST_MESSAGES], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("1\n", "")


READ = {
    "Artifact": "Artifact",
    "Execution": "Execution",
    "Context": "Context",
    "Event": "Event",
    "Path": "Event.Path",
    "Step": "Event.Path.Step",
    "Value": "Value",
    "Property": "Artifact.CustomPropertiesEntry",
    "Memberships": "LineageGraph",
    "Subgraph": "GetLineageSubgraphResponse",
}
"""The messages that columns are made from, and MLMD's own for the same bytes."""
_RENAMED = {"memberships": "lineage_subgraph"}


@pytest.mark.parametrize("name", READ)
def test_what_is_read_lies_where_mlmd_puts_it(name: str):
    theirs = _proto.message(READ[name]).DESCRIPTOR.fields_by_name
    for field in _proto.message(name, _proto.READING).DESCRIPTOR.fields:
        own = theirs[_RENAMED.get(field.name, field.name)]
        assert field.number == own.number, field.name
        assert wire_type(field) == wire_type(own), field.name


@pytest.mark.parametrize("kind", ["Artifact", "Execution", "Context"])
def test_answers_with_nodes_are_alike(kind: str):
    parts = _proto.message("Parts", _proto.READING).DESCRIPTOR.fields_by_name
    for method in ("s", "sByID", "sByContext", "sByType", "ByTypeAndName", "sByExternalIds"):
        if kind + method == "ContextsByContext":
            continue
        fields = _proto.message(f"Get{kind}{method}Response").DESCRIPTOR.fields_by_name
        nodes = fields.get(f"{kind.lower()}s") or fields[kind.lower()]
        assert nodes.number == parts["parts"].number
        token = fields.get("next_page_token")
        assert token is None or token.number == parts["next_page_token"].number


def wire_type(field: Any) -> int:
    """Return how a field is written: as a varint, as eight bytes, or as bytes with a length."""
    if field.type == field.TYPE_DOUBLE:
        return 1
    return 2 if field.type in {field.TYPE_STRING, field.TYPE_BYTES, field.TYPE_MESSAGE} else 0
