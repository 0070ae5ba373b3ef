"""The figures: what is compared with what, and what comes out at the least."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Starts(str, Enum):
    """Which artifacts a task starts from."""

    NONE = "none"
    MODELS = "the newest models whose upstream holds about 400 nodes"
    MANY = "1,000 artifacts at random"
    MODELS_AT_RANDOM = "1,000 models at random"
    FEW = "20 artifacts at random"


@dataclass(frozen=True)
class Side:
    """One of the two sides of a figure."""

    label: str
    task: str
    size: str | None = None
    """The size of the store, where it is not the one that was asked for."""
    timed: str = "all"
    """Which of the task's times is meant."""

    @property
    def by_ml_metadata(self) -> bool:
        """Whether ``ml_metadata`` does it."""
        return self.task in _BY_ML_METADATA


@dataclass(frozen=True)
class Goal:
    """What a figure is meant to reach; None asks for nothing."""

    faster: float | None = None
    """The peer's time over ours is at least this."""
    smaller: float | None = None
    """The peer's peak over ours is at least this."""
    slower: float | None = None
    """Our time over the peer's is at most this."""
    peak_mb: float | None = None
    """Our peak is at most this."""


@dataclass(frozen=True)
class Figure:
    """A row of the table: the same work done by a peer and by us."""

    name: str
    title: str
    ours: Side
    peer: Side
    goal: Goal = Goal()
    goal_mariadb: Goal | None = None
    """The goal on MariaDB, where it is another."""
    starts: Starts = Starts.NONE
    same: tuple[str, ...] = ()
    """The counts in which both sides must agree."""
    flavors: tuple[str, ...] = ("sqlite", "mariadb")
    """The databases on which it is measured; the graph in memory is the same on all."""


_BY_ML_METADATA = frozenset({"peers.nodes", "peers.snapshot", "peers.graph", "peers.answer"})

OURS = "mlmd_lineage"
GET_CALLS = "ml_metadata's get_*"
READ = ("artifacts", "executions", "contexts", "events", "properties")
SQLITE = ("sqlite",)
SERVICE = ("service",)

FIGURES = (
    Figure(
        name="snapshot",
        title="whole snapshot; the peer leaves out who is in which context",
        ours=Side(OURS, "ours.snapshot"),
        peer=Side(GET_CALLS, "peers.nodes"),
        goal=Goal(faster=8, smaller=2),
        goal_mariadb=Goal(faster=5, smaller=2),
        same=READ,
    ),
    Figure(
        name="snapshot-contexts",
        title="whole snapshot, contexts included on both sides",
        ours=Side(OURS, "ours.snapshot"),
        peer=Side(GET_CALLS, "peers.snapshot"),
        goal=Goal(faster=8, smaller=2),
        goal_mariadb=Goal(faster=5, smaller=2),
        same=(*READ, "links", "parents"),
    ),
    Figure(
        name="service-snapshot",
        title="whole snapshot over gRPC, contexts included on both sides",
        ours=Side(OURS, "ours.snapshot"),
        peer=Side(GET_CALLS, "peers.snapshot"),
        goal=Goal(faster=4, smaller=4),
        same=(*READ, "links", "parents"),
        flavors=SERVICE,
    ),
    Figure(
        name="service-answer",
        title="one upstream answer of 400 nodes over gRPC",
        ours=Side(OURS, "ours.answer"),
        peer=Side("get_lineage_subgraph", "peers.answer"),
        starts=Starts.MODELS,
        flavors=SERVICE,
    ),
    Figure(
        name="graph",
        title="whole graph, topology and node columns",
        ours=Side(OURS, "ours.graph"),
        peer=Side(f"{GET_CALLS} to networkx", "peers.graph"),
        goal=Goal(faster=20, smaller=4),
        same=("nodes", "edges"),
    ),
    Figure(
        name="answer",
        title="one upstream answer of 400 nodes",
        ours=Side(OURS, "ours.answer"),
        peer=Side("get_lineage_subgraph", "peers.answer"),
        starts=Starts.MODELS,
    ),
    Figure(
        name="answer-growth",
        title="one upstream answer of 400 nodes, on L against S",
        ours=Side(f"{OURS} on L", "ours.answer", size="L"),
        peer=Side(f"{OURS} on S", "ours.answer", size="S"),
        goal=Goal(slower=2),
        starts=Starts.MODELS,
        flavors=SQLITE,
    ),
    Figure(
        name="closures",
        title="1,000 random upstream closures, graph loaded",
        ours=Side(OURS, "ours.closures"),
        peer=Side("networkx.ancestors", "peers.closures"),
        goal=Goal(faster=8),
        starts=Starts.MANY,
        same=("closures", "nodes"),
        flavors=SQLITE,
    ),
    Figure(
        name="closures-again",
        title="the same 1,000 again",
        ours=Side(OURS, "ours.closures", timed="again"),
        peer=Side("networkx.ancestors", "peers.closures", timed="again"),
        goal=Goal(faster=8),
        starts=Starts.MANY,
        same=("closures", "nodes"),
        flavors=SQLITE,
    ),
    Figure(
        name="closures-of-models",
        title="1,000 random models' upstream closures",
        ours=Side(OURS, "ours.closures", timed="again"),
        peer=Side("networkx.ancestors", "peers.closures", timed="again"),
        goal=Goal(faster=8),
        starts=Starts.MODELS_AT_RANDOM,
        same=("closures", "nodes"),
        flavors=SQLITE,
    ),
    Figure(
        name="networkx",
        title="the graph as networkx, and the ancestors of one node",
        ours=Side("to_networkx()", "ours.networkx_view"),
        peer=Side("to_networkx(copy=True)", "ours.networkx_copy"),
        starts=Starts.FEW,
        same=("nodes",),
        flavors=SQLITE,
    ),
    Figure(
        name="networkx-ancestors",
        title="the ancestors of 19 nodes more, by networkx",
        ours=Side("to_networkx()", "ours.networkx_view", timed="ancestors"),
        peer=Side("to_networkx(copy=True)", "ours.networkx_copy", timed="ancestors"),
        starts=Starts.FEW,
        same=("nodes",),
        flavors=SQLITE,
    ),
    Figure(
        name="large-graph",
        title="whole graph at L",
        ours=Side(OURS, "ours.graph", size="L"),
        peer=Side(f"{GET_CALLS} to networkx", "peers.graph", size="L"),
        goal=Goal(peak_mb=1_000),
        same=("nodes", "edges"),
        flavors=SQLITE,
    ),
    Figure(
        name="large-closures",
        title="1,000 random upstream closures at L",
        ours=Side(OURS, "ours.closures", size="L", timed="again"),
        peer=Side("networkx.ancestors", "peers.closures", size="L", timed="again"),
        goal=Goal(faster=8, peak_mb=1_000),
        starts=Starts.MANY,
        same=("closures", "nodes"),
        flavors=SQLITE,
    ),
)

NAMES = tuple(figure.name for figure in FIGURES)
