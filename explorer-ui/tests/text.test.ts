import assert from "node:assert/strict";
import { test } from "node:test";
import { count, duration, line, moment, numeral, printable, shortened, shortType, valueText } from "../src/text.ts";

test("controls, marks of direction and lone surrogates are written as escapes", () => {
  assert.equal(printable("a\u0000b\u001bc"), "a\\x00b\\x1bc");
  assert.equal(printable("\u202eevil\u2066"), "\\u202eevil\\u2066");
  assert.equal(printable("\ud800"), "\\ud800");
  assert.equal(printable("\u061c\u200b\ufeff\u{e0041}\u00ad"), "\\u061c\\u200b\\ufeff\\U000e0041\\xad");
  assert.equal(printable("\u200d\u200c"), "\u200d\u200c");
  assert.equal(printable("tab\tand\nline, \u{1f600} مرحبا"), "tab\tand\nline, \u{1f600} مرحبا");
  assert.equal(line("  two\n\t words "), "two words");
});

test("texts are shortened in their middle, by whole characters", () => {
  assert.equal(shortened("abcdefghij", 7), "abc…hij");
  assert.equal(shortened("short", 7), "short");
  assert.equal(shortened("\u{1f600}".repeat(9), 3), "\u{1f600}…\u{1f600}");
  assert.equal(shortType("tfx.components.trainer.component.Trainer"), "Trainer");
});

test("numbers keep what counts", () => {
  assert.equal(count(1234567), "1,234,567");
  assert.equal(numeral(0.1 + 0.2), "0.3");
  assert.equal(numeral(1e-7), "1e-7");
  assert.equal(numeral(123456.789), "123457");
  assert.equal(numeral(Infinity), "Infinity");
  assert.equal(valueText({ a: [1, null] }), '{"a":[1,null]}');
  assert.equal(valueText(false), "false");
});

test("durations and moments", () => {
  const second = 1000;
  assert.equal(duration(850), "850 ms");
  assert.equal(duration(4.2 * second), "4.2 s");
  assert.equal(duration(185 * second), "3 min 05 s");
  assert.equal(duration(59.9 * 60 * second), "59 min 54 s");
  assert.equal(duration(2 * 86_400 * second + 4 * 3600 * second), "2 d 04 h");
  assert.equal(duration(null), "");
  assert.equal(moment(1_714_555_812_000), "2024-05-01 09:30:12");
  assert.equal(moment(9e99), "9e+99 ms");
});
