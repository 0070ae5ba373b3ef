/** Two runs or nodes side by side, from what a page holds of them. */

import type { DiffAnswer, DiffRow, NodeAnswer, RunAnswer, Step, Value } from "../protocol.ts";
import { line } from "../text.ts";

/** A step of a run as the Python side gives it, with what the comparison reads. */
export interface HeldStep extends Step {
  path?: string | null;
  before?: string[] | null;
  parameters?: Record<string, Value> | null;
  metrics?: Record<string, Value> | null;
  inputs?: Record<string, string[]> | null;
  outputs?: Record<string, string[]> | null;
}

const BOUNDS =
  "This compares what the file holds: parameters, properties, statuses, inputs and metrics under the same names. " +
  "mlmd-lineage diff on the store also follows the lineage of inputs and compares their contents, code and environments.";

/** Return how two runs differ; the steps that differ with nothing that differs before them come first. */
export function compareRuns(a: RunAnswer, b: RunAnswer): DiffAnswer {
  const [first, second] = [named(a.steps), named(b.steps)];
  const rows: (DiffRow & { keys: string[] })[] = [];
  const own = compareValues("parameter", null, a.parameters, b.parameters).map((found) => ({ ...found, first: true }));
  const made = new Set([...a.steps, ...b.steps].flatMap((step: HeldStep) => Object.values(step.outputs ?? {}).flat()));
  for (const name of new Set([...first.keys(), ...second.keys()])) {
    const [one, other] = [first.get(name), second.get(name)];
    const keys = [one, other].flatMap((step) => step?.key ?? []);
    const add = (found: DiffRow): void => void rows.push({ ...found, keys });
    if (!one || !other) {
      add(row("structure", name, "step", one?.key, other?.key));
      continue;
    }
    for (const found of compareValues("parameter", name, one.parameters, other.parameters)) add(found);
    for (const found of compareInputs(name, one, other, made)) add(found);
    if (one.status !== other.status) add(row("status", name, "", one.status, other.status));
    for (const found of compareValues("metric", name, one.metrics, other.metrics)) add({ ...found, note: true });
  }
  for (const found of compareValues("metric", null, a.metrics, b.metrics)) rows.push({ ...found, note: true, keys: [] });
  const differing = new Set(rows.flatMap(({ keys, note }) => (note ? [] : keys)));
  const before = ancestors([...first.values(), ...second.values()]);
  const follows = (key: string): boolean => [...(before.get(key) ?? [])].some((at) => differing.has(at));
  const found = rows.map(({ keys, ...rest }) => ({ ...rest, first: !rest.note && !keys.some(follows) }));
  return answer(sideOf(a), sideOf(b), [...own, ...found]);
}

/** What a page knows of nodes. */
export interface Nodes {
  node(key: string): NodeAnswer | null;
}

/**
 * Return how two nodes and what led to them differ. Their upstream nodes are taken for pairs where
 * the role, the name of the event and the name of the node are the same; a node that both share ends it.
 */
export function compareNodes(nodes: Nodes, a: string, b: string): DiffAnswer {
  const pairs: Pair[] = [];
  const seen = new Set<string>();
  const next: [string, string, Pair | null][] = [[a, b, null]];
  for (const [one, other, after] of next) {
    const name = JSON.stringify([one, other]);
    if (one === other || seen.has(name)) continue;
    seen.add(name);
    const [first, second] = [nodes.node(one), nodes.node(other)];
    if (!first || !second) continue;
    const pair: Pair = { rows: compareAnswers(first, second), after };
    pairs.push(pair);
    const [left, right] = [upstreamOf(first), upstreamOf(second)];
    for (const way of new Set([...left.keys(), ...right.keys()])) {
      const [here, there] = [left.get(way) ?? [], right.get(way) ?? []];
      for (let at = 0; at < Math.max(here.length, there.length); at++) {
        const [key, match] = [here[at], there[at]];
        if (key !== undefined && match !== undefined) next.push([key, match, pair]);
        else pair.rows.push(row("structure", line(first.label), way, key, match));
      }
    }
  }
  // A pair comes first where none differs of those that led to it.
  const later = new Set<Pair>();
  for (const pair of pairs.filter(({ rows }) => rows.some(({ note }) => !note))) {
    for (let at = pair.after; at; at = at.after) later.add(at);
  }
  const rows = pairs.flatMap((pair) => pair.rows.map((some) => ({ ...some, first: !some.note && !later.has(pair) })));
  const side = (key: string): { key: string; label: string } => ({ key, label: `${line(nodes.node(key)?.label)} (${key})` });
  return answer(side(a), side(b), rows);
}

