"""Random requests of every Put method, few of which are right, for stores that are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from google.protobuf import text_format

from mlmd_lineage.writing.writer import message

# The types 1 to 9 are MLMD's own; 10 to 14 are those of PREPARED, of which two may not be there.
ARTIFACT_TYPES = [10, 11, 2]
EXECUTION_TYPES = [12]
CONTEXT_TYPES = [13]
NAMES = ["a", "b", "c d", ""]
EXTERNAL_IDS = ["x", "y", ""]
PROPERTIES = {
    "i": "INT",
    "s": "STRING",
    "d": "DOUBLE",
    "st": "STRUCT",
    "p": "PROTO",
    "b": "BOOLEAN",
}


def value(text: str) -> Any:
    return text_format.Parse(text, message("Value")())


VALUES: dict[str, list[Any]] = {
    "INT": [value(f"int_value: {number}") for number in (0, -1, 2**31 - 1)],
    "DOUBLE": [value(f"double_value: {number}") for number in (0.0, 0.5, -1.25, 3e10)],
    "STRING": [
        message("Value")(string_value=text) for text in ("", "x", 'Zürich\'s \\ "日本" %s ?', "1")
    ],
    "STRUCT": [
        value("struct_value {}"),
        value('struct_value { fields { key: "k" value { number_value: 1.5 } } }'),
    ],
    "PROTO": [
        value('proto_value { type_url: "t/x" }'),
        value('proto_value { type_url: "t/x" value: "\\000a" }'),
    ],
    "BOOLEAN": [value("bool_value: true"), value("bool_value: false")],
}

Made = Callable[[Random], Any]
"""Makes something with the numbers of a generator."""


def one_of(*choices: Made) -> Made:
    return lambda random: random.choice(choices)(random)


def sampled_from(values: Sequence[Any]) -> Made:
    return lambda random: random.choice(values)


def lists(make: Made, most: int = 3) -> Made:
    return lambda random: [make(random) for _ in range(random.randint(0, most))]


def dictionaries(keys: Made, values: Made, most: int = 3) -> Made:
    return lambda random: {keys(random): values(random) for _ in range(random.randint(0, most))}


def maybe(make: Made, chance: int = 2) -> Made:
    """Leave out a field in one of so many cases."""
    return lambda random: make(random) if random.randrange(chance) else None


def rarely(make: Made, chance: int) -> Made:
    """Leave out a field but in one of so many cases."""
    return lambda random: None if random.randrange(chance) else make(random)


def mostly(right: list[Any], wrong: list[Any]) -> Made:
    """Choose from what is right, and now and then from what is wrong."""
    return lambda random: random.choice(right if random.randrange(40) else wrong)


def built(name: str, /, **fields: Made) -> Made:
    """Build messages, without the fields that are None."""

    def make(random: Random) -> Any:
        given = {field: value(random) for field, value in fields.items()}
        return message(name)(**{key: value for key, value in given.items() if value is not None})

    return make


def declared_properties(random: Random) -> dict[str, Any]:
    found = {}
    for name in random.sample([*PROPERTIES, "zz"], random.randint(0, 3)):
        kind = PROPERTIES.get(name, "INT")
        if not random.randrange(12):
            kind = random.choice(list(VALUES))
        if name != "zz" or not random.randrange(5):
            found[name] = random.choice(VALUES[kind])
    return found


CUSTOM = dictionaries(
    sampled_from(["zz", "k", "", "a.b", "ü"]),
    sampled_from([value for values in VALUES.values() for value in values]),
)
IDS = mostly([1, 2, 3], [0, 77])


def node(name: str, types: list[int], states: list[int], *, known: bool) -> Any:
    fields = {
        "id": maybe(IDS, 3) if known else (lambda _: None),
        "type_id": maybe(mostly(types, [99, 5, 12 if types != EXECUTION_TYPES else 10]), 12),
        "name": maybe(sampled_from(NAMES)) if name != "Context" else maybe(sampled_from(NAMES), 15),
        "external_id": maybe(sampled_from(EXTERNAL_IDS)),
        "properties": declared_properties,
        "custom_properties": CUSTOM,
        "create_time_since_epoch": maybe(sampled_from([5])),
    }
    if name == "Artifact":
        fields |= {
            "uri": maybe(sampled_from(["", "s3://b/x", "ü"])),
            "state": maybe(sampled_from(states)),
            "last_update_time_since_epoch": maybe(sampled_from([7])),
        }
    if name == "Execution":
        fields["last_known_state"] = maybe(sampled_from(states))
    return built(name, **fields)


def artifacts(*, known: bool = True) -> Any:
    return node("Artifact", ARTIFACT_TYPES, [0, 2, 4], known=known)


def executions(*, known: bool = True) -> Any:
    return node("Execution", EXECUTION_TYPES, [0, 2, 3], known=known)


def contexts(*, known: bool = True) -> Any:
    return node("Context", CONTEXT_TYPES, [], known=known)


_PATHS = lists(
    sampled_from(
        [
            "uri",
            "state",
            "last_known_state",
            "name",
            "external_id",
            "properties",
            "custom_properties",
            "properties.i",
            "properties.s",
            "properties.zz",
            "custom_properties.k",
            "custom_properties.a.b",
            "type_id",
            "id",
            "nonsense",
        ]
    )
)


def a_mask(random: Random) -> Any:
    return {"paths": _PATHS(random)}


STEPS = one_of(
    built("Event.Path.Step", index=sampled_from([0, 3, -1])),
    built("Event.Path.Step", key=sampled_from(["", "model", "ü"])),
    built("Event.Path.Step"),
)


def events(*, ends: bool = True) -> Any:
    return built(
        "Event",
        artifact_id=maybe(IDS, 9 if ends else 2),
        execution_id=maybe(IDS, 9 if ends else 2),
        type=maybe(sampled_from([1, 2, 3, 4, 7]), 12),
        milliseconds_since_epoch=maybe(sampled_from([0, 5, -5])),
        path=maybe(built("Event.Path", steps=lists(STEPS))),
    )


def a_type(name: str) -> Any:
    kinds = {"ArtifactType": [1, 2, 2, 0], "ExecutionType": [1, 1, 5, 0], "ContextType": [0]}
    fields = {
        "name": maybe(sampled_from(["A", "B", "", "mlmd.Model"]), 20),
        "version": maybe(sampled_from(["", "1"])),
        "description": maybe(sampled_from(["", "one", "two"])),
        "external_id": maybe(sampled_from(["", "tx", "ty"]), 3),
        "properties": dictionaries(sampled_from(["i", "s", "n"]), mostly([1, 3], [0, 2])),
        "base_type": rarely(sampled_from(kinds[name]), 3 if name != "ContextType" else 20),
    }
    if name == "ExecutionType":
        fields["input_type"] = maybe(sampled_from([{"any": {}}, {"simple": {"name": "Ü"}}]))
    return built(name, **fields)


FLAG = maybe(sampled_from([True, False]))
EVOLUTION = {
    "can_add_fields": FLAG,
    "can_omit_fields": FLAG,
    "all_fields_match": mostly([None, True], [False]),
}


def distinct(make: Made) -> Made:
    """Leave out types that come twice in a request: MLMD then goes by what it had read before."""

    def found(random: Random) -> Any:
        made = make(random)
        return list({(one.name, one.version): one for one in made}.values())

    return found


def requests() -> Made:
    """Make a request of any method."""
    pair = built(
        "PutExecutionRequest.ArtifactAndEvent",
        artifact=maybe(artifacts(), 8),
        event=maybe(events(ends=False), 5),
    )
    edge = built(
        "PutLineageSubgraphRequest.EventEdge",
        artifact_index=maybe(mostly([0, 0, 1], [9, -1, 2]), 4),
        execution_index=maybe(mostly([0, 0, 1], [9, -1, 2]), 4),
        event=maybe(events(ends=False), 20),
    )
    return one_of(
        built("PutArtifactTypeRequest", artifact_type=a_type("ArtifactType"), **EVOLUTION),
        built("PutExecutionTypeRequest", execution_type=a_type("ExecutionType"), **EVOLUTION),
        built("PutContextTypeRequest", context_type=a_type("ContextType"), **EVOLUTION),
        built(
            "PutTypesRequest",
            artifact_types=distinct(lists(a_type("ArtifactType"), 2)),
            execution_types=distinct(lists(a_type("ExecutionType"), 2)),
            context_types=distinct(lists(a_type("ContextType"), 2)),
            **EVOLUTION,
        ),
        built(
            "PutArtifactsRequest",
            artifacts=lists(artifacts()),
            update_mask=maybe(a_mask),
            options=maybe(
                built("PutArtifactsRequest.Options", abort_if_latest_updated_time_changed=FLAG)
            ),
        ),
        built("PutExecutionsRequest", executions=lists(executions()), update_mask=maybe(a_mask)),
        built("PutContextsRequest", contexts=lists(contexts()), update_mask=maybe(a_mask)),
        built("PutEventsRequest", events=lists(events())),
        built(
            "PutAttributionsAndAssociationsRequest",
            attributions=lists(
                built("Attribution", artifact_id=maybe(IDS, 9), context_id=maybe(IDS, 9))
            ),
            associations=lists(
                built("Association", execution_id=maybe(IDS, 9), context_id=maybe(IDS, 9))
            ),
        ),
        built(
            "PutParentContextsRequest",
            parent_contexts=lists(
                built("ParentContext", child_id=maybe(IDS, 9), parent_id=maybe(IDS, 9))
            ),
        ),
        built(
            "PutExecutionRequest",
            execution=maybe(executions(), 20),
            artifact_event_pairs=lists(pair),
            contexts=lists(contexts(), 2),
            options=maybe(
                built(
                    "PutExecutionRequest.Options",
                    reuse_context_if_already_exist=FLAG,
                    reuse_artifact_if_already_exist_by_external_id=FLAG,
                    force_update_time=FLAG,
                    force_reuse_context=FLAG,
                )
            ),
        ),
        built(
            "PutLineageSubgraphRequest",
            artifacts=lists(artifacts()),
            executions=lists(executions(), 2),
            contexts=lists(contexts(), 2),
            event_edges=lists(edge),
            options=maybe(
                built(
                    "PutLineageSubgraphRequest.Options",
                    reuse_context_if_already_exist=FLAG,
                    reuse_artifact_if_already_exist_by_external_id=FLAG,
                )
            ),
        ),
    )


def prepared() -> list[Any]:
    """Return the requests that put the types of which the nodes are, and three nodes of each."""
    properties = {name: list(VALUES).index(kind) + 1 for name, kind in PROPERTIES.items()}
    put_types = message("PutTypesRequest")(
        artifact_types=[
            {"name": "T", "properties": properties},
            {"name": "M", "properties": properties, "base_type": 2},
        ],
        execution_types=[{"name": "E", "properties": properties}],
        context_types=[{"name": "C", "properties": properties}],
    )
    put_nodes = message("PutLineageSubgraphRequest")(
        artifacts=[{"type_id": 10}, {"type_id": 10, "name": "n"}, {"type_id": 11}],
        executions=[{"type_id": 12}] * 3,
        contexts=[{"type_id": 13, "name": name} for name in ("one", "two", "three")],
    )
    return [put_types, put_nodes]
