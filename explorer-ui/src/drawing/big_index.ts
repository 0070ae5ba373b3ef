/** Neighbours and places of the nodes of a big scene, as columns of numbers. */

import type { BigScene } from "./big_scene_data.ts";
import type { Box } from "./viewport.ts";

const CELL = 360; // pixels of a side of a square of the grid

/** The edges of each node, both ways (compressed sparse rows). */
interface Rows {
  offsets: Uint32Array;
  edges: Uint32Array;
}

export class BigIndex {
  private readonly out: Rows;
  private readonly into: Rows;
  private readonly grid = new Map<number, number[]>();
  private readonly columns: number;
  readonly bounds: Box;

  constructor(
    private readonly scene: BigScene,
    private readonly half: { width: number; height: number },
  ) {
    const { source, target, x, y } = scene;
    this.out = rowsOf(source, x.length);
    this.into = rowsOf(target, x.length);
    const bounds = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
    for (let node = 0; node < x.length; node++) {
      const [left, top] = [x[node] ?? 0, y[node] ?? 0];
      bounds.left = Math.min(bounds.left, left - half.width);
      bounds.right = Math.max(bounds.right, left + half.width);
      bounds.top = Math.min(bounds.top, top - half.height);
      bounds.bottom = Math.max(bounds.bottom, top + half.height);
    }
    this.bounds = x.length ? bounds : { left: 0, top: 0, right: 1, bottom: 1 };
    this.columns = Math.ceil((this.bounds.right - this.bounds.left) / CELL) + 1;
    for (let node = 0; node < x.length; node++) {
      const cell = this.cell(x[node] ?? 0, y[node] ?? 0);
      const some = this.grid.get(cell);
      if (some) some.push(node);
      else this.grid.set(cell, [node]);
    }
  }

  /** Return the node whose box holds a point, or -1. */
  at(x: number, y: number, slack = 0): number {
    const { width, height } = this.half;
    let [found, least] = [-1, Infinity];
    for (const node of this.within({
      left: x - width - slack,
      right: x + width + slack,
      top: y - height - slack,
      bottom: y + height + slack,
    })) {
      const dx = Math.abs((this.scene.x[node] ?? 0) - x);
      const dy = Math.abs((this.scene.y[node] ?? 0) - y);
      if (dx <= width + slack && dy <= height + slack && dx + dy < least) [found, least] = [node, dx + dy];
    }
    return found;
  }

  /** Return the nodes whose middle lies within a box, up to a number. */
  within({ left, right, top, bottom }: Box, most = Infinity): number[] {
    const { x, y } = this.scene;
    const found: number[] = [];
    const [firstColumn, lastColumn] = [this.columnOf(left), this.columnOf(right)];
    const [firstRow, lastRow] = [this.rowOf(top), this.rowOf(bottom)];
    for (let row = firstRow; row <= lastRow; row++) {
      for (let column = firstColumn; column <= lastColumn; column++) {
        for (const node of this.grid.get(row * this.columns + column) ?? []) {
          const [atX, atY] = [x[node] ?? 0, y[node] ?? 0];
          if (atX < left || atX > right || atY < top || atY > bottom) continue;
          found.push(node);
          if (found.length >= most) return found;
        }
      }
    }
    return found;
  }

  neighbours(node: number, direction: "upstream" | "downstream"): number[] {
    const { offsets, edges } = direction === "upstream" ? this.into : this.out;
    const ends = direction === "upstream" ? this.scene.source : this.scene.target;
    return Array.from(edges.subarray(offsets[node], offsets[node + 1]), (edge) => ends[edge] ?? 0);
  }

  /**
   * Return the nodes (1) and edges (1) that are shown of a node: the paths between it and the
   * focus, or else all that led to it and all that came from it.
   */
  paths(node: number): { nodes: Uint8Array; edges: Uint8Array } {
    const { focus } = this.scene;
    if (focus >= 0 && focus !== node) {
      for (const [first, last] of [
        [focus, node],
        [node, focus],
      ] as const) {
        const down = this.closure(first, "downstream");
        if (down[last]) return this.between(down, this.closure(last, "upstream"));
      }
    }
    const [up, down] = [this.closure(node, "upstream"), this.closure(node, "downstream")];
    const upstream = this.between(up, up);
    const downstream = this.between(down, down);
    for (let at = 0; at < up.length; at++) upstream.nodes[at] = (up[at] ?? 0) | (down[at] ?? 0);
    for (let at = 0; at < upstream.edges.length; at++) upstream.edges[at] = (upstream.edges[at] ?? 0) | (downstream.edges[at] ?? 0);
    return upstream;
  }

  private closure(node: number, direction: "upstream" | "downstream"): Uint8Array {
    const seen = new Uint8Array(this.scene.x.length);
    const { offsets, edges } = direction === "upstream" ? this.into : this.out;
    const ends = direction === "upstream" ? this.scene.source : this.scene.target;
    seen[node] = 1;
    const next = [node];
    for (let at = next.pop(); at !== undefined; at = next.pop()) {
      for (let number = offsets[at] ?? 0; number < (offsets[at + 1] ?? 0); number++) {
        const other = ends[edges[number] ?? 0] ?? 0;
        if (!seen[other]) {
          seen[other] = 1;
          next.push(other);
        }
      }
    }
    return seen;
  }

  private between(one: Uint8Array, other: Uint8Array): { nodes: Uint8Array; edges: Uint8Array } {
    const { source, target } = this.scene;
    const nodes = one.map((is, node) => is & (other[node] ?? 0));
    const edges = new Uint8Array(source.length);
    for (let edge = 0; edge < edges.length; edge++) {
      edges[edge] = (nodes[source[edge] ?? 0] ?? 0) & (nodes[target[edge] ?? 0] ?? 0);
    }
    return { nodes, edges };
  }

  private columnOf(x: number): number {
    const column = Math.floor((x - this.bounds.left) / CELL);
    return Math.min(this.columns - 1, Math.max(0, column));
  }

  private rowOf(y: number): number {
    const last = Math.floor((this.bounds.bottom - this.bounds.top) / CELL);
    return Math.min(last, Math.max(0, Math.floor((y - this.bounds.top) / CELL)));
  }

  private cell(x: number, y: number): number {
    return this.rowOf(y) * this.columns + this.columnOf(x);
  }
}

function rowsOf(ends: Uint32Array, nodes: number): Rows {
  const offsets = new Uint32Array(nodes + 1);
  for (const node of ends) offsets[node + 1] = (offsets[node + 1] ?? 0) + 1;
  for (let node = 0; node < nodes; node++) offsets[node + 1] = (offsets[node + 1] ?? 0) + (offsets[node] ?? 0);
  const next = offsets.slice();
  const edges = new Uint32Array(ends.length);
  ends.forEach((node, edge) => {
    const place = next[node] ?? 0;
    edges[place] = edge;
    next[node] = place + 1;
  });
  return { offsets, edges };
}
