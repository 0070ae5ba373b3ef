/** A big scene on a canvas: an overview to move through, with names where there is room for them. */

import type { App } from "../app.ts";
import { kept } from "../client.ts";
import { count, line } from "../text.ts";
import { BigIndex } from "./big_index.ts";
import type { BigNames } from "./big_names.ts";
import { idOf, isFold, plainLabel, type BigScene } from "./big_scene_data.ts";
import { bigSvg } from "./big_svg.ts";
import type { Drawing, DrawingEvents } from "./drawing.ts";
import { html } from "./elements.ts";
import { Minimap } from "./minimap.ts";
import { fitted } from "./node_shapes.ts";
import { Viewport, type Box, type View } from "./viewport.ts";
import { Renderer, type Colour, type Palette } from "./webgl.ts";

const HALF = { width: 68, height: 19 };
const READABLE = 0.55;
const MOST_NAMED = 400;
const MOST_LINES = 20_000; // of paths that are drawn over the others
/** How many nodes a picture has at most whose steps' statuses are asked of their platforms. */
export const MOST_STATUSES = 20_000;
const PAUSE = 150;
const SLOW = 30; // milliseconds that a picture may take to be drawn anew while it moves

export class BigDrawing implements Drawing {
  readonly element: HTMLElement;
  private readonly base = html("canvas");
  private readonly over = html("canvas", "over");
  private readonly viewport: Viewport;
  private readonly index: BigIndex;
  private readonly renderer: Renderer;
  private readonly minimap: Minimap;
  private readonly resized: ResizeObserver;
  private readonly withdrawn = new AbortController();
  private colours: Record<string, string> = {};
  private palette: Palette | null = null;
  private shown: { node: number; nodes: Uint8Array; edges: Uint8Array } | null = null;
  private selected = -1;
  private active = -1;
  private frame = 0;
  private settling: ReturnType<typeof setTimeout> | null = null;
  /** Where the picture lay when it was last drawn. */
  private drawn: View | null = null;
  private isSlow = false;
  private isStale = true;
  private isFitted = true;

  constructor(
    private readonly scene: BigScene,
    private readonly app: App,
    private readonly names: BigNames,
    private readonly events: DrawingEvents,
    wheelZooms: boolean,
  ) {
    names.onChange(() => this.redraw());
    this.element = html("div", "canvas big", this.base, this.over);
    this.element.tabIndex = 0;
    this.element.setAttribute("role", "application");
    this.element.setAttribute("aria-label", `A picture of ${count(scene.x.length)} nodes. Arrow keys follow the edges; t shows a table.`);
    this.index = new BigIndex(scene, HALF);
    this.renderer = new Renderer(this.base, scene, HALF);
    this.viewport = new Viewport(this.element, () => this.moved(), wheelZooms);
    this.minimap = new Minimap(this.index.bounds, (x, y) => this.viewport.center(x, y));
    this.element.append(this.minimap.element);
    this.active = scene.focus;
    this.listen();
    this.resized = new ResizeObserver(() => {
      if (this.isFitted) this.fit();
      else this.redraw();
    });
    this.resized.observe(this.element);
  }

  stop(): void {
    this.withdrawn.abort();
    this.viewport.stop();
    this.resized.disconnect();
    cancelAnimationFrame(this.frame);
    if (this.settling !== null) clearTimeout(this.settling);
    this.renderer.stop();
  }

  fit(): void {
    if (!this.viewport.size.width) return;
    this.viewport.fit(this.index.bounds);
    this.isFitted = true;
  }

  zoom(factor: number): void {
    this.isFitted = false;
    this.viewport.zoom(factor);
  }

  pan(dx: number, dy: number): void {
    this.isFitted = false;
    this.viewport.pan(dx, dy);
  }

  center(id: string): void {
    const node = this.numberOf(id);
    if (node < 0) return;
    this.isFitted = false;
    this.viewport.center(this.scene.x[node] ?? 0, this.scene.y[node] ?? 0, Math.max(0.8, this.viewport.view.scale));
  }

