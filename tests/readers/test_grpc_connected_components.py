"""The groups that events make of nodes, held to networkx's."""

from __future__ import annotations

import networkx as nx
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlmd_lineage.readers.grpc.connected_components import groups

ID = st.integers(1, 40)


@given(st.lists(st.tuples(ID, ID)))
def test_groups_are_those_of_networkx(events: list[tuple[int, int]]):
    graph = nx.Graph((("artifact", a), ("execution", e)) for a, e in events)
    expected = {frozenset(nodes) for nodes in nx.connected_components(graph)}
    pairs = np.array(events, np.int64).reshape(-1, 2)
    executions, sizes = groups(pairs[:, 0], pairs[:, 1])
    assert sizes.tolist() == sorted(map(len, expected), reverse=True)
    for execution, size in zip(executions.tolist(), sizes.tolist(), strict=True):
        (group,) = (nodes for nodes in expected if ("execution", execution) in nodes)
        expected.remove(group)
        assert len(group) == size
    assert not expected


def test_a_long_chain_takes_few_rounds():
    length = 200_000
    steps = np.random.default_rng(0).permutation(length)
    chain = np.concatenate([steps, steps]), np.concatenate([steps, steps + 1])
    executions, sizes = groups(*chain)
    assert sizes.tolist() == [2 * length + 1]
    assert executions.tolist() == [length // 2]
