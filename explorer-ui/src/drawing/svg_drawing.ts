/** A scene drawn as marks in the page: each node is an element with a name and a place for keys. */

import type { Scene, SceneNode } from "../protocol.ts";
import type { Drawing, DrawingEvents } from "./drawing.ts";
import { html, svg } from "./elements.ts";
import { svgDocument } from "./export_svg.ts";
import { neighbour } from "./keys.ts";
import { Links, type Found } from "./links.ts";
import { Minimap } from "./minimap.ts";
import { edgeShape, lookOf, nodeShape, spokenName } from "./node_shapes.ts";
import { Viewport, type Box, type View } from "./viewport.ts";

const READABLE = 0.3; // below that scale texts are left away
const FEWEST_WITH_MAP = 12;

export class SvgDrawing implements Drawing {
  readonly element: HTMLElement;
  private readonly picture: SVGSVGElement;
  private readonly world = svg("g", { class: "world" });
  private readonly viewport: Viewport;
  private readonly minimap: Minimap;
  private readonly links: Links;
  private readonly shapes = new Map<string, SVGGElement>();
  private readonly nodes = new Map<string, SceneNode>();
  private readonly edges: (SVGGElement | null)[] = [];
  private readonly bounds: Box;
  private selected: string | null = null;
  private readonly resized: ResizeObserver;
  private isFitted = true;

  constructor(
    private readonly scene: Scene,
    private readonly events: DrawingEvents,
    options: { wheelZooms: boolean; label: string; view?: View | null },
  ) {
    this.links = new Links(scene.edges);
    this.bounds = boundsOf(scene);
    this.picture = svg("svg", { class: "picture", role: "group", "aria-label": options.label }, this.world);
    this.element = html("div", "canvas", this.picture);
    this.viewport = new Viewport(this.element, () => this.moved(), options.wheelZooms);
    this.minimap = new Minimap(this.bounds, (x, y) => this.viewport.center(x, y));
    this.draw();
    if (scene.nodes.length >= FEWEST_WITH_MAP) this.element.append(this.minimap.element);
    this.listen();
    this.resized = new ResizeObserver(() => {
      if (this.isFitted) this.fit();
      else this.moved();
    });
    this.resized.observe(this.element);
    if (options.view) {
      this.isFitted = false;
      this.viewport.set(options.view);
    }
  }

  /** Where the picture lies, so that the next scene can begin there. */
  get view(): View {
    return this.viewport.view;
  }

  stop(): void {
    this.viewport.stop();
    this.resized.disconnect();
  }

  fit(): void {
    const { width, height } = this.viewport.size;
    if (!width || !height) return;
    this.viewport.fit(this.bounds);
    // What would be too small to read begins at the node that was asked about.
    const focus = this.nodes.get(this.scene.focus ?? "") ?? this.scene.nodes[0];
    if (this.viewport.view.scale < 0.45 && focus) {
      const scale = 0.7;
      const { left, right, top, bottom } = this.bounds;
      const wide = Math.min(width / scale, right - left + 56) / 2;
      const high = Math.min(height / scale, bottom - top + 56) / 2;
      const x = Math.min(Math.max(focus.x, left - 28 + wide), right + 28 - wide);
      const y = Math.min(Math.max(focus.y, top - 28 + high), bottom + 28 - high);
      this.viewport.center(x, y, scale);
    }
    this.isFitted = true;
  }

  fitAll(): void {
    this.viewport.fit(this.bounds);
    this.isFitted = false;
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
    const node = this.nodes.get(id);
    if (!node) return;
    this.isFitted = false;
    this.viewport.center(node.x, node.y, Math.max(0.7, this.viewport.view.scale));
  }

  select(id: string | null): void {
    this.selected = id !== null && this.nodes.has(id) ? id : null;
    for (const [key, shape] of this.shapes) {
      const chosen = key === this.selected;
      shape.classList.toggle("chosen", chosen);
      shape.setAttribute("aria-pressed", String(chosen));
    }
    this.setTabStop(this.selected ?? this.scene.focus ?? this.scene.nodes[0]?.id ?? null);
    this.highlight(this.selected);
  }

  focus(id: string): void {
    this.setTabStop(id);
    this.reveal(id);
    this.shapes.get(id)?.focus({ preventScroll: true });
  }

  toSvg(caption: string): string {
    return svgDocument(this.picture, this.bounds, caption);
  }

  private draw(): void {
    for (const node of this.scene.nodes) this.nodes.set(node.id, node);
    const edges = svg("g", { class: "edges" });
    for (const edge of this.scene.edges) {
      const [source, target] = [this.nodes.get(edge.from), this.nodes.get(edge.to)];
      const shape = source && target ? edgeShape(edge, source, target) : null;
      this.edges.push(shape);
      if (shape) edges.append(shape);
    }
    const nodes = svg("g", { class: "nodes" });
    for (const node of this.scene.nodes) {
      const shape = nodeShape(node, node.id === this.scene.focus);
      const [into, out] = [this.links.upstream(node.id).length, this.links.downstream(node.id).length];
      shape.setAttribute("role", "button");
      shape.setAttribute("tabindex", "-1");
      const shown = [...shape.querySelectorAll(":not(.status) > text")].map((text) => text.textContent).join(" ");
      shape.setAttribute("aria-label", spokenName(node, shown, into, out));
      this.shapes.set(node.id, shape);
      nodes.append(shape);
    }
    this.world.append(edges, nodes);
    this.setTabStop(this.scene.focus ?? this.scene.nodes[0]?.id ?? null);
  }

