/** The lineage of one node, the paths between two, and the impact of one: scenes that grow. */

import { html, nothing, type TemplateResult } from "lit-html";
import { formatAddress, joined, listed, type Address } from "../address.ts";
import { sceneOf } from "../client.ts";
import type { BigScene } from "../drawing/big_scene_data.ts";
import { impactTable } from "../parts/impact_table.ts";
import { errorPart, waitingPart } from "../parts/marks.ts";
import { Question } from "../parts/question.ts";
import { ScenePane } from "../parts/scene_pane.ts";
import { VirtualTable } from "../parts/virtual_table.ts";
import type { ImpactAnswer, Params, Scene } from "../protocol.ts";
import { line } from "../text.ts";
import { View } from "./view.ts";

const DIRECTIONS = ["upstream", "both", "downstream"] as const;
const HOPS = ["1", "2", "3", "4", "6", "10", "all"];
const FOLDS = [
  ["none", "nothing"],
  ["repeats", "repeats"],
  ["run", "runs"],
  ["pipeline", "pipelines"],
  ["type", "types"],
] as const;
const SWITCHES = [
  ["internal", "Internals", "Show what the platform made for itself"],
  ["later", "Later", "Follow steps that wrote an artifact again after it was used"],
  ["reuse", "Reuse", "Follow cached steps that passed artifacts on"],
] as const;

interface Found {
  scene: Scene | BigScene;
  rows?: ImpactAnswer["rows"];
}

export class LineageView extends View {
  private readonly found = new Question<Found>(this.app.update);
  private readonly rows = new VirtualTable<ImpactAnswer["rows"][number]>();
  private readonly pane = new ScenePane(this.app, {
    expand: (id, side) => this.expand(side === "both" ? id : `${side}:${id}`, id),
    open: (key) => this.app.go(formatAddress("lineage", key, this.settings())),
  });
  private address: Address = { view: "lineage", name: "", args: {} };
  private label = "";
  private anchor: string | null = null;

  get title(): string {
    const { view, name, args } = this.address;
    if (view === "path") return `Path from ${args["from"] ?? ""} to ${args["to"] ?? ""}`;
    const what = this.label ? `${this.label} (${name})` : name;
    return view === "impact" ? `Impact of ${what}` : `Lineage of ${what}`;
  }

  override get trail(): { label: string; href: string }[] {
    return [{ label: this.title, href: "" }];
  }

  arrive(address: Address): void {
    this.address = address;
    const { view, name, args } = address;
    const params = this.params();
    const ask = (signal: AbortSignal): Promise<Found> => this.asked(params, signal);
    this.found.ask(JSON.stringify([view, params]), ask, ({ scene }) => {
      if (!("x" in scene)) {
        const focus = scene.nodes.find((node) => node.id === scene.focus || node.key === name);
        if (focus && view !== "path") this.label = line(focus.label);
      }
      this.pane.show(scene, this.title, this.anchor);
      this.anchor = null;
    });
    if (args["select"] !== undefined || this.found.answer) this.pane.arrive();
  }

  override stop(): void {
    this.found.stop();
    this.pane.stop();
    this.rows.stop();
  }

  override coloured(): void {
    this.pane.coloured();
  }

  override pressed(key: string): boolean {
    return this.pane.pressed(key);
  }

  override rendered(): void {
    this.pane.rendered();
    const rows = this.found.answer?.rows;
    if (rows && this.isRowsShown) this.rows.show(impactTable(rows));
  }

  render(): TemplateResult {
    const { answer, error, loading } = this.found;
    const isRows = this.isRowsShown && answer?.rows;
    return html`<div class="work">
      <div class="toolbar" role="toolbar" aria-label="What is shown">
        ${this.address.view === "lineage" ? this.controls() : this.otherTools(answer)} ${this.pane.tools()}
      </div>
      ${errorPart(error)}
      ${answer
        ? isRows
          ? html`<div class="fill">${this.rows.element}</div>`
          : this.pane.render(loading)
        : error
          ? nothing
          : waitingPart("Asking the store")}
    </div>`;
  }

  private get isRowsShown(): boolean {
    return this.address.view === "impact" && this.address.args["rows"] === "1";
  }

