/**
 * A layered layout of a graph, for pages without Python: layers by longest paths, order within
 * them by barycentres, as lineage/render/layered_layout.py has it.
 */

import type { SceneEdge, SceneNode } from "../protocol.ts";

const ROW = 56;
const GAP = 56;
const SWEEPS = 6;

/** A node of the layout: a box, or a point that a long line passes. */
interface Place {
  layer: number;
  y: number;
  width: number;
  height: number;
  up: Place[];
  down: Place[];
}

/** Set the coordinates of boxes and lines; return the width and height of the picture. */
export function arrange(nodes: SceneNode[], edges: SceneEdge[]): { width: number; height: number } {
  const places = new Map<string, Place>();
  for (const { id, w, h } of nodes) places.set(id, { layer: 0, y: 0, width: w, height: h, up: [], down: [] });
  const forward = withoutCycles(nodes, edges);
  setLayers(places, forward);
  const layers: Place[][] = [];
  for (const place of places.values()) (layers[place.layer] ??= []).push(place);
  const passes = edges.map((edge) => link(places, edge, layers));
  for (let at = 0; at < layers.length; at++) layers[at] ??= [];
  order(layers);
  const [x, width] = columns(layers);
  const height = setHeights(layers);
  for (const node of nodes) {
    const place = places.get(node.id);
    if (!place) continue;
    node.x = (x[place.layer] ?? 0) + widest(layers[place.layer]) / 2;
    node.y = place.y;
  }
  const byId = new Map(nodes.map((node) => [node.id, node]));
  edges.forEach((edge, at) => {
    const [source, target] = [byId.get(edge.from), byId.get(edge.to)];
    if (!source || !target) return;
    const side = source.x <= target.x ? 1 : -1;
    const points: [number, number][] = [[source.x + (side * source.w) / 2, source.y]];
    for (const pass of passes[at] ?? []) {
      const left = x[pass.layer] ?? 0;
      const ends: [number, number][] = [
        [left, pass.y],
        [left + widest(layers[pass.layer]), pass.y],
      ];
      points.push(...(side > 0 ? ends : ends.reverse()));
    }
    points.push([target.x - (side * target.w) / 2, target.y]);
    edge.points = points;
  });
  return { width, height };
}

/** Return the edges that lead on: those that would close a circle are left out. */
function withoutCycles(nodes: SceneNode[], edges: SceneEdge[]): SceneEdge[] {
  const out = new Map<string, SceneEdge[]>();
  for (const edge of edges) {
    const some = out.get(edge.from);
    if (some) some.push(edge);
    else out.set(edge.from, [edge]);
  }
  const state = new Map<string, "open" | "done">();
  const kept: SceneEdge[] = [];
  for (const { id } of nodes) {
    if (state.has(id)) continue;
    state.set(id, "open");
    const stack = [{ id, next: 0 }];
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const edge = out.get(top.id)?.[top.next++];
      if (!edge) {
        state.set(top.id, "done");
        stack.pop();
      } else if (state.get(edge.to) !== "open") {
        kept.push(edge);
        if (!state.has(edge.to)) {
          state.set(edge.to, "open");
          stack.push({ id: edge.to, next: 0 });
        }
      }
    }
  }
  return kept;
}

function followers(edges: SceneEdge[]): Map<string, string[]> {
  const out = new Map<string, string[]>();
  for (const { from, to } of edges) {
    const some = out.get(from);
    if (some) some.push(to);
    else out.set(from, [to]);
  }
  return out;
}

function setLayers(places: Map<string, Place>, edges: SceneEdge[]): void {
  const missing = new Map<string, number>();
  const out = followers(edges);
  for (const { to } of edges) {
    missing.set(to, (missing.get(to) ?? 0) + 1);
  }
  const ready = [...places.keys()].filter((id) => !missing.get(id));
  for (let id = ready.pop(); id !== undefined; id = ready.pop()) {
    const layer = places.get(id)?.layer ?? 0;
    for (const to of out.get(id) ?? []) {
      const place = places.get(to);
      if (place) place.layer = Math.max(place.layer, layer + 1);
      const left = (missing.get(to) ?? 1) - 1;
      missing.set(to, left);
      if (!left) ready.push(to);
    }
  }
  // What only gives stands right before what takes from it.
  const targets = new Set(edges.map(({ to }) => to));
  for (const [id, place] of places) {
    const later = (out.get(id) ?? []).map((to) => places.get(to)?.layer ?? 0);
    if (!targets.has(id) && later.length) place.layer = later.reduce((one, other) => Math.min(one, other)) - 1;
  }
}

