/** The times of a run's steps: a bar each, from its start to its end, on one axis. */

import { html, nothing, svg, type TemplateResult } from "lit-html";
import type { Step } from "../protocol.ts";
import { duration, line, moment } from "../text.ts";
import { namePart, statusPart } from "./marks.ts";

const TICKS = 5;
/** Round steps of an axis, in milliseconds; above a day, whole days. */
const STEPS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((seconds) => seconds * 1000),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * 60_000),
  ...[1, 2, 3, 6, 12].map((hours) => hours * 3_600_000),
];
const DAY = 86_400_000;

/** Return the round moments of an axis that begins at 0, at most six. */
export function ticksOf(whole: number): number[] {
  const step = STEPS.find((some) => whole / some <= TICKS) ?? DAY * Math.ceil(whole / TICKS / DAY);
  return Array.from({ length: Math.floor(whole / step) + 1 }, (_, at) => at * step);
}

interface Row {
  step: Step;
  depth: number;
}

/** Return the steps with each one's own steps beneath it, in the order of their starts. */
export function nested(steps: readonly Step[]): Row[] {
  const keys = new Set(steps.map((step) => step.key));
  const inside = new Map<string, Step[]>();
  for (const step of steps) {
    const parent = step.parent && step.parent !== step.key && keys.has(step.parent) ? step.parent : "";
    inside.set(parent, [...(inside.get(parent) ?? []), step]);
  }
  const rows: Row[] = [];
  const seen = new Set<string>();
  const add = (parent: string, depth: number): void => {
    const some = inside.get(parent) ?? [];
    some.sort((one, other) => (one.start ?? Infinity) - (other.start ?? Infinity));
    for (const step of some) {
      if (seen.has(step.key)) continue;
      seen.add(step.key);
      rows.push({ step, depth });
      add(step.key, depth + 1);
    }
  };
  add("", 0);
  // Steps that name each other as their parents belong to nobody else.
  for (const step of steps) if (!seen.has(step.key)) rows.push({ step, depth: 0 });
  return rows;
}

export function ganttPart(steps: readonly Step[], selected: string | null, choose: (key: string) => void): TemplateResult {
  const starts = steps.flatMap((step) => step.start ?? []);
  const ends = steps.flatMap((step) => step.end ?? step.start ?? []);
  const first = starts.reduce((one, other) => Math.min(one, other), Infinity);
  const last = ends.reduce((one, other) => Math.max(one, other), -Infinity);
  if (!starts.length) return html`<p class="message">The store does not say when the steps ran.</p>`;
  const whole = Math.max(1, last - first);
  const ticks = ticksOf(whole);
  const place = (tick: number): string => `${Math.round((tick / whole) * 10_000) / 100}%`;
  return html`<div class="gantt">
    <p class="hint">${moment(first)} to ${moment(last)} UTC, ${duration(whole)}</p>
    <div class="axis" aria-hidden="true">
      <span></span><span class="ticks">${ticks.map((tick) => html`<span class=${tick / whole > 0.94 ? "last" : ""} .style=${`inset-inline-start: ${place(tick)}`}>${tick ? duration(tick) : "0"}</span>`)}</span>
    </div>
    <ol>
      ${nested(steps).map(({ step, depth }) => row(step, depth, { first, whole, ticks, selected, choose }))}
    </ol>
  </div>`;
}

function row(
  step: Step,
  depth: number,
  {
    first,
    whole,
    ticks,
    selected,
    choose,
  }: { first: number; whole: number; ticks: number[]; selected: string | null; choose: (key: string) => void },
): TemplateResult {
  const took = step.start && step.end ? step.end - step.start : null;
  const left = step.start ? ((step.start - first) / whole) * 1000 : 0;
  const wide = step.start ? Math.max(3, ((took ?? 0) / whole) * 1000) : 0;
  return html`<li>
    <button class="plain step ${step.key === selected ? "chosen" : ""}" aria-pressed=${step.key === selected} @click=${() => choose(step.key)}>
      <span class="who" .style=${`padding-inline-start: ${depth * 16}px`}
        >${statusPart(step.status, { word: false })} ${namePart(step.name, 48)} <span class="hint">${step.start ? duration(took) : "no times"}</span></span
      >
      <svg class="times" viewBox="0 0 1000 20" preserveAspectRatio="none" aria-hidden="true">
        ${ticks.map((tick) => svg`<path class="grid" d="M${(tick / whole) * 1000} 0v20" />`)}
        ${step.start
          ? svg`<rect class="bar ${step.status ?? "unknown"}" x=${Math.min(left, 997)} y="4" width=${wide} height="12" />`
          : nothing}
      </svg>
      <span class="unseen">${line(`started ${moment(step.start)}`)}</span>
    </button>
  </li>`;
}
