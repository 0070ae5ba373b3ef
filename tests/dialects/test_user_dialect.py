"""Mistakes in dialects and materializers of one's own are reported as such."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import mlmd_lineage as ml
from mlmd_lineage.testing import InMemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WHERE = r"test_user_dialect\.py, line \d+"


class Broken(ml.Dialect):
    name = "broken"

    def identify_runs(self, contexts: Any) -> Any:
        return (ml.RunIdentity(contexts[0], None, contexts[0].properties["dag"]),)


class Odd(ml.Dialect):
    name = "odd"

    def identify_runs(self, contexts: Any) -> Any:
        return contexts[0].name


class Late(ml.Dialect):
    name = "late"

    def identify_runs(self, contexts: Any) -> Any:
        return (ml.RunIdentity(contexts[0], None, "late"),)

    def details(self, execution: Any) -> Any:
        return {"parameters": 1 / execution.properties.get("nothing", 0)}


@pytest.fixture
def store() -> InMemoryStore:
    made = InMemoryStore()
    run = made.put_context("airflow.DagRun", "run-1")
    made.put_execution("Train", contexts=[run], outputs={"m": made.put_artifact("Model")})
    return made


@pytest.fixture
def registered() -> Iterator[Callable[[Any], None]]:
    undo = []
    yield lambda dialect: undo.append(ml.register_dialect(dialect))
    for unregister in undo:
        unregister()


@pytest.mark.parametrize(
    ("dialect", "said"),
    [
        (Broken, rf"dialect 'broken' failed in identify_runs\(\): KeyError: 'dag' .*{WHERE}"),
        (Late, rf"dialect 'late' failed in step\(\): ZeroDivisionError: .*{WHERE}"),
        (Odd, r"dialect 'odd' returned a str from identify_runs\(\)"),
    ],
)
def test_an_exception_in_a_dialect_is_its_own(
    store: InMemoryStore, registered: Callable[[Any], None], dialect: Any, said: str
):
    registered(dialect)
    with pytest.raises(ml.errors.DialectError, match=said):
        _ = [run.status for run in store.get_runs()]


def test_what_is_no_dialect_is_refused():
    class Unnamed(ml.Dialect):
        pass

    class Unmade(ml.Dialect):
        name = "unmade"

        def __init__(self) -> None:
            raise OSError("no licence")  # noqa: EM101, TRY003 - a user's code

    for wrong, said in ((object(), "is no dialect"), (Unnamed, "without a name")):
        with pytest.raises(ml.errors.ConfigurationError, match=said):
            ml.register_dialect(wrong)  # type: ignore[arg-type]
    with pytest.raises(ml.errors.DialectError, match=rf"OSError: no licence .*{WHERE}"):
        ml.register_dialect(Unmade)


def test_an_exception_in_a_materializer_is_its_own(store: InMemoryStore):
    def load(artifact: ml.ArtifactView) -> None:
        raise ValueError(f"no loader for {artifact.type}")  # noqa: EM102, TRY003 - a user's code

    unregister = ml.register_materializer("Model", load)
    model = store.get_run("run-1").get_step("Train").output
    said = rf"materializer registered for 'Model' failed: ValueError: no loader .*{WHERE}"
    with pytest.raises(ml.errors.ArtifactReadError, match=said):
        model.read()
    unregister()
