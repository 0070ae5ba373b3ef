import assert from "node:assert/strict";
import { test } from "node:test";
import { compareNodes, compareRuns, type HeldStep } from "../src/offline/comparison.ts";
import type { NodeAnswer, RunAnswer } from "../src/protocol.ts";

function step(number: number, name: string, more: Partial<HeldStep> = {}): HeldStep {
  return { key: `execution/${number}`, name, status: "completed", start: null, end: null, ...more };
}

function run(key: string, steps: HeldStep[], parameters = {}): RunAnswer {
  return { key, run: key, pipeline: "p", status: "completed", steps, parameters } as unknown as RunAnswer;
}

test("runs differ first where nothing before differs, and metrics are no reason", () => {
  const a = run("context/1", [
    step(1, "load", { inputs: { data: ["artifact/1"] } }),
    step(2, "train", { before: ["execution/1"], parameters: { rate: 0.1 }, metrics: { auc: 0.8 } }),
    step(3, "test", { before: ["execution/2"], status: "failed" }),
  ]);
  const b = run("context/2", [
    step(4, "load", { inputs: { data: ["artifact/1"] } }),
    step(5, "train", { before: ["execution/4"], parameters: { rate: 0.2 }, metrics: { auc: 0.9 } }),
    step(6, "test", { before: ["execution/5"] }),
    step(7, "push", { before: ["execution/6"] }),
  ]);
  const { rows, first, a: side } = compareRuns(a, b);
  assert.deepEqual(
    rows.map(({ aspect, step: name, a: one, b: other, first: is, note }) => [aspect, name, one, other, is, note ?? false]),
    [
      ["parameter", "train", 0.1, 0.2, true, false],
      ["metric", "train", 0.8, 0.9, false, true],
      ["status", "test", "failed", "completed", false, false],
      ["structure", "push", null, "execution/7", false, false],
    ],
  );
  assert.equal(first, 0);
  assert.deepEqual(side, { key: "run:context/1", label: "context/1" });
  assert.equal(compareRuns(a, a).identical, true);
});

test("other data is a reason only where no step of the runs made it", () => {
  const one = run("context/1", [step(1, "load", { inputs: { data: ["artifact/1"] }, outputs: { rows: ["artifact/2"] } }), step(2, "train", { before: ["execution/1"], inputs: { rows: ["artifact/2"] } })]);
  const other = run("context/2", [step(3, "load", { inputs: { data: ["artifact/8"] }, outputs: { rows: ["artifact/9"] } }), step(4, "train", { before: ["execution/3"], inputs: { rows: ["artifact/9"] } })]);
  assert.deepEqual(compareRuns(one, other).rows.map(({ aspect, step: name, name: input }) => [aspect, name, input]), [["data", "load", "data"]]);
});

test("nodes are compared with what led to them, up to what they share", () => {
  const node = (key: string, label: string, from: [string, string][], rate: number | null = null): NodeAnswer =>
    ({
      key,
      kind: key.split("/")[0],
      label,
      type: label,
      properties: rate === null ? [] : [{ name: "rate", value: rate, custom: false }],
      events: from.map(([other, name]) => ({ key: other, label: name, type: name, role: "uses", event_type: key.startsWith("a") ? "OUTPUT" : "INPUT" })),
    }) as unknown as NodeAnswer;
  const held = new Map(
    [
      node("artifact/1", "data", []),
      node("execution/1", "train", [["artifact/1", "data"]], 0.1),
      node("execution/2", "train", [["artifact/1", "data"]], 0.2),
      node("artifact/2", "model", [["execution/1", "train"]]),
      node("artifact/3", "model", [["execution/2", "train"]], 7),
    ].map((each) => [each.key, each]),
  );
  const nodes = { node: (key: string): NodeAnswer | null => held.get(key) ?? null };
  const { rows, a } = compareNodes(nodes, "artifact/2", "artifact/3");
  assert.equal(a.label, "model (artifact/2)");
  assert.deepEqual(
    rows.map(({ aspect, step: name, a: one, b: other, first, note }) => [aspect, name, one, other, first, note ?? false]),
    [
      ["parameter", "train", 0.1, 0.2, true, false],
      ["property", "model", null, 7, false, true],
    ],
  );
  assert.equal(compareNodes(nodes, "artifact/2", "artifact/2").identical, true);
});
