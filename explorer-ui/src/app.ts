/** The page around the views: header, search, the view itself, help, About. */

import { html, nothing, render, type TemplateResult } from "lit-html";
import { formatAddress, type Address } from "./address.ts";
import { CountingClient, type Client } from "./client.ts";
import { aboutDialog, keysDialog } from "./parts/dialogs.ts";
import { namePart } from "./parts/marks.ts";
import { SearchBox } from "./parts/search_box.ts";
import { Theme } from "./parts/theme.ts";
import type { Licence } from "./protocol.ts";
import type { Router } from "./router.ts";
import { line } from "./text.ts";
import { DiffView } from "./views/diff.ts";
import { LineageView } from "./views/lineage.ts";
import { OverviewView } from "./views/overview.ts";
import { PipelineView } from "./views/pipeline.ts";
import { RunView } from "./views/run.ts";
import { SearchView } from "./views/search.ts";
import type { View } from "./views/view.ts";

/** A node that was put aside, to ask about it and another. */
export interface Picked {
  key: string;
  label: string;
}

export class App {
  readonly client: Client;
  picked: Picked | null = null;
  private view: View | null = null;
  private at: Address | null = null;
  private licences: Licence[] | null = null;
  private scheduled = false;
  private stopped = false;
  private readonly search: SearchBox;
  private readonly theme: Theme;
  private readonly says = document.createElement("div");

  constructor(
    readonly root: HTMLElement,
    client: Client,
    readonly router: Router,
    private readonly title: string | null = null,
  ) {
    this.client = new CountingClient(client, (waiting) => (root.dataset["waiting"] = String(waiting)));
    root.classList.add("mlmd-explorer", client.shell);
    this.theme = new Theme(root, () => this.coloured());
    this.search = new SearchBox(this);
    this.says.className = "unseen";
    this.says.setAttribute("role", "status");
    router.onChange(() => this.arrived());
    root.addEventListener("keydown", this.pressed);
    if (client.shell !== "widget") document.addEventListener("keydown", this.pressed);
    root.addEventListener("click", this.followed);
    this.arrived();
  }

  stop(): void {
    this.stopped = true;
    this.view?.stop();
    this.router.stop();
    this.theme.stop();
    document.removeEventListener("keydown", this.pressed);
    this.root.removeEventListener("keydown", this.pressed);
    this.root.removeEventListener("click", this.followed);
    render(nothing, this.root);
  }

  get isDark(): boolean {
    return this.theme.isDark;
  }

  go(fragment: string, options?: { replace?: boolean }): void {
    this.router.go(fragment, options);
  }

  /** Change arguments of the address that is shown. */
  setArgs(args: Record<string, string | number | boolean | null | undefined>, options?: { replace?: boolean }): void {
    const { view, name, args: before } = this.router.address;
    this.go(formatAddress(view, name, { ...before, ...args }), options);
  }

  pick(picked: Picked | null): void {
    this.picked = picked;
    this.update();
  }

  /** Say something to those who do not see the page. */
  say(text: string): void {
    this.says.textContent = text;
  }

  /** Render soon; several calls render once. */
  update = (): void => {
    if (this.scheduled || this.stopped) return;
    this.scheduled = true;
    queueMicrotask(() => {
      this.scheduled = false;
      if (!this.stopped) this.render();
    });
  };

  private arrived(): void {
    const address = this.router.address;
    const same = this.at?.view === address.view && this.at.name === address.name;
    this.at = address;
    if (!same || !this.view) {
      this.view?.stop();
      this.view = this.viewOf(address);
      this.search.close();
      if (this.root.firstElementChild) this.root.querySelector<HTMLElement>(".view")?.focus({ preventScroll: true });
    }
    this.view.arrive(address);
    this.update();
  }

  private viewOf(address: Address): View {
    switch (address.view) {
      case "overview":
        return new OverviewView(this);
      case "pipeline":
        return new PipelineView(this);
      case "run":
        return new RunView(this);
      case "lineage":
      case "path":
      case "impact":
        return new LineageView(this);
      case "diff":
        return new DiffView(this);
      case "search":
        return new SearchView(this);
    }
  }