  private async asked(params: Params, signal: AbortSignal): Promise<Found> {
    const { client } = this.app;
    const { view } = this.address;
    if (view === "impact") {
      const { scene, rows } = await client.ask("impact", params, signal);
      return { scene: await sceneOf(client, "impact", params, scene, signal), rows };
    }
    const method = view === "path" ? "path" : "lineage";
    return { scene: await sceneOf(client, method, params, await client.ask(method, params, signal), signal) };
  }

  private params(): Params {
    const { view, name, args } = this.address;
    const fold = FOLDS.map(([name]) => name).find((known) => known === args["fold"]) ?? "repeats";
    if (view === "path") return { from: args["from"], to: args["to"], fold, expand: expandOf(args) };
    if (view === "impact") return { key: name, fold, expand: expandOf(args) };
    const hops = args["hops"] ?? "2";
    return {
      key: name,
      direction: DIRECTIONS.find((known) => known === args["direction"]) ?? "both",
      hops: hops === "all" ? null : Number(hops) || 2,
      fold,
      internal: args["internal"] === "1" || null,
      later: args["later"] === "1" || null,
      reuse: args["reuse"] === "1" || null,
      expand: expandOf(args),
    };
  }

  /** What stays when one goes on from another node. */
  private settings(): Record<string, string | undefined> {
    const { direction, hops, fold, internal, later, reuse } = this.address.args;
    return { direction, hops, fold, internal, later, reuse };
  }

  private expand(id: string, anchor: string): void {
    const expanded = listed(this.address.args["expand"]);
    const rest = expanded.filter((some) => some !== id);
    this.anchor = anchor;
    this.app.setArgs({ expand: joined(rest.length < expanded.length ? rest : [...expanded, id]) });
  }

  private controls(): TemplateResult {
    const { args } = this.address;
    const direction = args["direction"] ?? "both";
    const set = (key: string, value: string | null): void => this.app.setArgs({ [key]: value, select: null });
    return html`<div class="segments" role="group" aria-label="Direction">
        ${DIRECTIONS.map(
          (name) =>
            html`<button aria-pressed=${name === direction} @click=${() => set("direction", name === "both" ? null : name)}>
              ${name}
            </button>`,
        )}
      </div>
      <label class="choice"
        >Hops
        <select .value=${args["hops"] ?? "2"} @change=${(event: Event) => set("hops", (event.target as HTMLSelectElement).value)}>
          ${HOPS.map((hops) => html`<option value=${hops} ?selected=${hops === (args["hops"] ?? "2")}>${hops === "all" ? "to the ends" : hops}</option>`)}
        </select></label
      >
      ${this.folding()}
      ${SWITCHES.map(
        ([key, name, title]) =>
          html`<label class="switch" title=${title}
            ><input type="checkbox" .checked=${args[key] === "1"} @change=${(event: Event) => set(key, (event.target as HTMLInputElement).checked ? "1" : null)} />${name}</label
          >`,
      )}
      ${args["expand"] ? html`<button @click=${() => this.app.setArgs({ expand: null })}>Collapse</button>` : nothing}
      <a class="button" href=${formatAddress("impact", this.address.name)}>Impact</a>`;
  }

  private folding(): TemplateResult {
    const shown = this.address.args["fold"] ?? "repeats";
    return html`<label class="choice"
      >Fold
      <select @change=${(event: Event) => this.app.setArgs({ fold: (event.target as HTMLSelectElement).value, select: null })}>
        ${FOLDS.map(([fold, name]) => html`<option value=${fold} ?selected=${fold === shown}>${name}</option>`)}
      </select></label
    >`;
  }

  private otherTools(answer: Found | null): TemplateResult {
    const { view, args, name } = this.address;
    if (view === "impact") {
      return html`<a class="button" href=${formatAddress("lineage", name)}>Lineage</a>${this.folding()}
        ${answer?.rows
          ? html`<button aria-pressed=${this.isRowsShown} @click=${() => this.app.setArgs({ rows: this.isRowsShown ? null : 1 })}>
              List of ${answer.rows.length}
            </button>`
          : nothing}`;
    }
    return html`<a class="button" href=${formatAddress("path", "", { from: args["to"], to: args["from"] })}>Turn round</a>${this.folding()}
      ${["from", "to"].map((end) => html`<a class="button" href=${formatAddress("lineage", args[end] ?? "")}>${args[end]}</a>`)}`;
  }
}

function expandOf(args: Record<string, string>): string[] | null {
  const some = listed(args["expand"]);
  return some.length ? some : null;
}
