/** Small parts of views: statuses, values, links, messages. */

import { html, nothing, type TemplateResult } from "lit-html";
import { addressOfKey } from "../address.ts";
import { MARKS } from "../drawing/node_shapes.ts";
import type { Status, Value } from "../protocol.ts";
import { count, line, printable, shortened, valueText } from "../text.ts";

type Part = TemplateResult | typeof nothing;

/** A status as a mark, a colour and, unless it is told beside, a word. */
export function statusPart(status: Status | null | undefined, { word = true } = {}): Part {
  if (!status) return nothing;
  return html`<span class="state ${status}"
    ><span class="mark" aria-hidden="true">${MARKS[status]}</span
    >${word ? html`<span>${status}</span>` : html`<span class="unseen">${status}</span>`}</span
  >`;
}

/** A name of a store: isolated, so that its direction turns nothing around it. */
export function namePart(text: string | null | undefined, length = 120): TemplateResult {
  const shown = line(text);
  const short = shortened(shown, length);
  return html`<bdi title=${short === shown ? nothing : shortened(shown, 1000)}>${short || "(no name)"}</bdi>`;
}

export function keyLink(key: string, label: string, pipeline?: string | null): TemplateResult {
  return html`<a href=${addressOfKey(key, pipeline)}>${namePart(label, 80)}</a>`;
}

const SHOWN = 400;

/** A value, of which long ones show their beginning until the rest is asked for. */
export function valuePart(value: Value): TemplateResult {
  const text = printable(valueText(value));
  const number = typeof value === "number";
  if (text.length <= SHOWN) {
    return html`<bdi class=${number ? "value number" : "value"} title=${number ? String(value) : nothing}>${text}</bdi>`;
  }
  return html`<details class="long">
    <summary><bdi class="value">${text.slice(0, SHOWN)}…</bdi> <span class="hint">${count(text.length)} characters</span></summary>
    <pre dir="auto" tabindex="0">${text}</pre>
  </details>`;
}

export function errorPart(message: string | null): Part {
  return message === null
    ? nothing
    : html`<div class="message error" role="alert"><strong>This could not be answered.</strong> <bdi>${printable(message)}</bdi></div>`;
}

export function waitingPart(what: string): TemplateResult {
  return html`<div class="message waiting" role="status"><span class="spinner" aria-hidden="true"></span>${what}</div>`;
}
