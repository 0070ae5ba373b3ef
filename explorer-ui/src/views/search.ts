/** All that a search found. */

import { html, type TemplateResult } from "lit-html";
import { addressOfKey, type Address } from "../address.ts";
import { errorPart, namePart, waitingPart } from "../parts/marks.ts";
import { Question } from "../parts/question.ts";
import { hitPart } from "../parts/search_box.ts";
import type { SearchAnswer } from "../protocol.ts";
import { counted, line } from "../text.ts";
import { View } from "./view.ts";

const SHOWN = 200;

export class SearchView extends View {
  private text = "";
  private readonly found = new Question<SearchAnswer>(this.app.update);

  get title(): string {
    return `Search: ${this.text}`;
  }

  override get trail(): { label: string; href: string }[] {
    return [{ label: "Search", href: "" }];
  }

  arrive({ args }: Address): void {
    const text = args["text"] ?? "";
    this.text = text;
    this.found.ask(text, (signal) => this.app.client.ask("search", { text, limit: SHOWN }, signal));
  }

  override stop(): void {
    this.found.stop();
  }

  render(): TemplateResult {
    const { answer, error } = this.found;
    return html`<div class="page">
      <h1>Search: ${namePart(this.text)}</h1>
      ${errorPart(error)}
      ${answer
        ? html`<p class="hint">
              ${answer.total > answer.hits.length
                ? `The first ${answer.hits.length} of ${counted(answer.total, "hit")}.`
                : `${counted(answer.total, "hit")}.`}
              ${line(answer.said)}
            </p>
            <ul class="found">
              ${answer.hits.map((hit) => html`<li><a href=${addressOfKey(hit.key, hit.pipeline)}>${hitPart(hit)}</a></li>`)}
            </ul>`
        : error
          ? ""
          : waitingPart("Searching the store")}
    </div>`;
  }
}
