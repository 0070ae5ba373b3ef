/** A pipeline: its runs as a table, its metrics over time, two runs to compare. */

import { html, nothing, type TemplateResult } from "lit-html";
import { formatAddress, joined, listed, runAddress, type Address } from "../address.ts";
import { MetricCharts } from "../parts/chart.ts";
import { errorPart, namePart, statusPart, valuePart, waitingPart } from "../parts/marks.ts";
import { Question } from "../parts/question.ts";
import { VirtualTable, type TableColumn } from "../parts/virtual_table.ts";
import type { Column, MetricsAnswer, Params, PipelineAnswer, RunRow, Value } from "../protocol.ts";
import { counted, duration, line, moment, printable, shortened, valueText } from "../text.ts";
import { View } from "./view.ts";

const PAGE = 200;
const PAUSE = 200;
const GROUPS = ["run", "metric", "parameter", "input"];

export class PipelineView extends View {
  private name = "";
  private args: Record<string, string> = {};
  private readonly first = new Question<PipelineAnswer>(this.app.update);
  private readonly metrics = new Question<MetricsAnswer>(this.app.update);
  private readonly table = new VirtualTable<RunRow>();
  private readonly charts = new MetricCharts((run) => this.app.go(formatAddress("run", run, { pipeline: this.name })));
  private pages = new Map<number, RunRow[] | null>();
  private asked = "";
  private timer: ReturnType<typeof setTimeout> | null = null;
  private withdrawn = new AbortController();

  get title(): string {
    return this.name;
  }

  override get trail(): { label: string; href: string }[] {
    return [{ label: this.name, href: "" }];
  }

  arrive({ name, args }: Address): void {
    this.name = name;
    this.args = args;
    const params = this.params();
    const key = JSON.stringify(params);
    if (key !== this.asked) {
      this.asked = key;
      this.withdrawn.abort();
      this.withdrawn = new AbortController();
      this.first.ask(
        key,
        (signal) => this.app.client.ask("pipeline", { ...params, offset: 0, limit: PAGE }, signal),
        ({ rows }) => {
          this.pages = new Map([[0, rows]]);
        },
      );
    }
    this.metrics.ask(
      name,
      (signal) => this.app.client.ask("metrics", { name }, signal),
      ({ metrics }) => requestAnimationFrame(() => this.charts.show(metrics)),
    );
  }

  override stop(): void {
    this.first.stop();
    this.metrics.stop();
    this.withdrawn.abort();
    this.table.stop();
    this.charts.stop();
  }

  override coloured(): void {
    this.charts.draw();
  }

  render(): TemplateResult {
    const { answer, error, loading } = this.first;
    const picked = this.picked;
    const metrics = this.metrics.answer && Object.keys(this.metrics.answer.metrics).length > 0;
    return html`<div class="page wide">
      <div class="heading">
        <h1>${namePart(this.name)}</h1>
        ${answer ? html`<span class="hint">${this.args["filter"] ? `${counted(answer.total, "run")} of this filter` : counted(answer.total, "run")}</span>` : nothing}
      </div>
      ${metrics
        ? html`<details class="panel" ?open=${this.args["charts"] !== "0"} @toggle=${this.toggledCharts}>
            <summary><h2>Metrics over time</h2></summary>
            ${this.charts.element}
          </details>`
        : nothing}
      <div class="toolbar" role="toolbar" aria-label="The table of runs">
        <input
          type="search"
          aria-label="Filter runs"
          placeholder="Filter runs: names, values"
          dir="auto"
          .value=${this.args["filter"] ?? ""}
          @input=${this.filtered}
        />
        <label class="switch"
          ><input type="checkbox" .checked=${this.isChangingOnly} @change=${() => this.app.setArgs({ changing: this.isChangingOnly ? null : 1 }, { replace: true })} />Only what
          changes</label
        >
        <button class="primary" ?disabled=${picked.length !== 2} @click=${this.compare} title="Tick two runs, or press Space on them">
          Compare ${picked.length === 2 ? "" : `(${picked.length} of 2 ticked)`}
        </button>
        ${loading ? html`<span class="hint" role="status">asking the store</span>` : nothing}
      </div>
      ${errorPart(error)} ${answer ? html`<div class="runs">${this.table.element}</div>` : error ? nothing : waitingPart("Reading the runs")}
      ${answer?.said ? html`<p class="hint">${line(answer.said)}</p>` : nothing}
    </div>`;
  }

  override rendered(): void {
    const { answer } = this.first;
    if (!answer) return;
    const shown = answer.columns
      .filter(({ key, group }) => group === "run" || !this.isChangingOnly || answer.changing.includes(key))
      .sort((one, other) => GROUPS.indexOf(one.group) - GROUPS.indexOf(other.group));
    this.table.show({
      label: `Runs of ${line(this.name)}`,
      total: answer.total,
      columns: [this.tick(), ...shown.map((column) => columnOf(column, this.name))],
      row: (number) => this.row(number),
      sort: { key: this.args["sort"] ?? "start", descending: this.args["sort"] ? this.args["down"] === "1" : true },
      onSort: (key) => this.sorted(key),
      onOpen: (row) => this.app.go(runAddress(row.run, row.key, this.name)),
      onToggle: (row) => this.toggle(row),
      isChosen: (row) => this.picked.includes(idOf(row)),
    });
  }