  select(id: string | null): void {
    this.selected = id === null ? -1 : this.numberOf(id);
    if (this.selected >= 0) this.active = this.selected;
    this.show(this.selected);
  }

  focus(id: string): void {
    this.active = this.numberOf(id);
    this.element.focus();
    this.redraw();
  }

  toSvg(caption: string): string {
    return bigSvg(this.scene, HALF, this.palette ?? this.readPalette(), this.index.bounds, caption, {
      ground: this.colours["ground"] ?? "#fff",
      pale: this.colours["pale"] ?? "#555",
    });
  }

  /** Draw anew in the colours that now hold. */
  colour(): void {
    this.palette = this.readPalette();
    this.renderer.colour(this.palette);
    const { x, y, kind } = this.scene;
    const colours = ["artifact-line", "execution-line", "group-line"].map((name) => this.colours[name] ?? "");
    // A map of some thousand dots says as much as one of all.
    const step = Math.max(1, Math.ceil(x.length / 8000));
    this.minimap.draw({
      length: Math.ceil(x.length / step),
      at: (dot) => {
        const node = dot * step;
        return { x: x[node] ?? 0, y: y[node] ?? 0, w: HALF.width * 2, h: HALF.height * 2, colour: colours[kind[node] ?? 0] ?? "" };
      },
    });
    this.redraw();
  }