  private setTabStop(id: string | null): void {
    this.picture.querySelector('.node[tabindex="0"]')?.setAttribute("tabindex", "-1");
    if (id !== null) this.shapes.get(id)?.setAttribute("tabindex", "0");
  }

  private listen(): void {
    const { picture, element } = this;
    element.addEventListener("click", (event) => {
      const id = idOf(event.target);
      const side = handleOf(event.target);
      if (id !== null && side) this.events.expanded(id, side);
      else if (id !== null || event.target === picture) this.events.chosen(id);
    });
    picture.addEventListener("dblclick", (event) => {
      const id = idOf(event.target);
      if (id !== null) this.events.opened(id);
    });
    picture.addEventListener("pointerover", (event) => {
      if (!element.classList.contains("panning") && this.selected === null) this.highlight(idOf(event.target));
    });
    picture.addEventListener("pointerleave", () => {
      if (this.selected === null) this.highlight(null);
    });
    picture.addEventListener("focusin", (event) => {
      const id = idOf(event.target);
      if (id === null) return;
      this.setTabStop(id);
      if (this.selected === null) this.highlight(id);
    });
    picture.addEventListener("focusout", () => {
      if (this.selected === null) this.highlight(null);
    });
    picture.addEventListener("keydown", (event) => this.pressed(event));
    element.addEventListener("pointerdown", () => (this.isFitted = false));
    element.addEventListener("wheel", () => (this.isFitted = false), { passive: true });
  }

  private pressed(event: KeyboardEvent): void {
    const id = idOf(event.target);
    const node = id === null ? undefined : this.nodes.get(id);
    if (!node || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter") {
      if (event.shiftKey) this.events.opened(node.id);
      else this.events.chosen(node.id);
    } else if (event.key === " ") {
      this.events.chosen(node.id === this.selected ? null : node.id);
    } else if (event.key === "e") {
      this.events.expanded(node.id, "both");
    } else {
      const to = neighbour(event.key, node, this.nodes, this.links);
      if (to === null) return;
      this.focus(to);
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /** Move the picture as little as it takes to see a node. */
  private reveal(id: string): void {
    const node = this.nodes.get(id);
    if (!node) return;
    const { width, height } = this.viewport.size;
    const { x, y, scale } = this.viewport.view;
    const [atX, atY] = [node.x * scale + x, node.y * scale + y];
    const [wide, high] = [(node.w / 2) * scale + 24, (node.h / 2) * scale + 24];
    const dx = Math.max(0, wide - atX) - Math.max(0, atX + wide - width);
    const dy = Math.max(0, high - atY) - Math.max(0, atY + high - height);
    if (dx || dy) this.pan(dx, dy);
  }

  private highlight(id: string | null): void {
    this.picture.classList.toggle("dimmed", id !== null);
    const found: Found | null = id === null ? null : this.links.paths(id, this.scene.focus);
    for (const [key, shape] of this.shapes) shape.classList.toggle("on", found?.nodes.has(key) ?? false);
    this.edges.forEach((shape, number) => shape?.classList.toggle("on", found?.edges.has(number) ?? false));
  }

  private moved(): void {
    const { x, y, scale } = this.viewport.view;
    this.world.setAttribute("transform", `translate(${x} ${y}) scale(${scale})`);
    this.picture.classList.toggle("far", scale < READABLE);
    this.minimap.show(this.viewport.shown());
  }

  /** Draw the map anew, in the colours that now hold. */
  colour(): void {
    const style = getComputedStyle(this.element);
    const colours = { artifact: "", execution: "", group: "" };
    for (const look of ["artifact", "execution", "group"] as const) {
      colours[look] = style.getPropertyValue(`--${look}-line`);
    }
    const failed = style.getPropertyValue("--failed");
    this.minimap.draw({
      length: this.scene.nodes.length,
      at: (number) => {
        const node = this.scene.nodes[number];
        if (!node) return { x: 0, y: 0, w: 0, h: 0, colour: "" };
        return { ...node, colour: node.status === "failed" ? failed : colours[lookOf(node)] };
      },
    });
    this.minimap.show(this.viewport.shown());
  }
}

function boundsOf(scene: Scene): Box {
  const box = { left: 0, top: 0, right: Math.max(1, scene.width), bottom: Math.max(1, scene.height) };
  for (const { x, y, w, h, more } of scene.nodes) {
    const beside = more ? 20 : 0;
    box.left = Math.min(box.left, x - w / 2 - beside);
    box.top = Math.min(box.top, y - h / 2);
    box.right = Math.max(box.right, x + w / 2 + beside);
    box.bottom = Math.max(box.bottom, y + h / 2 + 8);
  }
  return box;
}

function idOf(target: EventTarget | null): string | null {
  return target instanceof Element ? (target.closest(".node")?.getAttribute("data-id") ?? null) : null;
}

function handleOf(target: EventTarget | null): string | null {
  return target instanceof Element ? (target.closest(".handle")?.getAttribute("data-side") ?? null) : null;
}
