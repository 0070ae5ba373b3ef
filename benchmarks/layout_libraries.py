"""Lay out a graph in the browser with dagre, elkjs and d3-dag, beside the explorer.

The packages are installed into a temporary folder by npm; without npm or its registry there is
nothing to compare with. Each layout runs in a worker of the page, which is ended when it takes too
long. What is measured is the layout alone, without reading the store and without drawing.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSIONS = {"@dagrejs/dagre": "3.1.3", "elkjs": "0.12.1", "d3-dag": "1.2.2"}
"""The packages that are compared, and their versions."""

_WORKER = """
const sized = {width: 136, height: 38};
const layouts = {
  async dagre({nodes, edges}) {
    const graph = new dagre.graphlib.Graph();
    graph.setGraph({rankdir: 'LR'});
    graph.setDefaultEdgeLabel(() => ({}));
    for (let node = 0; node < nodes; node++) graph.setNode(String(node), {...sized});
    for (const [source, target] of edges) graph.setEdge(String(source), String(target));
    dagre.layout(graph);
    return graph.node('0').x;
  },
  async elkjs({nodes, edges}) {
    const children = Array.from({length: nodes}, (_, node) => ({id: `n${node}`, ...sized}));
    const lines = edges.map(([source, target], at) =>
      ({id: `e${at}`, sources: [`n${source}`], targets: [`n${target}`]}));
    const layout = {'elk.algorithm': 'layered', 'elk.direction': 'RIGHT'};
    const found = await elk({id: 'root', layoutOptions: layout, children, edges: lines});
    return found.children[0].x;
  },
  async 'd3-dag'({nodes, edges}) {
    const all = Array.from({length: nodes}, (_, node) => ({id: String(node), parentIds: []}));
    for (const [source, target] of edges) all[target].parentIds.push(String(source));
    const graph = d3.graphStratify()(all);
    const {width} = d3.sugiyama()
      .layering(d3.layeringLongestPath()).decross(d3.decrossTwoLayer()).coord(d3.coordGreedy())
      .nodeSize([sized.height, sized.width])(graph);
    return width;
  },
};
onmessage = async ({data: {name, graph}}) => {
  try {
    const start = performance.now();
    await layouts[name](graph);
    postMessage({seconds: (performance.now() - start) / 1000});
  } catch (error) {
    postMessage({error: String(error)});
  }
};
"""
_MEASURE = """async ([source, name, graph, patience]) => {
  const worker = new Worker(URL.createObjectURL(new Blob([source], {type: 'text/javascript'})));
  try {
    return await new Promise(resolve => {
      worker.onmessage = ({data}) => resolve(data);
      worker.onerror = error => resolve({error: error.message});
      setTimeout(() => resolve({error: `more than ${patience} s`}), patience * 1000);
      worker.postMessage({name, graph});
    });
  } finally {
    worker.terminate();
  }
}"""


class MissingLibrariesError(Exception):
    """The packages could not be installed; the message says why."""


class Layout(NamedTuple):
    """How a library fared.

    Attributes:
        library: Its name.
        seconds: How long its layout took; None where there is none.
        why: Why there is none.
    """

    library: str
    seconds: float | None
    why: str


def install(folder: Path) -> dict[str, str]:
    """Install the packages, and return for each library the script of a worker that uses it.

    Args:
        folder: An empty folder for them.

    Raises:
        MissingLibrariesError: There is no npm, or it reaches no registry.
    """
    npm = shutil.which("npm")
    if npm is None:
        message = "npm is not installed"
        raise MissingLibrariesError(message)
    wanted = [f"{name}@{version}" for name, version in VERSIONS.items()]
    command = [
        npm,
        "install",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        *wanted,
        "esbuild@^0.28",
    ]
    (folder / "package.json").write_text('{"private": true}\n', encoding="utf-8")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"npm could not install them: {done.stderr.strip()[-400:]}"
        raise MissingLibrariesError(message)
    entries = {
        "dagre": "import * as dagre from '@dagrejs/dagre';"
        " globalThis.dagre = dagre.layout ? dagre : dagre.default;",
        "elkjs": "import {elk} from './elk.js'; globalThis.elk = elk;",
        "d3-dag": "import * as d3 from 'd3-dag'; globalThis.d3 = d3;",
    }
    # elkjs brings a worker of its own. This is one already, in which it is called directly, as its
    # Node version does; it takes what has a document for no worker.
    (folder / "elk.js").write_text(
        "import ELK from 'elkjs/lib/elk-api.js';\n"
        "import {Worker as Inside} from 'elkjs/lib/elk-worker.js';\n"
        "const made = new ELK({workerFactory: () => new Inside()});\n"
        "export const elk = graph => made.layout(graph);\n",
        encoding="utf-8",
    )
    scripts = {}
    for library, entry in entries.items():
        (folder / f"{library}.entry.js").write_text(entry, encoding="utf-8")
        bundled = folder / f"{library}.bundle.js"
        build = [
            str(folder / "node_modules" / ".bin" / "esbuild"),
            f"{library}.entry.js",
            "--bundle",
            "--format=iife",
            "--minify",
            f"--outfile={bundled.name}",
        ]
        done = subprocess.run(build, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            message = f"esbuild could not bundle {library}: {done.stderr.strip()[-400:]}"
            raise MissingLibrariesError(message)
        scripts[library] = bundled.read_text(encoding="utf-8")
        scripts[library] = f"self.document ??= {{}};\n{scripts[library]}\n{_WORKER}"
    return scripts


def measure(
    page: Any, scripts: dict[str, str], nodes: int, edges: list[list[int]], patience: int
) -> Iterator[Layout]:
    """Yield how long each library takes to lay out a graph.

    Args:
        page: A page of the browser, without a policy that forbids workers.
        scripts: What ``install()`` returned.
        nodes: The number of nodes.
        edges: The numbers of the source and the target of each edge, the source's the smaller one.
        patience: How many seconds each may take.
    """
    for library, script in scripts.items():
        graph = {"nodes": nodes, "edges": edges}
        found: dict[str, Any] = {"error": "the page was lost"}
        with contextlib.suppress(ConnectionError):
            found = page.evaluate(_MEASURE, [script, library, graph, patience])
        yield Layout(library, found.get("seconds"), found.get("error", ""))
