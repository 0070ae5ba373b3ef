/** What is known of one node: beside the picture, when it was chosen. */

import { html, nothing, type TemplateResult } from "lit-html";
import { formatAddress, runAddress } from "../address.ts";
import type { App } from "../app.ts";
import type { NodeAnswer, NodeEvent, SceneNode, Value } from "../protocol.ts";
import { count, duration, line, moment } from "../text.ts";
import { errorPart, keyLink, namePart, statusPart, valuePart, waitingPart } from "./marks.ts";
import type { Question } from "./question.ts";

const LISTED = 50;

export interface DetailActions {
  close: () => void;
  expand?: ((id: string) => void) | undefined;
}

export function detailsPart(
  app: App,
  node: SceneNode | null,
  question: Question<NodeAnswer>,
  actions: DetailActions,
): TemplateResult {
  const { answer, error } = question;
  return html`<aside class="details" aria-label="Details">
    <button class="plain close" aria-label="Close the details" title="Close (Esc)" @click=${actions.close}>×</button>
    ${node?.kind === "fold"
      ? foldPart(node, actions)
      : html`${errorPart(error)}
        ${answer ? nodePart(app, answer, node, actions) : error ? nothing : waitingPart("Reading the node")}`}
  </aside>`;
}

function foldPart(node: SceneNode, { expand }: DetailActions): TemplateResult {
  const keys = node.keys ?? [];
  const number = node.count ?? keys.length;
  return html`<header>
      <span class="kind fold">folded${node.of ? ` by ${line(node.of)}` : ""}</span>
      <h2>${namePart(node.label)}</h2>
      <p class="hint">${line(node.about ?? node.type)}</p>
      ${statusPart(node.status)}
    </header>
    <div class="actions">
      ${expand ? html`<button class="primary" @click=${() => expand(node.id)}>Unfold</button>` : nothing}
      ${node.run ? html`<a class="button" href=${runAddress(node.run, node.run_key, node.pipeline)}>The run</a>` : nothing}
    </div>
    <h3>${count(number)} nodes</h3>
    <ul class="keys">
      ${keys.slice(0, LISTED).map((key) => html`<li><a href=${formatAddress("lineage", key)}>${key}</a></li>`)}
    </ul>
    ${number > LISTED ? html`<p class="hint">and ${count(number - Math.min(LISTED, keys.length))} more</p>` : nothing}`;
}

function nodePart(app: App, answer: NodeAnswer, node: SceneNode | null, { expand }: DetailActions): TemplateResult {
  const { key, label, kind, run, run_key: runKey, pipeline, times = {} } = answer;
  const took = times.start && times.end ? times.end - times.start : null;
  return html`<header>
      <span class="kind ${kind}">${kind} ${key.split("/")[1]}</span>
      <h2>${namePart(/^#\d+$/.test(label) && node ? node.label : label)}</h2>
      ${answer.type && answer.type !== label ? html`<p class="hint">${namePart(answer.type)}</p>` : nothing}
      ${statusPart(answer.status)}
    </header>
    ${actionsPart(app, answer, node, expand)}
    ${answer.error ? html`<section class="failure"><h3>Error</h3>${valuePart(answer.error)}</section>` : nothing}
    ${answer.original
      ? html`<p class="original">Cached: it passes on what ${keyLink(answer.original.key, answer.original.label)} made.</p>`
      : nothing}
    <dl class="facts">
      ${fact("run", run ? html`<a href=${runAddress(run, runKey, pipeline)}>${namePart(run)}</a>` : null)}
      ${fact("pipeline", pipeline ? html`<a href=${formatAddress("pipeline", pipeline)}>${namePart(pipeline)}</a>` : null)}
      ${fact("URI", answer.uri ? valuePart(answer.uri) : null)} ${fact("state", answer.state ? line(answer.state) : null)}
      ${fact("platform", answer.platform ? line(answer.platform) : null)}
      ${fact("started", times.start ? moment(times.start) : null)} ${fact("took", took === null ? null : duration(took))}
      ${fact("created", times.created ? moment(times.created) : null)}
      ${fact("last updated", times.updated && times.updated !== times.created ? moment(times.updated) : null)}
    </dl>
    ${eventsPart("Inputs", answer.events.filter((event) => isInput(event, kind)))}
    ${eventsPart(kind === "artifact" ? "Made by" : "Outputs", answer.events.filter((event) => isOutput(event, kind)))}
    ${eventsPart("Used by", answer.events.filter((event) => kind === "artifact" && isUse(event)))}
    ${valuesPart("Parameters", answer.parameters)} ${valuesPart("Metrics", answer.metrics)}
    ${propertiesPart(answer.properties)}
    ${answer.contexts.length
      ? html`<section>
          <h3>Contexts</h3>
          <ul class="contexts">
            ${answer.contexts.map(
              (context) => html`<li>${namePart(context.name, 80)} <span class="hint">${namePart(context.type, 40)}</span></li>`,
            )}
          </ul>
        </section>`
      : nothing}`;
}