  private readPalette(): Palette {
    const style = getComputedStyle(this.element);
    for (const name of ["artifact", "artifact-line", "execution", "execution-line", "group", "group-line", "failed", "edge", "accent", "ink", "pale", "ground"]) {
      this.colours[name] = style.getPropertyValue(`--${name}`).trim();
    }
    const rgb = (name: string): Colour => {
      const hex = this.colours[name] ?? "#808080";
      return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)) as Colour;
    };
    return {
      fills: [rgb("artifact"), rgb("execution"), rgb("group")],
      lines: [rgb("artifact-line"), rgb("execution-line"), rgb("group-line")],
      failed: rgb("failed"),
      edge: rgb("edge"),
    };
  }

  private redraw(): void {
    this.isStale = true;
    this.moved();
  }

  private moved(): void {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      if (!this.palette) return;
      if (this.isSlow && !this.isStale && this.drawn) this.shift(this.drawn);
      else this.draw();
      this.minimap.show(this.viewport.shown());
    });
  }

  /** Move what was drawn, where drawing it anew takes longer than a frame; it follows at rest. */
  private shift(from: View): void {
    const { x, y, scale } = this.viewport.view;
    const ratio = scale / from.scale;
    const transform = `translate(${x - from.x * ratio}px, ${y - from.y * ratio}px) scale(${ratio})`;
    for (const canvas of [this.base, this.over]) canvas.style.transform = transform;
    if (this.settling !== null) clearTimeout(this.settling);
    this.settling = setTimeout(() => this.redraw(), PAUSE);
  }

  private draw(): void {
    const start = performance.now();
    const isFirst = this.drawn === null;
    this.isStale = false;
    this.drawn = this.viewport.view;
    for (const canvas of [this.base, this.over]) canvas.style.transform = "";
    this.renderer.draw(this.drawn, this.shown !== null);
    this.drawOver();
    // What the graphics processor does shows in when the next frame comes.
    requestAnimationFrame(() => {
      if (isFirst) this.askStatuses();
      else this.isSlow = performance.now() - start > SLOW;
    });
  }

  private drawOver(): void {
    const ratio = window.devicePixelRatio || 1;
    const { width, height } = this.viewport.size;
    const { over } = this;
    if (over.width !== Math.round(width * ratio) || over.height !== Math.round(height * ratio)) {
      over.width = Math.round(width * ratio);
      over.height = Math.round(height * ratio);
    }
    const context = over.getContext("2d");
    if (!context) return;
    const { x, y, scale } = this.viewport.view;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, over.width, over.height);
    context.setTransform(ratio * scale, 0, 0, ratio * scale, ratio * x, ratio * y);
    this.drawPaths(context, scale);
    const box = this.viewport.shown();
    if (scale >= READABLE) this.drawNames(context, box);
    for (const node of [this.scene.focus, this.active, this.selected]) {
      if (node < 0) continue;
      context.lineWidth = (node === this.selected ? 3 : 2) / scale;
      context.strokeStyle = this.colours[node === this.scene.focus && node !== this.selected ? "ink" : "accent"] ?? "";
      const room = 4 / scale;
      context.strokeRect(
        (this.scene.x[node] ?? 0) - HALF.width - room,
        (this.scene.y[node] ?? 0) - HALF.height - room,
        2 * (HALF.width + room),
        2 * (HALF.height + room),
      );
    }
  }

  private drawPaths(context: CanvasRenderingContext2D, scale: number): void {
    if (!this.shown) return;
    const { x, y, source, target, kind } = this.scene;
    const { nodes, edges } = this.shown;
    context.strokeStyle = this.colours["accent"] ?? "";
    context.lineWidth = 1.6 / scale;
    context.beginPath();
    let drawn = 0;
    for (let edge = 0; edge < edges.length && drawn < MOST_LINES; edge++) {
      if (!edges[edge]) continue;
      drawn++;
      const [from, to] = [source[edge] ?? 0, target[edge] ?? 0];
      context.moveTo((x[from] ?? 0) + HALF.width, y[from] ?? 0);
      context.lineTo((x[to] ?? 0) - HALF.width, y[to] ?? 0);
    }
    context.stroke();
    const least = 2.4 / scale;
    drawn = 0;
    for (let node = 0; node < nodes.length && drawn < MOST_LINES; node++) {
      if (!nodes[node]) continue;
      drawn++;
      const look = ["artifact", "execution", "group"][kind[node] ?? 0] ?? "group";
      const [wide, high] = [Math.max(least, 2 * HALF.width), Math.max(least, 2 * HALF.height)];
      context.fillStyle = this.colours[scale > 0.25 ? look : `${look}-line`] ?? "";
      context.fillRect((x[node] ?? 0) - wide / 2, (y[node] ?? 0) - high / 2, wide, high);
      if (scale > 0.25) {
        context.strokeStyle = this.colours[`${look}-line`] ?? "";
        context.lineWidth = 1.4 / scale;
        context.strokeRect((x[node] ?? 0) - wide / 2, (y[node] ?? 0) - high / 2, wide, high);
      }
    }
  }

  private drawNames(context: CanvasRenderingContext2D, { left, right, top, bottom }: Box): void {
    const nodes = this.index.within(
      { left: left - HALF.width, right: right + HALF.width, top: top - HALF.height, bottom: bottom + HALF.height },
      MOST_NAMED,
    );
    context.textAlign = "center";
    const asked: number[] = [];
    for (const node of nodes) {
      if (this.shown && !this.shown.nodes[node]) continue;
      asked.push(node);
      const [name, type] = [this.names.of(node), plainLabel(this.scene, node)];
      const [x, y] = [this.scene.x[node] ?? 0, this.scene.y[node] ?? 0];
      context.fillStyle = this.colours["ink"] ?? "";
      context.font = "600 12px Helvetica, Arial, sans-serif";
      context.fillText(fitted(line(name), HALF.width * 2 - 12, 12, 600), x, y - 3);
      context.fillStyle = this.colours["pale"] ?? "";
      context.font = "11px Helvetica, Arial, sans-serif";
      const fold = this.scene.folds.get(node);
      const about = fold ? `${count(fold.count)} nodes` : `#${this.scene.id[node] ?? ""} ${name === type ? "" : type}`;
      context.fillText(fitted(line(about), HALF.width * 2 - 12, 11), x, y + 12);
    }
    this.names.ask(asked);
  }

  /** Ask what the platforms say of the steps' statuses: the columns know MLMD's states only. */
  private askStatuses(): void {
    const { scene } = this;
    if (scene.x.length > MOST_STATUSES) return;
    const { method, params } = scene.question;
    this.app.client.ask("statuses", { method, params: kept(params) }, this.withdrawn.signal).then(
      ({ statuses }) => {
        if (statuses.length !== scene.status.length || this.withdrawn.signal.aborted) return;
        scene.status.set(statuses);
        if (this.palette) this.renderer.colour(this.palette);
        this.redraw();
        this.app.update();
      },
      () => undefined,
    );
  }

  private show(node: number): void {
    if (this.shown?.node === node) return;
    this.shown = node < 0 ? null : { node, ...this.index.paths(node) };
    this.redraw();
  }

  private listen(): void {
    const { element } = this;
    const under = (event: MouseEvent): number => {
      const { left, top } = element.getBoundingClientRect();
      const { x, y, scale } = this.viewport.view;
      return this.index.at((event.clientX - left - x) / scale, (event.clientY - top - y) / scale, 3 / scale);
    };
    element.addEventListener("click", (event) => {
      if (event.target !== this.over) return;
      const node = under(event);
      this.events.chosen(node < 0 ? null : idOf(this.scene, node));
    });
    element.addEventListener("dblclick", (event) => {
      const node = under(event);
      if (node < 0) this.viewport.zoom(2);
      else if (isFold(this.scene, node)) this.events.expanded(idOf(this.scene, node), "both");
      else this.events.opened(idOf(this.scene, node));
    });
    element.addEventListener("pointermove", (event) => {
      if (event.buttons) return;
      const node = under(event);
      element.title = node < 0 ? "" : this.spoken(node);
      if (this.selected < 0) this.show(node);
    });
    element.addEventListener("pointerleave", () => {
      if (this.selected < 0) this.show(-1);
    });
    element.addEventListener("pointerdown", () => (this.isFitted = false));
    element.addEventListener("wheel", () => (this.isFitted = false), { passive: true });
    element.addEventListener("keydown", (event) => this.pressed(event));
  }

  private pressed(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = Math.max(0, this.active);
    if (event.key === "Enter" && !event.shiftKey) this.events.chosen(idOf(this.scene, at));
    else if (event.key === "Enter") this.events.opened(idOf(this.scene, at));
    else if (event.key === " ") this.events.chosen(at === this.selected ? null : idOf(this.scene, at));
    else if (event.key === "e") this.events.expanded(idOf(this.scene, at), "both");
    else {
      const to = this.neighbour(event.key, at);
      if (to === null) return;
      this.active = to;
      this.viewport.center(this.scene.x[to] ?? 0, this.scene.y[to] ?? 0, Math.max(READABLE, this.viewport.view.scale));
      this.isFitted = false;
      this.app.say(this.spoken(to));
    }
    event.preventDefault();
    event.stopPropagation();
  }

  private neighbour(key: string, at: number): number | null {
    const { x, y } = this.scene;
    const away = (node: number): number => Math.abs((y[node] ?? 0) - (y[at] ?? 0));
    if (key === "ArrowLeft" || key === "ArrowRight") {
      const some = this.index.neighbours(at, key === "ArrowLeft" ? "upstream" : "downstream");
      return some.sort((one, other) => away(one) - away(other))[0] ?? null;
    }
    if (key !== "ArrowUp" && key !== "ArrowDown") return null;
    const [left, middle] = [x[at] ?? 0, y[at] ?? 0];
    const reach = { left: left - 1, right: left + 1, top: middle - 2000, bottom: middle + 2000 };
    const some = this.index.within(reach).filter((node) => {
      const down = (y[node] ?? 0) - middle;
      return key === "ArrowDown" ? down > 0 : down < 0;
    });
    return some.sort((one, other) => away(one) - away(other))[0] ?? null;
  }

  private spoken(node: number): string {
    const status = this.scene.statuses[this.scene.status[node] ?? 0];
    return [line(this.names.of(node)), idOf(this.scene, node), status].filter(Boolean).join(", ");
  }

  private numberOf(id: string): number {
    for (let node = 0; node < this.scene.x.length; node++) if (idOf(this.scene, node) === id) return node;
    return -1;
  }
}
