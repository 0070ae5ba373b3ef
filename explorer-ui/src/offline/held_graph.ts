/** The graph that a page holds: its questions of lineage, paths and folds, without Python. */

import { Links } from "../drawing/links.ts";
import type { NodeAnswer, Role, Scene, SceneEdge, SceneNode, Status, Time } from "../protocol.ts";
import { count, counted } from "../text.ts";
import { arrange } from "./layout.ts";

export interface HeldNode {
  key: string;
  kind: "artifact" | "execution";
  label: string;
  about?: string | null;
  type: string | null;
  status: Status | null;
  uri?: string | null;
  run?: string | null;
  run_key?: string | null;
  pipeline?: string | null;
  missing?: boolean | null;
}

export interface HeldEdge {
  from: string;
  to: string;
  role: Role;
  label?: string | null;
  path?: string | null;
  event?: number | null;
  time?: Time | null;
}

export interface HeldGraph {
  focus: string | null;
  direction?: string | null;
  nodes: HeldNode[];
  edges: HeldEdge[];
}

export interface LineageQuestion {
  key: string;
  direction: "upstream" | "downstream" | "both";
  hops: number | null;
  fold: string;
  expand: string[];
}

const HEIGHT = 40;
const FEWEST = 2;

export class GraphQuestions {
  readonly nodes: Map<string, HeldNode>;
  private readonly links: Links;

  constructor(
    private readonly graph: HeldGraph,
    /** What bounds the trace that the page holds, and whether it is whole. */
    private readonly bounds: { said: string; complete: boolean },
    private readonly width: (node: SceneNode) => number,
  ) {
    this.nodes = new Map(graph.nodes.map((node) => [node.key, node]));
    this.links = new Links(graph.edges);
  }

  /** Return what a node leads to or comes from, within a number of hops. */
  lineage({ key, direction, hops, fold, expand }: LineageQuestion): Scene {
    const held = new Set([key]);
    const sides = direction === "both" ? (["upstream", "downstream"] as const) : [direction];
    let isCut = false;
    for (const side of sides) {
      let edge = [key];
      const seen = new Set(edge);
      for (let hop = 0; edge.length && (hops === null || hop < hops); hop++) {
        edge = edge.flatMap((at) => this.links[side](at)).filter((at) => !seen.has(at) && seen.add(at));
      }
      if (edge.some((at) => this.links[side](at).some((next) => !seen.has(next)))) isCut = true;
      for (const at of seen) held.add(at);
    }
    for (const wish of expand) {
      const [, side, at = ""] = /^(?:(upstream|downstream):)?(.*)$/s.exec(wish) ?? [];
      if (!held.has(at)) continue;
      if (side !== "downstream") for (const next of this.links.upstream(at)) held.add(next);
      if (side !== "upstream") for (const next of this.links.downstream(at)) held.add(next);
    }
    const said = isCut && hops !== null ? `Cut by ${counted(hops, "hop")}.` : `All ${direction === "both" ? "upstream and downstream" : direction} that this page holds.`;
    return this.scene(held, { focus: key, fold, expand, said, complete: !isCut });
  }

  path(from: string, to: string, fold: string, expand: string[]): Scene {
    const found = this.links.between(from, to);
    const isBack = found && !this.links.closure(from, "downstream").has(to);
    const said = !found
      ? "This page holds no path between them."
      : isBack
        ? `There is none from the first to the second; these lead from ${to} to ${from}.`
        : `All paths from ${from} to ${to} that this page holds.`;
    return this.scene(found?.nodes ?? new Set([from, to]), { focus: from, fold, expand, said, complete: true });
  }

  /** Return what came of a node, nearest first. */
  impact(key: string): { key: string; hops: number }[] {
    const hops = new Map([[key, 0]]);
    for (const [at, hop] of hops) {
      for (const next of this.links.downstream(at)) if (!hops.has(next)) hops.set(next, hop + 1);
    }
    hops.delete(key);
    return [...hops].map(([at, hop]) => ({ key: at, hops: hop })).sort((one, other) => one.hops - other.hops);
  }

  downstream(key: string, fold: string, expand: string[]): Scene {
    return this.lineage({ key, direction: "downstream", hops: null, fold, expand });
  }

  /** Return what is told of a node where the page holds no more of it. */
  node(key: string): NodeAnswer | null {
    const node = this.nodes.get(key);
    if (!node) return null;
    const events = this.graph.edges
      .filter(({ from, to }) => from === key || to === key)
      .map((edge) => {
        const other = this.nodes.get(edge.from === key ? edge.to : edge.from);
        const isInput = edge.from === key ? node.kind === "artifact" : node.kind === "execution";
        return {
          key: other?.key ?? "",
          label: other?.label ?? "",
          type: other?.type ?? null,
          event_type: isInput ? "INPUT" : "OUTPUT",
          role: edge.role,
          path: edge.path ?? edge.label ?? null,
          time: edge.time ?? null,
        };
      });
    return {
      ...node,
      uri: node.uri ?? null,
      run: node.run ?? null,
      pipeline: node.pipeline ?? null,
      id: Number(key.split("/")[1]),
      properties: [],
      contexts: [],
      events,
    };
  }

