/** Texts as people read them: names, numbers, times and values from a store. */

import type { Value } from "./protocol.ts";

// What Python's lineage/render/labels.py escapes too: controls, marks that turn the direction of the
// text round, and what does not show.
const UNPRINTABLE =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\u{1d173}-\u{1d17a}\u{e0000}-\u{e007f}]|\p{Cs}/gu;

/** Return a text whose controls, marks of direction and lone surrogates are written as escapes. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (found) => {
    const code = found.codePointAt(0) ?? 0;
    const hex = code.toString(16);
    if (code > 0xffff) return `\\U${hex.padStart(8, "0")}`;
    return code < 256 ? `\\x${hex.padStart(2, "0")}` : `\\u${hex.padStart(4, "0")}`;
  });
}

/** Return a text for one line: printable, and each run of white space as one blank. */
export function line(text: string | null | undefined): string {
  return printable((text ?? "").replace(/[\t\n\r ]+/g, " ").trim());
}

/** Return a type without the modules that lead to it. */
export function shortType(type: string | null | undefined): string {
  return line(type).split(".").at(-1) ?? "";
}

/** Return a text with its middle left out where it is longer than that. */
export function shortened(text: string, length: number): string {
  const characters = Array.from(text);
  if (characters.length <= length) return text;
  const tail = Math.floor((length - 1) / 2);
  const head = characters.slice(0, length - 1 - tail).join("");
  return `${head}…${tail ? characters.slice(-tail).join("") : ""}`;
}

/** Return a whole number with its thousands apart. */
export function count(number: number): string {
  return number.toLocaleString("en-US");
}

/** Return a number and what it counts, such as "1 run" or "3 runs". */
export function counted(number: number, noun: string): string {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** Return a number with at most six digits that count. */
export function numeral(number: number): string {
  if (!Number.isFinite(number)) return String(number);
  if (Number.isInteger(number) && Math.abs(number) < 1e15) return count(number);
  const size = Math.abs(number);
  if (size >= 1e-4 && size < 1e9) return String(Number(number.toPrecision(6)));
  return number.toExponential(3).replace(/\.?0+e/, "e");
}

/** Return a duration of milliseconds, such as "850 ms", "42.1 s", "3 min 05 s" or "2 d 04 h". */
export function duration(milliseconds: number | null | undefined): string {
  if (milliseconds === null || milliseconds === undefined || milliseconds < 0) return "";
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const pairs: [number, string, number, string][] = [
    [3600, "min", 60, "s"],
    [86_400, "h", 3600, "min"],
    [Infinity, "d", 86_400, "h"],
  ];
  for (const [limit, unit, size, lesser] of pairs) {
    if (seconds < limit) {
      const parts = unit === "d" ? 24 : 60;
      const whole = Math.round((seconds / size) * parts);
      const rest = String(whole % parts).padStart(2, "0");
      return `${Math.floor(whole / parts)} ${unit} ${rest} ${lesser}`;
    }
  }
  return "";
}

/** Return a moment in UTC, such as "2024-05-01 09:30:12". */
export function moment(time: number | null | undefined): string {
  if (time === null || time === undefined) return "";
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return `${time} ms`;
  return date.toISOString().slice(0, 19).replace("T", " ");
}

/** Return a property's, parameter's or metric's value as a text. */
export function valueText(value: Value): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return numeral(value);
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return value ? "true" : "false";
  return JSON.stringify(value);
}