  private coloured(): void {
    this.view?.coloured();
    this.update();
  }

  private render(): void {
    const view = this.view;
    if (!view) return;
    if (this.client.shell !== "widget") document.title = `${line(view.title)} · mlmd_lineage`;
    render(
      html`
        <header class="top">
          <a class="brand" href="#/" title="The whole store"
            ><svg viewBox="0 0 28 16" width="28" height="16" aria-hidden="true">
              <path class="wire" d="M8 8h12M8 8c6 0 5-5 12-5M8 8c6 0 5 5 12 5" />
              <circle class="one" cx="5" cy="8" r="3.5" /><circle class="two" cx="22.500" cy="3" r="2.200" />
              <circle class="two" cx="22.500" cy="8" r="2.200" /><circle class="two" cx="22.500" cy="13" r="2.200" /></svg
            ><span>mlmd_lineage</span></a
          >
          ${this.router.usesBrowserHistory
            ? nothing
            : html`<button class="plain" aria-label="Back" title="Back" @click=${() => this.router.back()}>‹</button
                ><button class="plain" aria-label="Forward" title="Forward" @click=${() => this.router.forward()}>›</button>`}
          ${this.search.render()}
          <nav class="tools" aria-label="Settings and help">
            <button class="plain" aria-label="Colours: ${this.theme.name}" title="Colours: ${this.theme.name}" @click=${() => this.theme.next()}>
              ${this.theme.icon}
            </button>
            <button class="plain" aria-label="Keys" title="Keys (?)" @click=${() => this.showDialog("keys")}>?</button>
            <button class="plain" aria-label="About" title="About" @click=${() => this.showDialog("about")}>i</button>
          </nav>
        </header>
        ${this.trail(view)}
        <main class="view of-${this.at?.view ?? ""}" tabindex="-1" aria-label=${line(view.title)}>${view.render()}</main>
        ${keysDialog()} ${aboutDialog(this.licences)} ${this.says}
      `,
      this.root,
    );
    view.rendered();
  }

  private trail(view: View): TemplateResult {
    const picked = this.picked;
    return html`<div class="trail">
      <nav aria-label="Where this is">
        <ol>
          ${[{ label: this.title ?? "Store", href: "#/" }, ...view.trail].map(
            ({ label, href }, at, all) =>
              html`<li>
                ${at === all.length - 1
                  ? html`<span aria-current="page">${namePart(label, 48)}</span>`
                  : html`<a href=${href}>${namePart(label, 48)}</a>`}
              </li>`,
          )}
        </ol>
      </nav>
      ${picked
        ? html`<span class="picked"
            >picked: ${namePart(picked.label, 32)}
            <button class="plain" aria-label="Put back ${line(picked.label)}" @click=${() => this.pick(null)}>×</button></span
          >`
        : nothing}
    </div>`;
  }

  showDialog(name: "keys" | "about"): void {
    this.root.querySelector<HTMLDialogElement>(`dialog.${name}`)?.showModal();
    if (name === "about" && !this.licences) {
      void this.client.licences().then(
        (found) => {
          this.licences = found;
          this.update();
        },
        () => undefined,
      );
    }
  }

  private readonly followed = (event: MouseEvent): void => {
    const target = event.target instanceof Element ? event.target.closest("a[href^='#/']") : null;
    const href = target?.getAttribute("href");
    if (!href || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
    // Links within a notebook must not change the notebook's address.
    event.preventDefault();
    this.go(href);
  };

  private readonly pressed = (event: KeyboardEvent): void => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target instanceof HTMLElement ? event.target : null;
    if (target?.closest("input, select, textarea, dialog")) return;
    if (event.key === "/") this.search.focus();
    else if (event.key === "?") this.showDialog("keys");
    else if (!this.view?.pressed(event.key)) return;
    event.preventDefault();
  };
}