function actionsPart(
  app: App,
  { key, label, kind }: NodeAnswer,
  node: SceneNode | null,
  expand: ((id: string) => void) | undefined,
): TemplateResult {
  const { picked } = app;
  const other = picked && picked.key !== key ? picked : null;
  const isNode = kind !== "context";
  return html`<div class="actions">
    ${expand && node && (node.more?.upstream || node.more?.downstream)
      ? html`<button class="primary" @click=${() => expand(node.id)}>Expand</button>`
      : nothing}
    ${isNode
      ? html`<a class="button" href=${formatAddress("lineage", key)}>Lineage from here</a>
          <a class="button" href=${formatAddress("impact", key)}>Impact</a>
          ${other
            ? html`<a class="button" href=${formatAddress("path", "", { from: other.key, to: key })}
                  >Path with ${namePart(other.label, 24)}</a
                ><a class="button" href=${formatAddress("diff", "", { a: other.key, b: key })}
                  >Compare with ${namePart(other.label, 24)}</a
                >`
            : html`<button title="Put aside, to ask for a path or to compare with another" @click=${() => app.pick({ key, label })}>
                Pick
              </button>`}`
      : nothing}
  </div>`;
}

function fact(name: string, value: TemplateResult | string | null): TemplateResult | typeof nothing {
  return value === null || value === "" ? nothing : html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
}

const MADE = new Set(["produces", "reuses", "later", "pending", "phantom"]);
const USED = new Set(["uses", "resolves"]);

// An event's type says its direction where it is known; its role says what it meant.
function isUse(event: NodeEvent): boolean {
  return event.event_type ? event.event_type.includes("INPUT") : USED.has(event.role);
}

function isMaking(event: NodeEvent): boolean {
  return event.event_type ? event.event_type.includes("OUTPUT") : MADE.has(event.role);
}

function isInput(event: NodeEvent, kind: string): boolean {
  return kind === "execution" && isUse(event);
}

function isOutput(event: NodeEvent, kind: string): boolean {
  return (kind === "execution" || kind === "artifact") && isMaking(event);
}

function eventsPart(title: string, events: NodeEvent[]): TemplateResult | typeof nothing {
  if (!events.length) return nothing;
  return html`<section>
    <h3>${title} <span class="hint">${count(events.length)}</span></h3>
    <ul class="events">
      ${events.slice(0, LISTED).map(
        (event) =>
          html`<li>
            ${keyLink(event.key, event.label)}
            <span class="hint">${[line(event.path), event.role].filter(Boolean).join(" · ")}</span>
          </li>`,
      )}
    </ul>
    ${events.length > LISTED ? html`<p class="hint">and ${count(events.length - LISTED)} more</p>` : nothing}
  </section>`;
}

function valuesPart(title: string, values: Record<string, Value> | null | undefined): TemplateResult | typeof nothing {
  const entries = Object.entries(values ?? {});
  if (!entries.length) return nothing;
  return html`<section>
    <h3>${title} <span class="hint">${count(entries.length)}</span></h3>
    <dl class="properties">
      ${entries.map(([name, value]) => html`<div><dt>${namePart(name, 60)}</dt><dd>${valuePart(value)}</dd></div>`)}
    </dl>
  </section>`;
}

function propertiesPart(properties: { name: string; value: Value; custom: boolean }[]): TemplateResult | typeof nothing {
  if (!properties.length) return nothing;
  return html`<section>
    <h3>Properties <span class="hint">${count(properties.length)}</span></h3>
    <dl class="properties">
      ${properties.map(
        ({ name, value, custom }) =>
          html`<div>
            <dt>${namePart(name, 60)}${custom ? html` <span class="hint" title="a custom property">custom</span>` : nothing}</dt>
            <dd>${valuePart(value)}</dd>
          </div>`,
      )}
    </dl>
  </section>`;
}
