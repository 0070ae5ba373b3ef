/** A run: its steps as a graph or on a time axis, its parameters and metrics. */

import { html, nothing, type TemplateResult } from "lit-html";
import { formatAddress, joined, listed, type Address } from "../address.ts";
import { detailsPart } from "../parts/details.ts";
import { ganttPart } from "../parts/gantt.ts";
import { errorPart, namePart, statusPart, valuePart, waitingPart } from "../parts/marks.ts";
import { Question } from "../parts/question.ts";
import { ScenePane } from "../parts/scene_pane.ts";
import type { NodeAnswer, Params, RunAnswer, Scene, Value } from "../protocol.ts";
import { count, counted, duration, line, moment } from "../text.ts";
import { View } from "./view.ts";

interface Found {
  run: RunAnswer;
  scene: Scene;
}

export class RunView extends View {
  private address: Address = { view: "run", name: "", args: {} };
  private readonly found = new Question<Found>(this.app.update);
  private readonly node = new Question<NodeAnswer>(this.app.update);
  private anchor: string | null = null;
  private readonly pane = new ScenePane(this.app, {
    expand: (id) => this.expand(id),
    open: (key) => this.app.go(formatAddress("lineage", key)),
  });

  get title(): string {
    return `Run ${this.found.answer?.run.run ?? this.address.name}`;
  }

  override get trail(): { label: string; href: string }[] {
    const { name, args } = this.address;
    const pipeline = args["pipeline"] ?? this.found.answer?.run.pipeline;
    const before = pipeline ? [{ label: pipeline, href: formatAddress("pipeline", pipeline) }] : [];
    return [...before, { label: this.found.answer?.run.run ?? name, href: "" }];
  }

  arrive(address: Address): void {
    this.address = address;
    const { client } = this.app;
    const params = this.params();
    const ask = async (signal: AbortSignal): Promise<Found> => {
      const run = await client.ask("run", params, signal);
      return { run, scene: run.scene };
    };
    this.found.ask(JSON.stringify(params), ask, ({ scene }) => {
      this.pane.show(scene, this.title, this.anchor);
      this.anchor = null;
    });
    if (this.isTimes) {
      const key = this.selectedStep;
      if (key) this.node.ask(key, (signal) => client.ask("node", { key }, signal));
      else this.node.forget();
    } else if (this.found.answer) {
      this.pane.arrive();
    }
  }

  override stop(): void {
    this.found.stop();
    this.node.stop();
    this.pane.stop();
  }

  override coloured(): void {
    this.pane.coloured();
  }

  override pressed(key: string): boolean {
    if (!this.isTimes) return this.pane.pressed(key);
    if (key !== "Escape") return false;
    this.choose(null);
    return true;
  }

  override rendered(): void {
    if (!this.isTimes) this.pane.rendered();
  }

  render(): TemplateResult {
    const { answer, error, loading } = this.found;
    if (!answer) return html`<div class="page">${errorPart(error)}${error ? nothing : waitingPart("Reading the run")}</div>`;
    const { run } = answer;
    return html`<div class="work">
      <div class="summary">
        <h1>${namePart(run.run)}</h1>
        ${statusPart(run.status)} ${run.duration ? html`<span>${duration(run.duration)}</span>` : nothing}
        ${run.start ? html`<span class="hint">${moment(run.start)} UTC</span>` : nothing}
        <span class="hint">${counted(run.steps.length, "step")}</span>
        ${valuesPart("Parameters", run.parameters)} ${valuesPart("Metrics", run.metrics)}
      </div>
      <div class="toolbar" role="toolbar" aria-label="What is shown">
        <div class="segments" role="group" aria-label="View">
          <button aria-pressed=${!this.isTimes} @click=${() => this.show(null)}>Graph</button
          ><button aria-pressed=${this.isTimes} @click=${() => this.show("times")}>Times</button>
        </div>
        ${this.isTimes
          ? nothing
          : html`<label class="switch" title="Show the steps inside of nested DAGs and loops"
                ><input type="checkbox" .checked=${this.address.args["fold"] === "none"} @change=${this.unfold} />Unfold all</label
              >
              ${this.address.args["expand"] ? html`<button @click=${() => this.app.setArgs({ expand: null })}>Collapse</button>` : nothing}
              ${this.pane.tools()}`}
      </div>
      ${errorPart(error)} ${this.isTimes ? this.times(run) : this.pane.render(loading)}
    </div>`;
  }

  private times(run: RunAnswer): TemplateResult {
    const selected = this.selectedStep;
    return html`<div class="pane ${selected ? "with-details" : ""}">
      <div class="stage scrolls">${ganttPart(run.steps, selected, (key) => this.choose(key === selected ? null : key))}</div>
      ${selected ? detailsPart(this.app, null, this.node, { close: () => this.choose(null) }) : nothing}
    </div>`;
  }

  private get isTimes(): boolean {
    return this.address.args["show"] === "times";
  }

  private get selectedStep(): string | null {
    const id = this.address.args["select"];
    return id?.startsWith("execution/") ? id : null;
  }

  private params(): Params {
    const { name, args } = this.address;
    const expand = listed(args["expand"]);
    return {
      name,
      pipeline: args["pipeline"] ?? null,
      fold: args["fold"] === "none" ? "none" : null,
      expand: expand.length ? expand : null,
    };
  }

  private show(show: string | null): void {
    this.app.setArgs({ show });
  }

  private choose(id: string | null): void {
    this.app.setArgs({ select: id }, { replace: true });
  }

  private readonly unfold = (event: Event): void => {
    this.app.setArgs({ fold: (event.target as HTMLInputElement).checked ? "none" : null, expand: null });
  };

  private expand(id: string): void {
    const before = listed(this.address.args["expand"]);
    const rest = before.filter((some) => some !== id);
    this.anchor = id;
    this.app.setArgs({ expand: joined(rest.length < before.length ? rest : [...before, id]) });
  }
}

function valuesPart(title: string, values: Record<string, Value> | null | undefined): TemplateResult | typeof nothing {
  const entries = Object.entries(values ?? {});
  if (!entries.length) return nothing;
  return html`<details class="values">
    <summary>${title} <span class="hint">${count(entries.length)}</span></summary>
    <dl class="properties">
      ${entries.map(([name, value]) => html`<div><dt>${line(name)}</dt><dd>${valuePart(value)}</dd></div>`)}
    </dl>
  </details>`;
}
