/** A scene of many nodes as columns, as mlmd_lineage/explorer/methods/large_scene.py sends it. */

import type { Params, Role, SceneMethod, Status } from "../protocol.ts";

type Column = Float32Array | Float64Array | Uint8Array | Uint16Array | Uint32Array;

export interface BigFold {
  id: string;
  label: string;
  count: number;
}

export interface BigScene {
  /** The node that was asked about, or -1. */
  focus: number;
  complete: boolean;
  said: string;
  types: string[];
  roles: Role[];
  statuses: (Status | null)[];
  /** What a node that is folded stands for, by the node's number. */
  folds: Map<number, BigFold>;
  x: Float32Array;
  y: Float32Array;
  kind: Uint8Array;
  status: Uint8Array;
  type: Uint16Array;
  id: Uint32Array | Float64Array;
  source: Uint32Array;
  target: Uint32Array;
  role: Uint8Array;
  /** What was asked for it. */
  question: BigQuestion;
}

export interface BigQuestion {
  method: SceneMethod;
  params: Params;
}

const FOLD = 2;
const SIZES = { f4: 4, f8: 8, u1: 1, u2: 2, u4: 4 } as const;
const OF_EDGES = new Set(["source", "target", "role"]);

interface Header {
  focus: number | null;
  complete: boolean;
  said: string;
  types: string[];
  roles: Role[];
  statuses: (Status | null)[];
  folds: [number: number, id: string, label: string, count: number][];
  count: number;
  edges: number;
  columns: [name: string, type: keyof typeof SIZES][];
}

/**
 * Return the columns of an answer: the length of its header in 4 bytes, the header as JSON, then
 * each column, filled up to a multiple of 4 bytes. Numbers are little-endian.
 */
export function decodeScene(bytes: ArrayBuffer, question: BigQuestion): BigScene {
  const length = new DataView(bytes).getUint32(0, true);
  const text = new TextDecoder().decode(new Uint8Array(bytes, 4, length));
  const header = JSON.parse(text) as Header;
  const found: Record<string, Column> = {};
  let at = 4 + length;
  for (const [name, type] of header.columns) {
    const rows = OF_EDGES.has(name) ? header.edges : header.count;
    found[name] = column(bytes, at, type, rows);
    at += Math.ceil((rows * SIZES[type]) / 4) * 4;
  }
  const { x, y, kind, status, type, id, source, target, role } = found;
  return {
    focus: header.focus ?? -1,
    complete: header.complete,
    said: header.said,
    types: header.types,
    roles: header.roles,
    statuses: header.statuses,
    folds: new Map(header.folds.map(([number, ...fold]) => [number, { id: fold[0], label: fold[1], count: fold[2] }])),
    x: x as Float32Array,
    y: y as Float32Array,
    kind: kind as Uint8Array,
    status: status as Uint8Array,
    type: type as Uint16Array,
    id: id as Uint32Array,
    source: source as Uint32Array,
    target: target as Uint32Array,
    role: role as Uint8Array,
    question,
  };
}

function column(bytes: ArrayBuffer, at: number, type: keyof typeof SIZES, rows: number): Column {
  switch (type) {
    case "f4":
      return new Float32Array(bytes, at, rows);
    case "f8":
      // A view of these must begin at a multiple of 8.
      return new Float64Array(bytes.slice(at, at + rows * 8));
    case "u1":
      return new Uint8Array(bytes, at, rows);
    case "u2":
      return new Uint16Array(bytes, at, rows);
    case "u4":
      return new Uint32Array(bytes, at, rows);
  }
}

/** Return what names a node in an address: its key, such as `artifact/3`, or the id of a fold. */
export function idOf(scene: BigScene, node: number): string {
  if (scene.kind[node] === FOLD) return scene.folds.get(node)?.id ?? `fold/${node}`;
  return `${scene.kind[node] === 1 ? "execution" : "artifact"}/${scene.id[node] ?? 0}`;
}

export function isFold(scene: BigScene, node: number): boolean {
  return scene.kind[node] === FOLD;
}

/** Return what a node is called as long as its name was not asked for. */
export function plainLabel(scene: BigScene, node: number): string {
  const fold = scene.folds.get(node);
  if (fold) return fold.label;
  return scene.types[scene.type[node] ?? -1] ?? "no type";
}