/** Connect the ends of an edge through points in the layers between, and return those. */
function link(places: Map<string, Place>, { from, to }: SceneEdge, layers: Place[][]): Place[] {
  const [source, target] = [places.get(from), places.get(to)];
  if (!source || !target || source.layer === target.layer) return [];
  const step = source.layer < target.layer ? 1 : -1;
  const passes: Place[] = [];
  let before = source;
  for (let layer = source.layer + step; layer !== target.layer; layer += step) {
    const pass = { layer, y: 0, width: 0, height: 12, up: [], down: [] };
    (layers[layer] ??= []).push(pass);
    connect(before, pass);
    passes.push(pass);
    before = pass;
  }
  connect(before, target);
  return passes;
}

function connect(one: Place, other: Place): void {
  const [left, right] = one.layer < other.layer ? [one, other] : [other, one];
  left.down.push(right);
  right.up.push(left);
}

function order(layers: Place[][]): void {
  const position = new Map<Place, number>();
  const number = (layer: Place[]): void => layer.forEach((place, at) => position.set(place, at));
  layers.forEach(number);
  const middle = (some: Place[], own: number): number =>
    some.length ? some.reduce((sum, place) => sum + (position.get(place) ?? 0), 0) / some.length : own;
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const forth = sweep % 2 === 0;
    for (const layer of forth ? layers : [...layers].reverse()) {
      const keys = new Map(layer.map((place, at) => [place, middle(forth ? place.up : place.down, at)]));
      layer.sort((one, other) => (keys.get(one) ?? 0) - (keys.get(other) ?? 0));
      number(layer);
    }
  }
}

/** Set heights: as near to the neighbours' as the order and the sizes of boxes allow. */
function setHeights(layers: Place[][]): number {
  for (const layer of layers) {
    layer.forEach((place, at) => (place.y = at * ROW));
  }
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const forth = sweep % 2 === 0;
    for (const layer of forth ? layers : [...layers].reverse()) spread(layer, forth);
  }
  const all = layers.flat();
  const top = all.reduce((least, { y, height }) => Math.min(least, y - height / 2), Infinity);
  for (const place of all) place.y -= top;
  return all.reduce((most, { y, height }) => Math.max(most, y + height / 2), 0);
}

function spread(layer: Place[], forth: boolean): void {
  const wanted = layer.map((place) => {
    const some = forth ? place.up : place.down;
    return some.length ? some.reduce((sum, { y }) => sum + y, 0) / some.length : place.y;
  });
  const room = (at: number): number => {
    const [one, other] = [layer[at - 1], layer[at]];
    return ((one?.height ?? 0) + (other?.height ?? 0)) / 2 + 16;
  };
  // From above and from below, each keeps its distance; what lies between is just.
  const down: number[] = [];
  wanted.forEach((y, at) => down.push(Math.max(y, (down[at - 1] ?? -Infinity) + room(at))));
  const up: number[] = [];
  for (let at = wanted.length - 1; at >= 0; at--) {
    up[at] = Math.min(wanted[at] ?? 0, (up[at + 1] ?? Infinity) - room(at + 1));
  }
  layer.forEach((place, at) => (place.y = ((down[at] ?? 0) + (up[at] ?? 0)) / 2));
}

function columns(layers: Place[][]): [x: number[], width: number] {
  const x: number[] = [];
  let left = 0;
  for (const layer of layers) {
    x.push(left);
    left += widest(layer) + GAP;
  }
  return [x, Math.max(0, left - GAP)];
}

function widest(layer: Place[] | undefined): number {
  return (layer ?? []).reduce((most, { width }) => Math.max(most, width), 0);
}
