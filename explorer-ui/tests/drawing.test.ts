import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeScene, idOf } from "../src/drawing/big_scene_data.ts";
import { BigIndex } from "../src/drawing/big_index.ts";
import { neighbour } from "../src/drawing/keys.ts";
import { Links } from "../src/drawing/links.ts";
import { csvOf, dotOf } from "../src/parts/download.ts";
import { nested } from "../src/parts/gantt.ts";
import type { Scene, SceneNode, Step } from "../src/protocol.ts";

const EDGES = ["ab", "bc", "bd", "ce", "de", "fe"].map((pair) => ({ from: pair[0]!, to: pair[1]! }));

test("paths are those between a node and the focus, or all that led to and came of it", () => {
  const links = new Links(EDGES);
  assert.deepEqual([...links.paths("e", "b").nodes].sort(), ["b", "c", "d", "e"]);
  assert.deepEqual([...links.paths("b", "e").edges].sort(), [1, 2, 3, 4]);
  assert.deepEqual([...links.paths("c", "f").nodes].sort(), ["a", "b", "c", "e"]);
  assert.equal(links.between("a", "f"), null);
  const circle = new Links([{ from: "a", to: "b" }, { from: "b", to: "a" }]);
  assert.deepEqual([...circle.paths("a", null).nodes].sort(), ["a", "b"]);
});

test("arrow keys follow edges and columns", () => {
  const at = (id: string, x: number, y: number): SceneNode => ({ ...NODE, id, x, y });
  const places = [at("a", 0, 0), at("b", 1, 0), at("c", 2, 0), at("d", 2, 9), at("e", 3, 4), at("f", 2, 20)];
  const nodes = new Map(places.map((node) => [node.id, node]));
  const links = new Links(EDGES);
  const go = (key: string, id: string): string | null => neighbour(key, nodes.get(id)!, nodes, links);
  assert.deepEqual(["ArrowRight", "ArrowLeft"].map((key) => go(key, "b")), ["c", "a"]);
  assert.deepEqual(["ArrowDown", "ArrowUp"].map((key) => go(key, "d")), ["f", "c"]);
  assert.equal(go("ArrowLeft", "a"), null);
  assert.deepEqual(["Home", "End"].map((key) => go(key, "c")), ["a", "e"]);
});

const NODE: SceneNode = { id: "a", key: "artifact/1", kind: "artifact", label: "a", type: null, status: null, x: 0, y: 0, w: 9, h: 9 };

function encoded(): ArrayBuffer {
  const header = JSON.stringify({
    focus: 0, complete: false, said: "é", types: ["Model", "Trainer"], roles: ["uses"], statuses: [null, "completed"],
    folds: [[2, "fold:x", "x × 3", 3]], count: 3, edges: 2,
    columns: [["x", "f4"], ["y", "f4"], ["kind", "u1"], ["status", "u1"], ["type", "u2"], ["source", "u4"], ["target", "u4"], ["role", "u1"], ["id", "f8"]],
  });
  const text = Buffer.from(header);
  const padded = Buffer.concat([text, Buffer.alloc(-text.length & 3, " ")]);
  const parts = [
    new Float32Array([0, 180, 360]), new Float32Array([0, 0, 56]), new Uint8Array([0, 1, 2]), new Uint8Array([0, 1, 0]),
    new Uint16Array([0, 1, 1]), new Uint32Array([0, 1]), new Uint32Array([1, 2]), new Uint8Array([0, 0]), new Float64Array([5, 2 ** 40, 7]),
  ].map((column) => Buffer.from(column.buffer));
  const size = Buffer.alloc(4);
  size.writeUInt32LE(padded.length);
  const whole = Buffer.concat([size, padded, ...parts.flatMap((part) => [part, Buffer.alloc(-part.length & 3)])]);
  return whole.buffer.slice(whole.byteOffset, whole.byteOffset + whole.length);
}

test("columns are read as they were written", () => {
  const scene = decodeScene(encoded(), { method: "lineage", params: {} });
  assert.equal(scene.said, "é");
  assert.deepEqual([0, 1, 2].map((node) => idOf(scene, node)), ["artifact/5", `execution/${2 ** 40}`, "fold:x"]);
  assert.deepEqual([...scene.x], [0, 180, 360]);
  const index = new BigIndex(scene, { width: 60, height: 20 });
  assert.deepEqual([index.at(182, 3), index.at(90, 3), index.at(360, 57)], [1, -1, 2]);
  assert.deepEqual(index.neighbours(1, "upstream"), [0]);
  assert.deepEqual([...index.paths(2).edges], [1, 1]);
  assert.deepEqual(index.within({ left: 100, right: 400, top: -10, bottom: 10 }), [1]);
});

test("tables and graphs for other programs hold no formulas and no markup of their own", () => {
  assert.equal(csvOf([["=1+1", 'say "a"', "b,c", -5, null], ["-x", "plain"]]), "'=1+1,\"say \"\"a\"\"\",\"b,c\",-5,\r\n'-x,plain\r\n");
  const scene: Scene = { focus: null, width: 0, height: 0, complete: true, said: "", nodes: [{ ...NODE, id: 'x"]; evil', label: 'a\\"' }], edges: [] };
  assert.ok(dotOf(scene).includes('"x\\"]; evil" [label="a\\\\\\"", shape=ellipse];'));
});

test("steps stand beneath their groups, in the order of their starts", () => {
  const step = (key: string, start: number | null, parent: string | null): Step => ({ key, name: key, status: null, start, end: null, parent });
  const rows = nested([step("b", 2, "loop"), step("a", 1, "loop"), step("loop", 0, null), step("z", null, "gone"), step("p", 1, "q"), step("q", 1, "p")]);
  assert.deepEqual(rows.map(({ step: { key }, depth }) => [key, depth]), [["loop", 0], ["a", 1], ["b", 1], ["z", 0], ["p", 0], ["q", 0]]);
});
