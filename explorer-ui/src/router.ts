/** Where the page is: in the browser's address, or, within a notebook, in a history of its own. */

import { parseAddress, type Address } from "./address.ts";

export interface Router {
  readonly address: Address;
  readonly fragment: string;
  /** Whether the browser's own back and forward buttons move through the views. */
  readonly usesBrowserHistory: boolean;
  go(fragment: string, options?: { replace?: boolean }): void;
  back(): void;
  forward(): void;
  onChange(listener: () => void): void;
  stop(): void;
}

abstract class Base implements Router {
  abstract readonly usesBrowserHistory: boolean;
  abstract get fragment(): string;
  abstract go(fragment: string, options?: { replace?: boolean }): void;
  abstract back(): void;
  abstract forward(): void;
  protected listeners: (() => void)[] = [];

  get address(): Address {
    return parseAddress(this.fragment);
  }

  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  stop(): void {
    this.listeners = [];
  }

  protected changed(): void {
    for (const listener of this.listeners) listener();
  }
}

/** The view in the page's fragment: a link leads to it, and the browser's back button undoes. */
export class FragmentRouter extends Base {
  readonly usesBrowserHistory = true;
  private readonly popped = (): void => this.changed();

  constructor(start?: string | null) {
    super();
    if (start && !location.hash) history.replaceState(null, "", start);
    window.addEventListener("popstate", this.popped);
    window.addEventListener("hashchange", this.popped);
  }

  get fragment(): string {
    return location.hash;
  }

  go(fragment: string, { replace = false } = {}): void {
    if (fragment === location.hash) return;
    if (replace) history.replaceState(null, "", fragment);
    else history.pushState(null, "", fragment);
    this.changed();
  }

  back(): void {
    history.back();
  }

  forward(): void {
    history.forward();
  }

  override stop(): void {
    super.stop();
    window.removeEventListener("popstate", this.popped);
    window.removeEventListener("hashchange", this.popped);
  }
}

/** The view in memory, for a notebook, whose address belongs to the notebook. */
export class MemoryRouter extends Base {
  readonly usesBrowserHistory = false;
  private readonly entries: string[];
  private at = 0;

  constructor(start?: string | null) {
    super();
    this.entries = [start ?? "#/"];
  }

  get fragment(): string {
    return this.entries[this.at] ?? "#/";
  }

  go(fragment: string, { replace = false } = {}): void {
    if (fragment === this.fragment) return;
    if (replace) this.entries[this.at] = fragment;
    else this.entries.splice(++this.at, Infinity, fragment);
    this.changed();
  }

  back(): void {
    this.move(-1);
  }

  forward(): void {
    this.move(1);
  }

  private move(by: number): void {
    const to = this.at + by;
    if (to < 0 || to >= this.entries.length) return;
    this.at = to;
    this.changed();
  }
}
