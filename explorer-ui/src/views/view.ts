/** What each view of the page is. */

import type { TemplateResult } from "lit-html";
import type { Address } from "../address.ts";
import type { App } from "../app.ts";

export abstract class View {
  constructor(protected readonly app: App) {}

  abstract get title(): string;

  /** The links that lead to this view from the store, itself the last. */
  get trail(): { label: string; href: string }[] {
    return [];
  }

  /** Show an address: of the same view and name as before, or the first one. */
  abstract arrive(address: Address): void;
  abstract render(): TemplateResult;

  /** After each rendering, for what is not rendered but drawn. */
  rendered(): void {
    // Most views draw nothing.
  }

  /** The colours changed. */
  coloured(): void {
    // Most views take their colours from the style sheet.
  }

  /** A key was pressed outside of any input; true where the view did something. */
  pressed(_key: string): boolean {
    return false;
  }

  stop(): void {
    // Most views hold nothing.
  }
}
