import assert from "node:assert/strict";
import { test } from "node:test";
import { addressOfKey, formatAddress, joined, listed, parseAddress } from "../src/address.ts";

test("an address says what it was made of", () => {
  const names = ["artifact/3", "a run: 2024/05 100%?#&=", "مرحبا", "<script>", "context/12"];
  for (const name of names) {
    for (const view of ["run", "lineage", "pipeline"] as const) {
      const args = { filter: `x=${name}&y`, expand: joined([name, "b,c"]) };
      const read = parseAddress(formatAddress(view, name, args));
      assert.deepEqual(read, { view, name, args });
      assert.deepEqual(listed(read.args["expand"]), [name, "b,c"]);
    }
  }
});

test("node keys are readable, empty arguments do not show", () => {
  const args = { hops: 2, internal: false, fold: null, later: true };
  assert.equal(formatAddress("lineage", "artifact/3", args), "#/lineage/artifact:3?hops=2&later=1");
  assert.equal(addressOfKey("run:a/b", "p"), "#/run/a%2Fb?pipeline=p");
  assert.equal(addressOfKey("pipeline:p"), "#/pipeline/p");
});

test("what is not understood is the overview", () => {
  for (const fragment of ["", "#", "#/", "#/nowhere/x", "#/%E0%A4%A", "#//"]) {
    assert.equal(parseAddress(fragment).view, "overview");
  }
  assert.equal(parseAddress("#/run/%E0%A4%A").name, "%E0%A4%A");
});
