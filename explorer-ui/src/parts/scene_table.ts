/** The nodes of a scene as a table, which says the same as the picture. */

import { nothing } from "lit-html";
import type { Scene, SceneNode } from "../protocol.ts";
import { count, line, shortened } from "../text.ts";
import { namePart, statusPart } from "./marks.ts";
import type { TableOptions } from "./virtual_table.ts";

export function sceneTable(
  scene: Scene,
  selected: string | null,
  open: (node: SceneNode) => void,
): TableOptions<SceneNode> {
  const labels = new Map(scene.nodes.map((node) => [node.id, line(node.label)]));
  const ends = { from: new Map<string, string[]>(), to: new Map<string, string[]>() };
  for (const edge of scene.edges) {
    add(ends.from, edge.to, `${labels.get(edge.from) ?? ""} (${edge.role})`);
    add(ends.to, edge.from, `${labels.get(edge.to) ?? ""} (${edge.role})`);
  }
  const nodes = [...scene.nodes].sort((one, other) => one.x - other.x || one.y - other.y);
  const told = (some: string[] | undefined): string => shortened((some ?? []).join(", "), 160);
  return {
    label: "The nodes of the picture",
    total: nodes.length,
    row: (number) => nodes[number] ?? null,
    isChosen: (node) => node.id === selected,
    onOpen: open,
    columns: [
      { key: "name", name: "name", label: "name", cell: (node) => namePart(node.label, 60) },
      { key: "key", name: "key", label: "key", cell: (node) => (node.kind === "fold" ? `${count(node.count ?? 0)} nodes` : node.key) },
      { key: "type", name: "type", label: "type", cell: (node) => namePart(node.type ?? "", 40) },
      { key: "status", name: "status", label: "status", cell: (node) => statusPart(node.status) },
      { key: "run", name: "run", label: "run", cell: (node) => (node.run ? namePart(node.run, 40) : nothing) },
      { key: "from", name: "from", label: "from", cell: (node) => told(ends.from.get(node.id)) },
      { key: "to", name: "to", label: "to", cell: (node) => told(ends.to.get(node.id)) },
    ],
  };
}

function add(map: Map<string, string[]>, key: string, value: string): void {
  const some = map.get(key);
  if (some) some.push(value);
  else map.set(key, [value]);
}
