"""``docs/cli.md`` says what the command line does: all of it, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import terminal

from mlmd_lineage.cli.app import command_line

if TYPE_CHECKING:
    from collections.abc import Iterator

GUIDE = terminal.GUIDE.read_text(encoding="utf-8")
GROUP: Any = command_line()


def commands(group: Any, *above: str) -> Iterator[tuple[str, Any]]:
    """Yield the commands of a group and of the groups in it, by the words that call them."""
    for name, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            yield from commands(command, *above, name)
        else:
            yield " ".join([*above, name]), command


COMMANDS = dict(commands(GROUP))
# The three kinds of components have the same commands; the guide shows them for one.
ALIKE = {
    name: f"metadata-store {name.split(' ', 1)[1]}"
    for name in COMMANDS
    if name.split()[0] in {"artifact-store", "orchestrator"}
}


@pytest.mark.slow
def test_the_examples_print_what_the_guide_says():
    """All in one test, as they go on where the ones before them ended."""
    with terminal.example_folder() as folder:
        env = terminal.environment(folder)
        for command, expected in terminal.examples(GUIDE):
            _, printed = terminal.on_terminal(command, folder, env)
            lines = terminal.uncoloured(printed).splitlines()
            shown = "".join(f"{line.rstrip()}\n" for line in lines)
            assert terminal.fits(shown, expected), f"$ {command}\n{shown}"


def test_three_dots_stand_for_any_lines():
    assert terminal.fits("a\nb\nc\nd\n", "a\n...\nd\n")
    assert terminal.fits("a\nd\n", "a\n...\nd\n")
    assert not terminal.fits("a\nb\n", "a\n...\nd\n")


def parameters(command: Any) -> list[tuple[str, ...]]:
    return [(p.param_type_name, p.name, p.metavar, *p.opts) for p in command.params]


@pytest.mark.parametrize("name", ALIKE)
def test_the_three_kinds_have_the_same_commands(name: str):
    assert parameters(COMMANDS[name]) == parameters(COMMANDS[ALIKE[name]])
    assert f"`mlmd-lineage {name.split(maxsplit=1)[0]}`" in GUIDE


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ALIKE])
def test_every_command_stands_in_the_guide(name: str):
    arguments = [p.metavar for p in COMMANDS[name].params if p.param_type_name == "argument"]
    assert f"`mlmd-lineage {' '.join([name, *arguments])}" in GUIDE


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (name, option)
        for name, command in [("mlmd-lineage", GROUP), *COMMANDS.items()]
        if name not in ALIKE
        for parameter in command.params
        if parameter.param_type_name == "option"
        for option in parameter.opts
    ],
)
def test_every_option_stands_in_the_guide(command: str, option: str):
    # The options of a command stand in the part of the guide that shows it.
    parts = GUIDE.split("\n## ")
    own = [part for part in parts if f"`mlmd-lineage {command}" in part]
    if command == "mlmd-lineage" or option in {"--help", "-h", "--timeout"}:
        own = parts
    assert any(f"`{option}" in part or f" {option}`" in part for part in own)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_asks_a_store_has_a_timeout(name: str):
    names = {parameter.name for parameter in COMMANDS[name].params}
    # These last as long as what they run or serve, or only make a store.
    others = {"explore", "init", "pipeline run", "pipeline step", "run", "serve"}
    assert ("timeout" in names) == ("store" in names and name not in others)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_examples_of_itself(name: str):
    help_ = COMMANDS[name].get_help(COMMANDS[name].make_context(name, [], resilient_parsing=True))
    assert f"mlmd-lineage {name}" in help_ or "archive/" in help_
    assert "Examples:" in help_
