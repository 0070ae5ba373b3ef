/** The search of the header: what it finds shows while one types, arrows choose, Enter opens. */

import { html, nothing, type TemplateResult } from "lit-html";
import { addressOfKey, formatAddress } from "../address.ts";
import type { App } from "../app.ts";
import type { Hit, SearchAnswer } from "../protocol.ts";
import { counted, line, shortType } from "../text.ts";
import { namePart } from "./marks.ts";
import { Question } from "./question.ts";

const PAUSE = 160; // milliseconds without a key before a question is asked
const SHOWN = 12;

/** How many there are: a notebook may show several, whose elements need ids of their own. */
let boxes = 0;

export class SearchBox {
  private readonly id = `mlmd-hits-${++boxes}`;
  private text = "";
  private isOpen = false;
  private at = -1;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private readonly found: Question<SearchAnswer>;

  constructor(private readonly app: App) {
    this.found = new Question(() => this.app.update());
  }

  focus(): void {
    this.input?.focus();
    this.input?.select();
  }

  close(): void {
    this.isOpen = false;
    this.at = -1;
  }

  render(): TemplateResult {
    const hits = this.hits;
    const open = this.isOpen && this.text.trim() !== "";
    return html`<form class="search" role="search" @submit=${this.submitted} @focusout=${this.left}>
      <input
        type="search"
        role="combobox"
        placeholder="Search names, URIs, types"
        aria-label="Search names, URIs and types"
        aria-expanded=${open}
        aria-controls=${this.id}
        aria-autocomplete="list"
        aria-activedescendant=${open && this.at >= 0 ? `${this.id}-${this.at}` : nothing}
        autocomplete="off"
        spellcheck="false"
        dir="auto"
        .value=${this.text}
        @input=${this.typed}
        @keydown=${this.pressed}
        @focus=${() => {
          this.isOpen = true;
          this.app.update();
        }}
      />
      <kbd aria-hidden="true">/</kbd>
      <div class="hits" ?hidden=${!open}>
        <ul id=${this.id} role="listbox" aria-label="Found">
          ${open
            ? hits.map(
                (hit, at) =>
                  html`<li
                    id="${this.id}-${at}"
                    role="option"
                    aria-selected=${at === this.at}
                    @pointerdown=${(event: Event) => event.preventDefault()}
                    @click=${() => this.open(hit)}
                  >
                    ${hitPart(hit)}
                  </li>`,
              )
            : nothing}
        </ul>
        <p class="hint" role="status">${open ? this.said : ""}</p>
      </div>
    </form>`;
  }

  private get input(): HTMLInputElement | null {
    return this.app.root.querySelector(".search input");
  }

  private get hits(): Hit[] {
    return this.found.answer?.hits.slice(0, SHOWN) ?? [];
  }

  private get said(): string {
    if (this.found.error) return line(this.found.error);
    if (this.found.loading || !this.found.answer) return "searching";
    const { total, said } = this.found.answer;
    if (!total) {
      const hint = this.app.client.shell === "page" ? "" : " filter: begins a question in MLMD's filter language.";
      return line(said) || `Nothing was found.${hint}`;
    }
    return [`${counted(total, "hit")}; Enter shows all`, line(said)].filter(Boolean).join("; ");
  }

  private readonly typed = (event: Event): void => {
    this.text = (event.target as HTMLInputElement).value;
    this.isOpen = true;
    this.at = -1;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), PAUSE);
    this.app.update();
  };

  private ask(): void {
    const text = this.text.trim();
    if (!text) {
      this.found.forget();
      return;
    }
    this.found.ask(text, (signal) => this.app.client.ask("search", { text, limit: SHOWN }, signal));
  }

  private readonly pressed = (event: KeyboardEvent): void => {
    const last = this.hits.length - 1;
    if (event.key === "ArrowDown") this.at = Math.min(last, this.at + 1);
    else if (event.key === "ArrowUp") this.at = Math.max(-1, this.at - 1);
    else if (event.key === "Escape") {
      if (!this.isOpen || !this.text) (event.target as HTMLElement).blur();
      this.close();
    } else return;
    event.preventDefault();
    this.app.update();
    this.app.root.querySelector(`#${this.id}-${this.at}`)?.scrollIntoView({ block: "nearest" });
  };

  private readonly submitted = (event: Event): void => {
    event.preventDefault();
    const hit = this.hits[this.at];
    if (hit) this.open(hit);
    else if (this.text.trim()) {
      this.close();
      this.app.go(formatAddress("search", "", { text: this.text.trim() }));
    }
  };

  private readonly left = (event: FocusEvent): void => {
    const form = event.currentTarget as HTMLElement;
    if (event.relatedTarget instanceof Node && form.contains(event.relatedTarget)) return;
    this.close();
    this.app.update();
  };

  private open(hit: Hit): void {
    this.close();
    this.text = "";
    this.input?.blur();
    this.app.go(addressOfKey(hit.key, hit.pipeline));
    this.app.update();
  }
}

/** What is told of something found: its name, type and why it was found. */
export function hitPart(hit: Hit): TemplateResult {
  const kind = hit.kind ?? hit.key.split(/[/:]/)[0] ?? "";
  const number = /\/(\d+)$/.exec(hit.key)?.[1];
  const isNode = (kind === "artifact" || kind === "execution") && hit.label !== `#${number ?? ""}`;
  return html`<span class="kind ${kind}">${kind}</span>
    <span class="what">${namePart(hit.label, 80)} ${isNode && number ? html`<span class="hint">#${number}</span>` : nothing}</span>
    <span class="hint">${hit.type ? namePart(shortType(hit.type), 40) : nothing}</span>
    <span class="why hint">${namePart(hit.why, 80)}</span>`;
}