  private get isChangingOnly(): boolean {
    return this.args["changing"] === "1";
  }

  private get picked(): string[] {
    return listed(this.args["picked"]);
  }

  private params(): Params {
    const { sort, down, filter } = this.args;
    return {
      name: this.name,
      sort: sort ? { key: sort, descending: down === "1" } : null,
      filter: filter ?? null,
    };
  }

  private row(number: number): RunRow | null {
    const page = Math.floor(number / PAGE);
    const rows = this.pages.get(page);
    if (rows === undefined && this.pages.size > 0) {
      this.pages.set(page, null);
      const { signal } = this.withdrawn;
      this.app.client.ask("pipeline", { ...this.params(), offset: page * PAGE, limit: PAGE }, signal).then(
        (answer) => {
          if (signal.aborted) return;
          this.pages.set(page, answer.rows);
          this.app.update();
        },
        () => {
          // What did not come is asked for again when it is next in sight.
          if (!signal.aborted) this.pages.delete(page);
        },
      );
    }
    return rows?.[number % PAGE] ?? null;
  }

  private tick(): TableColumn<RunRow> {
    return {
      key: "tick",
      name: "picked",
      label: html`<span class="unseen">to compare</span>`,
      className: "tick",
      isSortable: false,
      cell: (row) =>
        html`<input
          type="checkbox"
          tabindex="-1"
          aria-label="Compare ${line(row.run)}"
          .checked=${this.picked.includes(idOf(row))}
          @change=${() => this.toggle(row)}
        />`,
    };
  }

  private toggle(row: RunRow): void {
    const run = idOf(row);
    const before = this.picked;
    const rest = before.filter((some) => some !== run);
    const now = rest.length < before.length ? rest : [...before.slice(-1), run];
    this.app.setArgs({ picked: joined(now) }, { replace: true });
  }

  private readonly compare = (): void => {
    const [a, b] = this.picked;
    if (a !== undefined && b !== undefined) {
      this.app.go(formatAddress("diff", "", { a: `run:${a}`, b: `run:${b}`, pipeline: this.name }));
    }
  };

  private sorted(key: string): void {
    const descending = this.args["sort"] === key ? this.args["down"] !== "1" : key === "start";
    this.app.setArgs({ sort: key, down: descending ? 1 : null }, { replace: true });
  }

  private readonly filtered = (event: Event): void => {
    const text = (event.target as HTMLInputElement).value;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = setTimeout(() => this.app.setArgs({ filter: text }, { replace: true }), PAUSE);
  };

  private readonly toggledCharts = (event: Event): void => {
    const isOpen = (event.target as HTMLDetailsElement).open;
    if (isOpen === (this.args["charts"] !== "0")) return;
    this.app.setArgs({ charts: isOpen ? null : "0" }, { replace: true });
  };
}

function columnOf({ key, label, kind, group }: Column, pipeline: string): TableColumn<RunRow> {
  const name = key.slice(key.indexOf(".") + 1);
  const isNumber = kind === "number" || kind === "duration";
  const heading = group === "run" ? line(label) : html`<span class="group ${group}">${group}</span> ${namePart(label, 40)}`;
  const column = { key, name: line(label), label: heading, className: isNumber ? "number" : "" };
  if (group !== "run") {
    const groups = { parameter: "parameters", metric: "metrics", input: "inputs" } as const;
    return { ...column, cell: (row) => short(row[groups[group]][name]) };
  }
  switch (key) {
    case "run":
      return {
        ...column,
        cell: (row) => html`<a tabindex="-1" href=${runAddress(row.run, row.key, pipeline)}>${namePart(row.run, 48)}</a>`,
      };
    case "status":
      return { ...column, cell: (row) => statusPart(row.status) };
    case "start":
      return { ...column, cell: (row) => html`<time>${moment(row.start).slice(0, 16)}</time>` };
    case "duration":
      return { ...column, cell: (row) => duration(row.duration) };
    default:
      return { ...column, cell: (row) => short((row as unknown as Record<string, Value>)[key]) };
  }
}

/** What names a run in an address. */
function idOf({ key, run }: RunRow): string {
  return key ?? run;
}

/** A value that fits a cell; the run's own view shows it whole. */
function short(value: Value): TemplateResult | typeof nothing {
  if (value === null || value === undefined) return nothing;
  const text = printable(valueText(value)).replace(/\s+/g, " ");
  if (text.length <= 40) return valuePart(value);
  return html`<bdi class="value" title=${shortened(text, 600)}>${shortened(text, 40)}</bdi>`;
}

