import assert from "node:assert/strict";
import { test } from "node:test";
import { GraphQuestions, type HeldEdge, type HeldNode } from "../src/offline/held_graph.ts";
import { arrange } from "../src/offline/layout.ts";
import type { Role, SceneEdge, SceneNode } from "../src/protocol.ts";

function graph(runs: number): GraphQuestions {
  const nodes: HeldNode[] = [];
  const edges: HeldEdge[] = [];
  const add = (key: string, label: string, run: string): string => {
    const kind = key.startsWith("artifact") ? "artifact" : "execution";
    nodes.push({ key, kind, label, type: label, status: null, run, pipeline: "p" });
    return key;
  };
  const join = (from: string, to: string, role: Role): void => void edges.push({ from, to, role });
  const data = add("artifact/1", "data", "r0");
  for (let run = 1; run <= runs; run++) {
    const train = add(`execution/${run}`, "train", `r${run}`);
    const model = add(`artifact/${run + 1}`, "model", `r${run}`);
    join(data, train, "uses");
    join(train, model, "produces");
  }
  return new GraphQuestions({ focus: data, nodes, edges }, { said: "the trace", complete: true }, () => 100);
}

const QUESTION = { key: "artifact/1", direction: "downstream", hops: null, fold: "none", expand: [] } as const;

test("hops bound the answer, which says so and counts what lies beyond", () => {
  const some = graph(3);
  const one = some.lineage({ ...QUESTION, hops: 1, expand: [] });
  assert.deepEqual(one.nodes.map((node) => node.key), ["artifact/1", "execution/1", "execution/2", "execution/3"]);
  assert.equal(one.complete, false);
  assert.match(one.said, /Cut by 1 hop/);
  assert.deepEqual(one.nodes[1]?.more, { upstream: 0, downstream: 1 });
  const opened = some.lineage({ ...QUESTION, hops: 1, expand: ["downstream:execution/2"] });
  assert.ok(opened.nodes.some((node) => node.key === "artifact/3"));
  const whole = some.lineage({ ...QUESTION, expand: [] });
  assert.deepEqual([whole.nodes.length, whole.edges.length, whole.complete], [7, 6, true]);
});

test("runs and types fold, and a fold opens by its id", () => {
  const some = graph(3);
  const folded = some.lineage({ ...QUESTION, fold: "run", expand: [] });
  assert.deepEqual(folded.nodes.map((node) => node.label), ["data", "run r1", "run r2", "run r3"]);
  assert.match(folded.said, /6 of 7 nodes are folded into 3 boxes/);
  const id = folded.nodes[1]!.id;
  const opened = some.lineage({ ...QUESTION, fold: "run", expand: [id] });
  assert.equal(opened.nodes.length, 5);
  const types = some.lineage({ ...QUESTION, fold: "type", expand: [] });
  assert.deepEqual(types.nodes.map((node) => [node.label, node.count]), [["data", 1], ["train × 3", 3], ["model × 3", 3]]);
  assert.equal(types.edges.find((edge) => edge.role === "uses")?.count, 3);
});

test("paths in either direction, and impact nearest first", () => {
  const some = graph(3);
  assert.deepEqual(some.path("artifact/3", "artifact/1", "none", []).nodes.map((node) => node.key).sort(), ["artifact/1", "artifact/3", "execution/2"]);
  assert.match(some.path("artifact/2", "artifact/3", "none", []).said, /no path/);
  assert.deepEqual(some.impact("artifact/1").map(({ hops }) => hops), [1, 1, 1, 2, 2, 2]);
  assert.deepEqual(some.node("execution/1")?.events.map((event) => event.event_type), ["INPUT", "OUTPUT"]);
});

test("boxes do not overlap, and lines lead to the right, even around circles", () => {
  let state = 7;
  const random = (below: number): number => (state = (state * 48_271) % 2_147_483_647) % below;
  const nodes: SceneNode[] = Array.from({ length: 150 }, (_, at) => ({
    id: String(at), key: `artifact/${at}`, kind: "artifact", label: "", type: null, status: null, x: 0, y: 0, w: 80 + random(90), h: 40,
  }));
  const edges: SceneEdge[] = Array.from({ length: 220 }, () => ({ from: String(random(150)), to: String(random(150)), role: "uses" as const }));
  edges.push({ from: "0", to: "1", role: "uses" }, { from: "1", to: "0", role: "later" }, { from: "2", to: "2", role: "uses" });
  const { width, height } = arrange(nodes, edges);
  for (const one of nodes) {
    assert.ok(one.x - one.w / 2 >= -0.01 && one.x + one.w / 2 <= width + 0.01 && one.y + one.h / 2 <= height + 0.01);
    for (const other of nodes) {
      const apart = Math.abs(one.x - other.x) >= (one.w + other.w) / 2 || Math.abs(one.y - other.y) >= 40;
      assert.ok(one === other || apart, `${one.id} lies on ${other.id}`);
    }
  }
  const straight = edges.filter(({ from, to }) => from !== to).filter(({ points }) => points && points[0]![0] < points.at(-1)![0]);
  assert.ok(straight.length > edges.length / 2);
});
