/** What the store holds: counts, platforms, pipelines with their last runs, findings. */

import { html, nothing, type TemplateResult } from "lit-html";
import { formatAddress, runAddress } from "../address.ts";
import type { App } from "../app.ts";
import { errorPart, namePart, statusPart, waitingPart } from "../parts/marks.ts";
import { Question } from "../parts/question.ts";
import type { Finding, Overview, PipelineSummary, RunSummary } from "../protocol.ts";
import { count, counted, duration, line, moment, numeral, shortType } from "../text.ts";
import { View } from "./view.ts";

const SHOWN = 200;
const SEVERITIES = ["error", "warning", "note"];

export class OverviewView extends View {
  private readonly found = new Question<Overview>(this.app.update);
  private filter = "";
  private shown = SHOWN;

  get title(): string {
    return this.found.answer?.store ?? "Store";
  }

  arrive(): void {
    this.found.ask("overview", (signal) => this.app.client.ask("overview", {}, signal));
  }

  override stop(): void {
    this.found.stop();
  }

  render(): TemplateResult {
    const { answer, error } = this.found;
    if (!answer) return html`<div class="page">${errorPart(error)}${error ? nothing : waitingPart("Reading the store")}</div>`;
    return html`<div class="page">
      <h1>${namePart(answer.store, 200)}</h1>
      ${answer.complete ? nothing : html`<p class="bound">Not complete: ${line(answer.said)}</p>`}
      ${answer.start
        ? html`<p class="actions"><a class="button" href=${formatAddress("lineage", answer.start, { hops: "all" })}>Lineage of ${answer.start}</a></p>`
        : nothing}
      <dl class="tiles">
        ${Object.entries(answer.kinds).map(
          ([kind, number]) => html`<div class="tile ${kind}"><dt>${kind}</dt><dd>${count(number)}</dd></div>`,
        )}
      </dl>
      ${answer.platforms.length ? this.platforms(answer) : nothing}
      ${answer.start === undefined ? this.pipelines(answer.pipelines) : nothing} ${this.types(answer)}
      ${answer.start === undefined ? this.findings(answer.findings) : nothing}
    </div>`;
  }

  private platforms({ platforms }: Overview): TemplateResult {
    const names = platforms.map((platform) => (typeof platform === "string" ? platform : platform.name));
    return html`<p class="chips">Written by ${names.map((name) => html`<span class="chip">${namePart(name)}</span>`)}</p>`;
  }

  private pipelines(all: PipelineSummary[]): TemplateResult {
    const wanted = this.filter.toLowerCase();
    const some = all.filter(({ name }) => name.toLowerCase().includes(wanted));
    return html`<section aria-label="Pipelines">
      <div class="heading">
        <h2>Pipelines <span class="hint">${count(all.length)}</span></h2>
        ${all.length > 8
          ? html`<input
              type="search"
              placeholder="Filter pipelines"
              aria-label="Filter pipelines by name"
              .value=${this.filter}
              @input=${(event: Event) => {
                this.filter = (event.target as HTMLInputElement).value;
                this.app.update();
              }}
            />`
          : nothing}
      </div>
      ${all.length
        ? html`<ul class="pipelines">
            ${some.slice(0, this.shown).map((pipeline) => this.pipeline(pipeline))}
          </ul>`
        : html`<p class="hint">No pipeline was found. The search finds artifacts and executions all the same.</p>`}
      ${some.length > this.shown
        ? html`<button
            @click=${() => {
              this.shown += SHOWN;
              this.app.update();
            }}
          >
            Show more of ${count(some.length)}
          </button>`
        : nothing}
    </section>`;
  }

  private pipeline(pipeline: PipelineSummary): TemplateResult {
    const [latest] = pipeline.last;
    return html`<li class="pipeline">
      <a class="title" href=${formatAddress("pipeline", pipeline.name)}>${namePart(pipeline.name, 80)}</a>
      <span class="hint">${counted(pipeline.runs, "run")}${pipeline.platform ? ` · ${line(pipeline.platform)}` : ""}</span>
      ${runBars(this.app, pipeline)}
      ${latest
        ? html`<span class="latest"
            ><a href=${runAddress(latest.name, latest.key, pipeline.name)} title="The last run: ${line(latest.name)}">${statusPart(latest.status)}</a
            ><span>${duration(latest.duration)}</span
            ><span class="hint">${moment(latest.start).slice(0, 16)}</span>${latest.metric
              ? html`<span class="metric">${namePart(latest.metric.name, 24)} <b>${numeral(latest.metric.value)}</b></span>`
              : nothing}</span
          >`
        : nothing}
    </li>`;
  }

  private types({ types }: Overview): TemplateResult | typeof nothing {
    if (!types?.length) return nothing;
    return html`<section aria-label="Types">
      <h2>Types</h2>
      <ul class="types">
        ${types.map(
          ({ name, kind, count: number }) =>
            html`<li>
              <a class="kind ${kind}" href=${formatAddress("search", "", { text: name })}>${namePart(shortType(name), 40)}</a>
              <span class="hint">${count(number)}</span>
            </li>`,
        )}
      </ul>
    </section>`;
  }

  private findings(findings: Finding[]): TemplateResult {
    const rank = (finding: Finding): number => SEVERITIES.indexOf(finding.severity.toLowerCase());
    const ordered = [...findings].sort((one, other) => rank(one) - rank(other) || other.count - one.count);
    return html`<section aria-label="Findings">
      <h2>Findings <span class="hint">${count(findings.length)}</span></h2>
      ${ordered.length
        ? html`<ul class="findings">
            ${ordered.map(
              (finding) =>
                html`<li>
                  <span class="severity ${finding.severity.toLowerCase()}">${line(finding.severity)}</span>
                  <span><code>${line(finding.code)}</code> <bdi>${line(finding.message)}</bdi></span>
                  <span class="hint">${count(finding.count)}</span>
                </li>`,
            )}
          </ul>`
        : html`<p class="hint">The checks found nothing.</p>`}
    </section>`;
  }
}

/**
 * The last runs as bars, the newest to the right: height says the duration, colour the status. A
 * click opens a run; for keys there is the pipeline's own table.
 */
function runBars(app: App, { name, last }: PipelineSummary): TemplateResult {
  const longest = Math.max(1, ...last.map((run) => run.duration ?? 0));
  const label = `The last ${counted(last.length, "run")}: ${last.map((run) => run.status ?? "unknown").join(", ")}`;
  return html`<span class="bars" role="img" aria-label=${label}>
    ${[...last].reverse().map(
      (run) =>
        html`<span class="bar ${run.status ?? "unknown"}" title=${spoken(run)} @click=${() => app.go(runAddress(run.name, run.key, name))}
          ><span .style=${`height: ${Math.round(6 + (20 * (run.duration ?? 0)) / longest)}px`}></span
        ></span>`,
    )}
  </span>`;
}

function spoken(run: RunSummary): string {
  return [line(run.name), run.status ?? "", duration(run.duration), moment(run.start)].filter(Boolean).join(", ");
}
