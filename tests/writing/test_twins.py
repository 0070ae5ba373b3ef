"""Random puts, given to MLMD's library and to our writer, end in the same store."""

from __future__ import annotations

import itertools
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from random_puts import prepared, requests
from twins import NativeTwin, OurTwin, sqlite_config, sqlite_rows

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.native

REQUESTS = requests()
_numbers = itertools.count()


def is_dangling(ours: tuple[int, Any], theirs: tuple[int, Any]) -> bool:
    """Tell whether MLMD let an event name a node that is not there; we do not."""
    return theirs[0] == 0 and ours[0] == 3 and str(ours[1]).startswith("An event names the")


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(seed=st.integers(0, 2**32))
def test_random_puts(seed: int, tmp_path: Path):
    random = Random(seed)
    asked = [REQUESTS(random) for _ in range(12)]
    number = next(_numbers)
    paths = [tmp_path / f"{name}{number}.db" for name in ("native", "ours")]
    native, ours = NativeTwin(sqlite_config(paths[0])), OurTwin(paths[1])
    for request in [*prepared(), *asked]:
        theirs, answer = native.put(request), ours.put(request)
        note(f"{request.DESCRIPTOR.name} {request}\n{theirs}\n{answer}")
        if is_dangling(answer, theirs):
            return
        assert answer[0] == theirs[0]
        if not theirs[0]:
            assert answer[1] == theirs[1]
        assert sqlite_rows(paths[1]) == sqlite_rows(paths[0])
