/** Two runs or two nodes side by side: the first divergence on top, then all that differs. */

import { html, nothing, type TemplateResult } from "lit-html";
import { addressOfKey, formatAddress, type Address } from "../address.ts";
import { errorPart, namePart, valuePart, waitingPart } from "../parts/marks.ts";
import { Question } from "../parts/question.ts";
import type { DiffAnswer, DiffRow } from "../protocol.ts";
import { count, counted, line, printable } from "../text.ts";
import { View } from "./view.ts";

const SHOWN = 500;
const PARTINGS = 4;
const NODE = /^(artifact|execution)\/\d+$/;

export class DiffView extends View {
  private args: Record<string, string> = {};
  private readonly found = new Question<DiffAnswer>(this.app.update);
  private shown = SHOWN;

  get title(): string {
    const { answer } = this.found;
    const [a, b] = [answer?.a.label ?? this.args["a"] ?? "", answer?.b.label ?? this.args["b"] ?? ""];
    return `${a} and ${b}`;
  }

  override get trail(): { label: string; href: string }[] {
    const pipeline = this.args["pipeline"];
    const before = pipeline ? [{ label: pipeline, href: formatAddress("pipeline", pipeline) }] : [];
    return [...before, { label: "Comparison", href: "" }];
  }

  arrive({ args }: Address): void {
    this.args = args;
    const { a, b, pipeline } = args;
    this.found.ask(JSON.stringify([a, b, pipeline]), (signal) =>
      this.app.client.ask("diff", { a, b, pipeline_a: pipeline, pipeline_b: pipeline }, signal),
    );
  }

  override stop(): void {
    this.found.stop();
  }

  render(): TemplateResult {
    const { answer, error } = this.found;
    if (!answer) return html`<div class="page">${errorPart(error)}${error ? nothing : waitingPart("Comparing")}</div>`;
    const { rows, first } = answer;
    const real = rows.filter((row) => !row.same && !row.note);
    const divergences = rows.filter((row, at) => row.first ?? at === first);
    const isAll = this.args["all"] === "1";
    const listed = isAll ? rows : real;
    return html`<div class="page wide">
      <h1>${this.side(answer.a)} <span class="hint">and</span> ${this.side(answer.b)}</h1>
      ${answer.said
        ? html`<details class="report"><summary>The report in words</summary><p><bdi>${printable(answer.said)}</bdi></p></details>`
        : nothing}
      ${divergences.slice(0, PARTINGS).map((row, at) => this.divergence(row, answer, at, divergences.length))}
      ${real.length ? nothing : html`<p class="message">They do not differ in anything that has an effect.</p>`}
      <div class="toolbar" role="toolbar" aria-label="The table of differences">
        <span>${counted(real.length, "difference")}</span>
        <label class="switch"
          ><input type="checkbox" .checked=${isAll} @change=${() => this.app.setArgs({ all: isAll ? null : 1 }, { replace: true })} />Also what has no
          effect (${count(rows.length - real.length)})</label
        >
        <button @click=${() => this.app.setArgs({ a: this.args["b"], b: this.args["a"] })}>Turn round</button>
      </div>
      ${listed.length ? this.table(listed.slice(0, this.shown), answer, new Set(divergences)) : nothing}
      ${listed.length > this.shown
        ? html`<button
            @click=${() => {
              this.shown += SHOWN;
              this.app.update();
            }}
          >
            Show more of ${count(listed.length)}
          </button>`
        : nothing}
    </div>`;
  }

  private divergence(row: DiffRow, { a, b }: DiffAnswer, at: number, all: number): TemplateResult {
    return html`<section class="first" aria-label="First divergence ${at + 1}">
      <h2>First divergence${all > 1 ? ` ${at + 1} of ${all}` : ""}</h2>
      <p>
        <b>${line(row.aspect)}</b> ${row.name ? namePart(row.name) : nothing}
        ${row.step ? html`of step ${namePart(row.step)}` : nothing}
      </p>
      <div class="sides">
        <div><span class="hint">${namePart(a.label, 48)}</span><div>${this.value(row.a)}</div></div>
        <div><span class="hint">${namePart(b.label, 48)}</span><div>${this.value(row.b)}</div></div>
      </div>
    </section>`;
  }

  private table(rows: DiffRow[], { a, b }: DiffAnswer, divergences: Set<DiffRow>): TemplateResult {
    return html`<div class="scrolls" tabindex="0" role="region" aria-label="Differences">
      <table class="diff">
        <thead>
          <tr>
            <th scope="col">aspect</th><th scope="col">step</th><th scope="col">name</th>
            <th scope="col">${namePart(a.label, 48)}</th><th scope="col">${namePart(b.label, 48)}</th>
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            (row) =>
              html`<tr class="${row.same || row.note ? "same" : "differs"} ${divergences.has(row) ? "earliest" : ""}">
                <td>${line(row.aspect)}</td><td>${row.step ? namePart(row.step, 40) : nothing}</td>
                <th scope="row">${row.name ? namePart(row.name, 60) : nothing}</th>
                <td>${this.value(row.a)}</td><td>${this.value(row.b)}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
  }

  private value(value: DiffRow["a"]): TemplateResult {
    if (value === null || value === undefined) return html`<span class="hint">not there</span>`;
    return typeof value === "string" && NODE.test(value) ? html`<a href=${addressOfKey(value)}>${value}</a>` : valuePart(value);
  }

  private side({ key, label }: { key: string; label: string }): TemplateResult {
    return html`<a href=${addressOfKey(key, this.args["pipeline"])}>${namePart(label, 60)}</a>`;
  }
}
