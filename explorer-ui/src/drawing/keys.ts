/** Where an arrow key leads in a scene. */

import type { SceneNode } from "../protocol.ts";
import type { Links } from "./links.ts";

/**
 * Return the node that an arrow key leads to: left and right follow edges against and along the
 * data's way, to the nearest in height; up and down go to the next in the same column.
 */
export function neighbour(
  key: string,
  node: SceneNode,
  nodes: ReadonlyMap<string, SceneNode>,
  links: Links,
): string | null {
  switch (key) {
    case "ArrowLeft":
      return nearest(node, links.upstream(node.id), nodes);
    case "ArrowRight":
      return nearest(node, links.downstream(node.id), nodes);
    case "ArrowUp":
      return beside(node, nodes, -1);
    case "ArrowDown":
      return beside(node, nodes, 1);
    case "Home":
      return extreme(nodes, (one, other) => one.x - other.x || one.y - other.y);
    case "End":
      return extreme(nodes, (one, other) => other.x - one.x || one.y - other.y);
    default:
      return null;
  }
}

function nearest(
  node: SceneNode,
  ids: readonly string[],
  nodes: ReadonlyMap<string, SceneNode>,
): string | null {
  let [found, least] = [null as string | null, Infinity];
  for (const id of ids) {
    const other = nodes.get(id);
    if (!other) continue;
    const distance = Math.abs(other.y - node.y) + Math.abs(other.x - node.x) / 1000;
    if (distance < least) [found, least] = [id, distance];
  }
  return found;
}

function beside(node: SceneNode, nodes: ReadonlyMap<string, SceneNode>, side: number): string | null {
  let [found, least] = [null as string | null, Infinity];
  for (const other of nodes.values()) {
    const down = (other.y - node.y) * side;
    if (down <= 0) continue;
    // A node of another column counts only where this one has no more.
    const distance = down + Math.abs(other.x - node.x) * 4;
    if (distance < least) [found, least] = [other.id, distance];
  }
  return found;
}

function extreme(
  nodes: ReadonlyMap<string, SceneNode>,
  order: (one: SceneNode, other: SceneNode) => number,
): string | null {
  return [...nodes.values()].sort(order)[0]?.id ?? null;
}
