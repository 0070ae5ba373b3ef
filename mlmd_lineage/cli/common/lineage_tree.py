"""Tree of a lineage answer on a terminal, and as indented lines elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage.cli.common import output
from mlmd_lineage.cli.common.values import plain_value
from mlmd_lineage.lineage.render import text_tree
from mlmd_lineage.lineage.render.text_tree import SHOWN_NODES, TreeLine

if TYPE_CHECKING:
    from rich.text import Text

    from mlmd_lineage.lineage.graph import Trace

_GUIDE = 4  # columns that a tree takes for each level
_TEXT = 60  # columns that the deepest level leaves for its text
_SHORTEST = 12  # columns below which a name is left out


class TerminalTexts(text_tree.LineTexts):
    """How nodes are shown on a terminal, with colours."""

    def text(self, line: TreeLine, width: int) -> Text:
        """Return the text of a line for a terminal; a long name or URI keeps its end."""
        from rich.cells import cell_len
        from rich.text import Text

        row = self.rows[line.node]
        kind = "cyan" if line.node.startswith("artifact") else "magenta"
        text = Text(overflow="fold")
        text.append(line.node, style=f"bold {kind}")
        text.append(f" {self.title(line.node, row)}{self.path(line)}")
        rest = Text()
        state = plain_value(row["state"])
        if state and not line.repeated:
            rest.append(f" {state}", style=output.STATE_STYLES.get(state, ""))
        for note, style in self.notes(line, row):
            rest.append(f" {note}", style=style)
        name = "" if line.repeated else self.name(line.node, row)
        room = width - _GUIDE * line.depth - text.cell_len - rest.cell_len - 1
        if name and room >= _SHORTEST:
            cut = name if cell_len(name) <= room else f"…{name[-room + 1 :]}"
            text.append(f" {cut}", style="dim")
        text.append_text(rest)
        return text


def print_tree(trace: Trace, limit: int | None = SHOWN_NODES) -> None:
    """Print an answer as a tree, or outside a terminal as indented lines."""
    if not output.on_terminal():
        for text in text_tree.indented_lines(trace, limit):
            output.write(text)
        return
    from rich.tree import Tree

    labels = TerminalTexts(trace)
    terminal = output.console()
    max_depth = max(3, (terminal.width - _TEXT) // _GUIDE)
    branches: list[Tree] = []
    for line in text_tree.lines(trace, limit, max_depth):
        if not line.depth and branches:
            terminal.print(branches[0])
        del branches[line.depth :]
        label = labels.text(line, terminal.width)
        if branches:
            branches.append(branches[-1].add(label))
        else:
            branches.append(Tree(label, guide_style="dim"))
    if branches:
        terminal.print(branches[0])
