/** The answers that the Python side gives, as mlmd_lineage/explorer/api.py documents them. */

export type Status = "completed" | "cached" | "failed" | "running" | "canceled";

/** Milliseconds since the epoch. */
export type Time = number;

export type Value = string | number | boolean | null | undefined | Value[] | { [key: string]: Value };

export interface Metric {
  name: string;
  value: number;
}

export interface RunSummary {
  key?: string | null;
  name: string;
  pipeline?: string | null;
  status: Status | null;
  start: Time | null;
  duration: number | null;
  metric?: Metric | null;
}

export interface PipelineSummary {
  name: string;
  platform?: string | null;
  runs: number;
  last: RunSummary[];
}

export interface Finding {
  code: string;
  severity: string;
  count: number;
  message: string;
}

export interface Overview {
  store: string;
  kinds: Record<string, number>;
  platforms: (string | { name: string; pipelines?: number })[];
  pipelines: PipelineSummary[];
  findings: Finding[];
  types?: { name: string; kind: string; count: number; example?: string | null }[];
  complete: boolean;
  said?: string | null;
  /** The node that a page without a server was made for. */
  start?: string | null;
}

export type ColumnKind = "text" | "number" | "time" | "duration" | "status";
export type ColumnGroup = "run" | "parameter" | "metric" | "input";

export interface Column {
  key: string;
  label: string;
  kind: ColumnKind;
  group: ColumnGroup;
}

export interface RunRow {
  key?: string | null;
  run: string;
  status: Status | null;
  start: Time | null;
  duration: number | null;
  parameters: Record<string, Value>;
  metrics: Record<string, Value>;
  inputs: Record<string, Value>;
}

export interface PipelineAnswer {
  columns: Column[];
  rows: RunRow[];
  total: number;
  changing: string[];
  said?: string | null;
}

export interface MetricsAnswer {
  metrics: Record<string, [run: string, time: Time | null, value: number | null][]>;
}

export type NodeKind = "artifact" | "execution" | "fold";
export type Role =
  | "uses"
  | "produces"
  | "reuses"
  | "later"
  | "internal"
  | "resolves"
  | "pending"
  | "phantom"
  | "after";

export interface SceneNode {
  id: string;
  key: string;
  keys?: string[] | null;
  kind: NodeKind;
  of?: string | null;
  label: string;
  type: string | null;
  about?: string | null;
  status: Status | null;
  /** The middle of the box, in pixels. */
  x: number;
  y: number;
  w: number;
  h: number;
  count?: number | null;
  more?: { upstream?: number | null; downstream?: number | null } | null;
  internal?: boolean | null;
  missing?: boolean | null;
  run?: string | null;
  run_key?: string | null;
  pipeline?: string | null;
  title?: string | null;
}

export interface SceneEdge {
  from: string;
  to: string;
  label?: string | null;
  role: Role;
  later?: boolean | null;
  count?: number | null;
  points?: [number, number][] | null;
  title?: string | null;
}

export interface Scene {
  focus: string | null;
  width: number;
  height: number;
  complete: boolean;
  said: string;
  nodes: SceneNode[];
  edges: SceneEdge[];
}

/** What a scene of more than the limit is answered with; its columns are asked for on their own. */
export interface TooBig {
  big: true;
  nodes: number;
  edges: number;
  complete: boolean;
  said: string;
}

export interface Step {
  key: string;
  name: string;
  status: Status | null;
  start: Time | null;
  end: Time | null;
  parent?: string | null;
  cached?: boolean | null;
  original?: string | null;
}

export interface RunAnswer {
  key?: string | null;
  run: string;
  pipeline: string | null;
  platform?: string | null;
  status: Status | null;
  start?: Time | null;
  duration?: number | null;
  scene: Scene;
  steps: Step[];
  parameters?: Record<string, Value> | null;
  metrics?: Record<string, Value> | null;
}

export interface NodeEvent {
  event?: number;
  event_type?: string | null;
  key: string;
  label: string;
  type: string | null;
  role: Role;
  path?: string | null;
  time?: Time | null;
}

export interface NodeAnswer {
  key: string;
  kind: "artifact" | "execution" | "context";
  id: number;
  label: string;
  type: string | null;
  platform?: string | null;
  state?: string | null;
  status?: Status | null;
  uri?: string | null;
  times?: { created?: Time | null; updated?: Time | null; start?: Time | null; end?: Time | null };
  properties: { name: string; value: Value; custom: boolean }[];
  events: NodeEvent[];
  events_total?: number | null;
  contexts: { key: string; name: string; type: string | null }[];
  parameters?: Record<string, Value> | null;
  metrics?: Record<string, Value> | null;
  run?: string | null;
  run_key?: string | null;
  pipeline?: string | null;
  error?: string | null;
  original?: { key: string; label: string } | null;
}

export interface ImpactAnswer {
  scene: Scene | TooBig;
  rows: {
    key: string;
    kind: string;
    label: string;
    type: string | null;
    hops: number | null;
    run?: string | null;
    pipeline?: string | null;
  }[];
}

export interface DiffRow {
  aspect: string;
  step?: string | null;
  name: string;
  a: Value;
  b: Value;
  note?: boolean | null;
  first?: boolean | null;
  same: boolean;
}

export interface DiffAnswer {
  a: { key: string; label: string };
  b: { key: string; label: string };
  identical?: boolean;
  first: number | null;
  rows: DiffRow[];
  doubts?: string[] | null;
  said?: string | null;
}

export interface Hit {
  key: string;
  label: string;
  type: string | null;
  uri?: string | null;
  why: string;
  kind?: string | null;
  pipeline?: string | null;
}

export interface SearchAnswer {
  hits: Hit[];
  total: number;
  said?: string | null;
}

/** The methods whose answers are scenes of any size. */
export type SceneMethod = "lineage" | "path" | "impact";

/** The platforms' statuses of a big scene, by their places among its statuses. */
export interface StatusesAnswer {
  statuses: number[];
}

export interface LabelsAnswer {
  labels: Record<string, [label: string, type: string | null]>;
}

export interface Licence {
  name: string;
  version: string;
  licence: string;
  text: string;
}

/** The answers by method. */
export interface Answers {
  overview: Overview;
  pipeline: PipelineAnswer;
  metrics: MetricsAnswer;
  run: RunAnswer;
  node: NodeAnswer;
  lineage: Scene | TooBig;
  path: Scene | TooBig;
  impact: ImpactAnswer;
  diff: DiffAnswer;
  search: SearchAnswer;
  labels: LabelsAnswer;
  statuses: StatusesAnswer;
}

export type Method = keyof Answers;
export type Params = Record<string, string | number | boolean | null | undefined | string[] | object>;
