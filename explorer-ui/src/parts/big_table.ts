/** The nodes of a big scene as a table, of which the rows in sight are named. */

import type { BigNames } from "../drawing/big_names.ts";
import { idOf, type BigScene } from "../drawing/big_scene_data.ts";
import { count, line } from "../text.ts";
import { namePart, statusPart } from "./marks.ts";
import type { TableOptions } from "./virtual_table.ts";

/**
 * Return the rows, from left to right as in the picture.
 *
 * @param order The nodes in that order; see `orderOf`.
 */
export function bigTable(
  scene: BigScene,
  order: Uint32Array,
  names: BigNames,
  selected: string | null,
  open: (id: string) => void,
): TableOptions<number> {
  const degrees = { from: degreesOf(scene.target, scene.x.length), to: degreesOf(scene.source, scene.x.length) };
  return {
    label: "The nodes of the picture",
    total: order.length,
    row: (number) => order[number] ?? null,
    isChosen: (node) => idOf(scene, node) === selected,
    onOpen: (node) => open(idOf(scene, node)),
    onShown: (first, end) => names.ask(order.subarray(first, end)),
    columns: [
      { key: "name", name: "name", label: "name", cell: (node) => namePart(names.of(node), 60) },
      {
        key: "key",
        name: "key",
        label: "key",
        cell: (node) => {
          const fold = scene.folds.get(node);
          return fold ? `${count(fold.count)} nodes` : idOf(scene, node);
        },
      },
      { key: "type", name: "type", label: "type", cell: (node) => line(scene.types[scene.type[node] ?? -1]) },
      { key: "status", name: "status", label: "status", cell: (node) => statusPart(scene.statuses[scene.status[node] ?? 0]) },
      { key: "from", name: "edges in", label: "in", className: "number", cell: (node) => count(degrees.from[node] ?? 0) },
      { key: "to", name: "edges out", label: "out", className: "number", cell: (node) => count(degrees.to[node] ?? 0) },
    ],
  };
}

/** Return the nodes from left to right, and in each column from top to bottom. */
export function orderOf({ x, y }: BigScene): Uint32Array {
  const order = Uint32Array.from(x, (_, node) => node);
  return order.sort((one, other) => (x[one] ?? 0) - (x[other] ?? 0) || (y[one] ?? 0) - (y[other] ?? 0));
}

function degreesOf(ends: Uint32Array, nodes: number): Uint32Array {
  const found = new Uint32Array(nodes);
  for (const node of ends) found[node] = (found[node] ?? 0) + 1;
  return found;
}