interface Pair {
  rows: DiffRow[];
  /** The pair that was reached before it, which it led to. */
  after: Pair | null;
}

function compareAnswers(a: NodeAnswer, b: NodeAnswer): DiffRow[] {
  const step = line(a.label);
  const rows: DiffRow[] = [];
  if (a.type !== b.type) rows.push(row("type", step, "", a.type, b.type));
  if (a.status !== b.status) rows.push(row("status", step, "", a.status, b.status));
  rows.push(...compareValues("parameter", step, a.parameters, b.parameters));
  const aspect = a.kind === "execution" ? "parameter" : "property";
  const known = new Set(rows.map(({ name }) => name));
  const values = ({ properties }: NodeAnswer): Record<string, Value> =>
    Object.fromEntries(properties.filter(({ name }) => !known.has(name)).map(({ name, value }) => [name, value]));
  // What an artifact is said to be follows from the step that made it, and is no reason itself.
  for (const found of compareValues(aspect, step, values(a), values(b))) rows.push({ ...found, note: a.kind === "artifact" });
  return rows;
}

function upstreamOf({ kind, events }: NodeAnswer): Map<string, string[]> {
  const wanted = kind === "execution" ? "INPUT" : "OUTPUT";
  const found = new Map<string, string[]>();
  for (const { key, label, role, path, event_type: type } of events) {
    if (!type?.includes(wanted)) continue;
    const way = [role, path, label].filter(Boolean).join(" ");
    found.set(way, [...(found.get(way) ?? []), key]);
  }
  return found;
}

/** Inputs that no step of either run made: other data, not what followed from it. */
function compareInputs(step: string, a: HeldStep, b: HeldStep, made: Set<string>): DiffRow[] {
  const given = (inputs: HeldStep["inputs"], name: string): string =>
    (inputs?.[name] ?? []).filter((key) => !made.has(key)).join(", ");
  return namesOf(a.inputs, b.inputs).flatMap((name) => {
    const [one, other] = [given(a.inputs, name), given(b.inputs, name)];
    return one === other ? [] : [row("data", step, name, one || null, other || null)];
  });
}

function compareValues(
  aspect: string,
  step: string | null,
  a: Record<string, Value> | null | undefined,
  b: Record<string, Value> | null | undefined,
): DiffRow[] {
  return namesOf(a, b).flatMap((name) => {
    const [one, other] = [a?.[name] ?? null, b?.[name] ?? null];
    return JSON.stringify(one) === JSON.stringify(other) ? [] : [row(aspect, step, name, one, other)];
  });
}

function namesOf(...held: (object | null | undefined)[]): string[] {
  return [...new Set(held.flatMap((some) => Object.keys(some ?? {})))];
}

function row(aspect: string, step: string | null, name: string, a: Value | undefined, b: Value | undefined): DiffRow {
  return { aspect, step, name, a: a ?? null, b: b ?? null, same: false };
}

/** Return the steps by their paths, of which repeated ones are numbered. */
function named(steps: HeldStep[]): Map<string, HeldStep> {
  const found = new Map<string, HeldStep>();
  for (const step of steps) {
    const path = step.path ?? step.name;
    let name = path;
    for (let number = 2; found.has(name); number++) name = `${path} (${number})`;
    found.set(name, step);
  }
  return found;
}

/** Return for each step all steps that ran before it. */
function ancestors(steps: HeldStep[]): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const { key, before } of steps) {
    const all = new Set<string>();
    // Steps come in topological order, so that those before are known.
    for (const at of before ?? []) for (const each of [at, ...(found.get(at) ?? [])]) all.add(each);
    found.set(key, all);
  }
  return found;
}

function sideOf({ key, run }: RunAnswer): { key: string; label: string } {
  return { key: `run:${key ?? run}`, label: run };
}

function answer(a: DiffAnswer["a"], b: DiffAnswer["b"], rows: DiffRow[]): DiffAnswer {
  const ordered = [...rows.filter((some) => some.first), ...rows.filter((some) => !some.first)];
  const real = rows.filter(({ note }) => !note);
  return { a, b, identical: !rows.length, first: real.length ? 0 : null, rows: ordered, said: BOUNDS };
}