  private scene(
    held: Set<string>,
    { focus, fold, expand, said, complete }: { focus: string; fold: string; expand: string[]; said: string; complete: boolean },
  ): Scene {
    const boxOf = new Map<string, string>();
    const groups = this.groups(held, fold, focus, expand);
    for (const [id, keys] of groups) for (const key of keys) boxOf.set(key, id);
    const nodes = [...groups].flatMap(([id, keys]) => this.box(id, keys, held, fold) ?? []);
    const edges = new Map<string, SceneEdge>();
    for (const { from, to, role, label } of this.graph.edges) {
      const [source, target] = [boxOf.get(from), boxOf.get(to)];
      if (source === undefined || target === undefined || source === target) continue;
      const name = JSON.stringify([source, target, role]);
      const edge = edges.get(name);
      if (edge) edge.count = (edge.count ?? 1) + 1;
      else edges.set(name, { from: source, to: target, role, label: label ?? null, count: 1 });
    }
    const lines = [...edges.values()];
    const size = arrange(nodes, lines);
    const folded = nodes.filter((node) => node.kind === "fold");
    const hidden = folded.reduce((sum, node) => sum + (node.count ?? 0), 0);
    const told = hidden
      ? ` ${count(hidden)} of ${counted(held.size, "node")} are folded into ${count(folded.length)} box${folded.length === 1 ? "" : "es"}.`
      : "";
    return {
      focus: boxOf.get(focus) ?? null,
      ...size,
      complete: complete && this.bounds.complete,
      said: `${said}${told} The page holds: ${this.bounds.said}`,
      nodes,
      edges: lines,
    };
  }

  /** Return the boxes: which nodes each stands for. */
  private groups(held: Set<string>, fold: string, focus: string, expand: string[]): Map<string, string[]> {
    const found = new Map<string, string[]>();
    for (const key of held) {
      const node = this.nodes.get(key);
      if (!node) continue;
      const name = key === focus || expand.includes(key) ? null : this.groupName(node, fold, held);
      const id = name === null || expand.includes(name) ? key : name;
      found.set(id, [...(found.get(id) ?? []), key]);
    }
    const groups = new Map<string, string[]>();
    for (const [id, keys] of found) {
      if (keys.length < FEWEST) for (const key of keys) groups.set(key, [key]);
      else groups.set(id, keys);
    }
    return groups;
  }

  private groupName(node: HeldNode, fold: string, held: Set<string>): string | null {
    const run = node.run_key ?? node.run;
    if (fold === "run") return run ? `fold:run:${run}` : null;
    if (fold === "pipeline") return node.pipeline ? `fold:pipeline:${node.pipeline}` : null;
    if (fold === "type") return `fold:type:${node.kind}:${node.type ?? ""}`;
    if (fold !== "repeats") return null;
    // Alike are nodes of one name whose neighbours are the same.
    const ends = [this.links.upstream(node.key), this.links.downstream(node.key)];
    const near = ends.map((keys) => keys.filter((key) => held.has(key)).sort());
    return `fold:repeats:${JSON.stringify([node.kind, node.type, node.label, near])}`;
  }

  private box(id: string, keys: string[], held: Set<string>, fold: string): SceneNode | null {
    const first = this.nodes.get(keys[0] ?? "");
    if (!first) return null;
    const beyond = (side: "upstream" | "downstream"): number =>
      new Set(keys.flatMap((key) => this.links[side](key)).filter((key) => !held.has(key))).size;
    const base = { id, x: 0, y: 0, w: 0, h: HEIGHT, more: { upstream: beyond("upstream"), downstream: beyond("downstream") } };
    let node: SceneNode;
    if (keys.length === 1) {
      const { key, kind, label, type, status } = first;
      node = { ...base, key, kind, label, type, status, count: 1, ...optional(first) };
    } else {
      const some = keys.flatMap((key) => this.nodes.get(key) ?? []);
      const statuses = new Set(some.flatMap(({ status }) => status ?? []));
      const steps = some.filter(({ kind }) => kind === "execution").length;
      const counts = [steps && counted(steps, "step"), some.length - steps && counted(some.length - steps, "artifact")];
      const name = { run: `run ${first.run ?? ""}`, pipeline: first.pipeline ?? "", type: first.type ?? "" }[fold] ?? first.label;
      node = {
        ...base,
        key: first.key,
        keys: keys.slice(0, 200),
        kind: "fold",
        of: fold,
        label: fold === "run" ? name : `${name} × ${count(keys.length)}`,
        about: counts.filter(Boolean).join(", "),
        type: first.type,
        status: statuses.size === 1 ? ([...statuses][0] ?? null) : null,
        count: keys.length,
      };
    }
    node.w = this.width(node);
    return node;
  }
}

function optional({ about, run, run_key: runKey, pipeline, missing }: HeldNode): Partial<SceneNode> {
  return {
    about: about ?? null,
    run: run ?? null,
    run_key: runKey ?? null,
    pipeline: pipeline ?? null,
    missing: missing ?? null,
  };
}
