/** A table of which only the rows in sight are in the page: sortable, and usable with keys. */

import { html, nothing, render, type TemplateResult } from "lit-html";
import { html as element } from "../drawing/elements.ts";

export interface TableColumn<R> {
  key: string;
  label: TemplateResult | string;
  /** What the column is called where no markup can be. */
  name: string;
  className?: string;
  isSortable?: boolean;
  cell: (row: R) => TemplateResult | string | typeof nothing;
}

export interface TableOptions<R> {
  label: string;
  columns: TableColumn<R>[];
  total: number;
  /** The row of a number; null where it is still on its way. */
  row: (number: number) => R | null;
  sort?: { key: string; descending: boolean } | null;
  onSort?: (key: string) => void;
  onOpen?: (row: R) => void;
  onToggle?: (row: R) => void;
  /** The rows in sight, from the first to the one after the last. */
  onShown?: (first: number, end: number) => void;
  isChosen?: (row: R) => boolean;
}

const ROW = 34; // pixels; the style sheet says the same
const BEYOND = 8;

export class VirtualTable<R> {
  readonly element: HTMLElement;
  private options: TableOptions<R> | null = null;
  private active = 0;
  private isFocusWanted = false;
  private readonly resized: ResizeObserver;

  constructor() {
    this.element = element("div", "table");
    this.element.tabIndex = -1;
    this.element.addEventListener("scroll", () => this.update(), { passive: true });
    this.resized = new ResizeObserver(() => this.update());
    this.resized.observe(this.element);
  }

  stop(): void {
    this.resized.disconnect();
  }

  show(options: TableOptions<R>): void {
    this.options = options;
    this.active = Math.min(this.active, Math.max(0, options.total - 1));
    this.update();
  }

  /** Return the first row in sight and the one after the last. */
  get range(): [first: number, end: number] {
    const total = this.options?.total ?? 0;
    const first = Math.max(0, Math.floor(this.element.scrollTop / ROW) - BEYOND);
    const high = this.element.clientHeight || 600;
    return [Math.min(first, total), Math.min(total, first + Math.ceil(high / ROW) + 2 * BEYOND)];
  }

  private update(): void {
    const { options } = this;
    if (!options) return;
    const [first, end] = this.range;
    options.onShown?.(first, end);
    const rows = Array.from({ length: Math.max(0, end - first) }, (_, at) => first + at);
    render(
      html`<table aria-label=${options.label} aria-rowcount=${options.total + 1} aria-colcount=${options.columns.length}>
        <thead>
          <tr>${options.columns.map((column) => this.heading(column, options))}</tr>
        </thead>
        <tbody @keydown=${this.pressed} @click=${this.clicked}>
          ${first ? html`<tr class="space" aria-hidden="true"><td colspan=${options.columns.length} .style=${`height: ${first * ROW}px`}></td></tr>` : nothing}
          ${rows.map((number) => this.line(number, options))}
          ${end < options.total
            ? html`<tr class="space" aria-hidden="true"><td colspan=${options.columns.length} .style=${`height: ${(options.total - end) * ROW}px`}></td></tr>`
            : nothing}
        </tbody>
      </table>`,
      this.element,
    );
    if (this.isFocusWanted) {
      this.isFocusWanted = false;
      this.element.querySelector<HTMLElement>(`tr[data-row="${this.active}"]`)?.focus({ preventScroll: true });
    }
  }

  private heading(column: TableColumn<R>, { sort, ...options }: TableOptions<R>): TemplateResult {
    const onSort = column.isSortable === false ? undefined : options.onSort;
    const sorted = sort?.key === column.key ? (sort.descending ? "descending" : "ascending") : null;
    return html`<th scope="col" class=${column.className ?? ""} aria-sort=${sorted ?? (onSort ? "none" : nothing)}>
      ${onSort
        ? html`<button class="plain" title="Sort by ${column.name}" @click=${() => onSort(column.key)}>
            ${column.label}<span class="arrow" aria-hidden="true">${sorted ? (sorted === "ascending" ? "▲" : "▼") : ""}</span>
          </button>`
        : column.label}
    </th>`;
  }

  private line(number: number, { row, columns, isChosen, onOpen, onToggle }: TableOptions<R>): TemplateResult {
    const found = row(number);
    const chosen = found !== null && (isChosen?.(found) ?? false);
    const acts = onOpen ?? onToggle;
    return html`<tr
      data-row=${number}
      class=${chosen ? "chosen" : ""}
      aria-rowindex=${number + 2}
      aria-selected=${onToggle ? chosen : nothing}
      tabindex=${acts ? (number === this.active ? 0 : -1) : nothing}
    >
      ${columns.map((column, at) => {
        const content = found === null ? "…" : column.cell(found);
        return at === 0
          ? html`<th scope="row" class=${column.className ?? ""}>${content}</th>`
          : html`<td class=${column.className ?? ""}>${content}</td>`;
      })}
    </tr>`;
  }

  private readonly clicked = (event: MouseEvent): void => {
    const target = event.target as HTMLElement;
    if (target.closest("a, button, input, summary, label")) return;
    const number = rowOf(target);
    const found = number === null ? null : (this.options?.row(number) ?? null);
    if (number === null || found === null) return;
    this.active = number;
    this.options?.onOpen?.(found);
  };

  private readonly pressed = (event: KeyboardEvent): void => {
    const { options } = this;
    const target = event.target as HTMLElement;
    if (!options || event.ctrlKey || event.metaKey || event.altKey || target.tagName !== "TR") return;
    const page = Math.max(1, Math.floor(this.element.clientHeight / ROW) - 2);
    const steps: Record<string, number> = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: page,
      PageUp: -page,
      Home: -Infinity,
      End: Infinity,
    };
    const step = steps[event.key];
    const row = options.row(this.active);
    if (step !== undefined) this.activate(this.active + step);
    else if (event.key === "Enter" && row !== null) options.onOpen?.(row);
    else if (event.key === " " && row !== null && options.onToggle) options.onToggle(row);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  private activate(number: number): void {
    this.active = Math.min(Math.max(0, number), (this.options?.total ?? 1) - 1);
    const [top, high] = [this.active * ROW, this.element.clientHeight];
    const { scrollTop } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + 2 * ROW > scrollTop + high) this.element.scrollTop = top + 2 * ROW - high;
    this.isFocusWanted = true;
    this.update();
  }
}

function rowOf(target: HTMLElement): number | null {
  const number = target.closest("tr")?.getAttribute("data-row");
  return number === null || number === undefined ? null : Number(number);
}
