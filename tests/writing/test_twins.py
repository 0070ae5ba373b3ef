"""Random puts, given to MLMD's library and to our writer, end in the same store."""

from __future__ import annotations

import contextlib
import itertools
from random import Random
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_puts import prepared, requests
from twins import (
    NativeTwin,
    OurTwin,
    ServerTwin,
    put_again,
    reset_sqlite,
    resets,
    server_config,
    server_rows,
    sqlite_config,
    sqlite_rows,
)

from mlmd_lineage.writing import subgraph_columns

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from servers import Server

pytestmark = pytest.mark.native

REQUESTS = requests()
LENGTH = 12
_numbers = itertools.count()

QUICK = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))


def compare(  # noqa: PLR0913 - two stores, and how to look at them
    seed: int,
    native: Any,
    ours: Any,
    rows: Callable[[], tuple[Any, Any]],
    reset: Callable[[], None],
    *,
    like: str = "",
) -> None:
    """Put the requests of a seed into both, and compare the answers and what they hold.

    Of every other seed, subgraphs are put by columns, as those of many nodes are.
    """
    fewest = 1 if seed % 2 else subgraph_columns.FEWEST
    with mock.patch.object(subgraph_columns, "FEWEST", fewest):
        _compare(seed, native, ours, rows, reset, like=like)


def _compare(  # noqa: PLR0913 - as above
    seed: int,
    native: Any,
    ours: Any,
    rows: Callable[[], tuple[Any, Any]],
    reset: Callable[[], None],
    *,
    like: str,
) -> None:
    random = Random(seed)  # noqa: S311 - no secret
    makers = [lambda request=request: request for request in prepared()]
    for number in range(LENGTH):
        makers.append(lambda: REQUESTS(random))
        if number % 2:
            makers.append(lambda: put_again(random, native))
    for make in makers:
        request = make()
        if like and like in str(request):
            continue
        theirs, answer = native.put(request), ours.put(request)
        told = f"{request.DESCRIPTOR.name} {request}\n{theirs}\n{answer}"
        if theirs[0] == 0 and str(answer[1]).startswith("An event names the"):
            return  # MLMD lets it name a node that is not there
        assert answer[0] == theirs[0], told
        if not theirs[0]:
            assert answer[1] == theirs[1], told
        theirs_held, held = rows()
        assert held == theirs_held, told
        reset()


@QUICK
@given(seed=st.integers(0, 2**32))
def test_random_puts_into_sqlite(seed: int, tmp_path: Path):
    number = next(_numbers)
    paths = [tmp_path / f"{name}{number}.db" for name in ("native", "ours")]
    native = NativeTwin(sqlite_config(paths[0]))

    def reset() -> None:
        for path in paths:
            reset_sqlite(path)

    with contextlib.closing(OurTwin(paths[1])) as ours:
        compare(seed, native, ours, lambda: (sqlite_rows(paths[0]), sqlite_rows(paths[1])), reset)


@pytest.mark.parametrize("seed", [1])
@pytest.mark.parametrize("name", ["mariadb_server", "postgresql_server"])
def test_random_puts_into_servers(seed: int, name: str, request: pytest.FixtureRequest):
    server: Server = request.getfixturevalue(name)
    theirs, ours = server.new_database(), server.new_database()
    written = ServerTwin(server.url(ours))

    def reset() -> None:
        for database in (theirs, ours):
            for statement in resets():
                server.execute(statement, database)

    compare(
        seed,
        NativeTwin(server_config(server, theirs)),
        written,
        lambda: (server_rows(server, theirs), server_rows(server, ours)),
        reset,
        # MLMD's library makes a wrong statement of a backslash there.
        like="" if server.scheme == "mysql" else "\\\\",
    )
    written.writer.close()
