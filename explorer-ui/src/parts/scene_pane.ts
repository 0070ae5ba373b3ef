/** A scene with all that belongs to it: picture, details, table of the same nodes, exports. */

import { html, nothing, type TemplateResult } from "lit-html";
import type { App } from "../app.ts";
import { BigDrawing, MOST_STATUSES } from "../drawing/big_drawing.ts";
import { BigNames } from "../drawing/big_names.ts";
import type { BigScene } from "../drawing/big_scene_data.ts";
import type { Drawing } from "../drawing/drawing.ts";
import { SvgDrawing } from "../drawing/svg_drawing.ts";
import type { View as Position } from "../drawing/viewport.ts";
import type { NodeAnswer, Scene, SceneNode } from "../protocol.ts";
import { count, counted, line } from "../text.ts";
import { bigTable, orderOf } from "./big_table.ts";
import { detailsPart } from "./details.ts";
import { exportMenu } from "./export_menu.ts";
import { legendPart } from "./legend.ts";
import { Question } from "./question.ts";
import { sceneTable } from "./scene_table.ts";
import { VirtualTable } from "./virtual_table.ts";

export interface PaneEvents {
  expand(id: string, side: string): void;
  open(key: string): void;
}

type Selection = { id: string; node: SceneNode | null; key: string | null };

export class ScenePane {
  private scene: Scene | BigScene | null = null;
  private drawing: Drawing | null = null;
  private selection: Selection | null = null;
  private readonly table = new VirtualTable<SceneNode>();
  private readonly bigTable = new VirtualTable<number>();
  private names: BigNames | null = null;
  private order: Uint32Array | null = null;
  private readonly node: Question<NodeAnswer>;
  private label = "";

  constructor(
    private readonly app: App,
    private readonly events: PaneEvents,
  ) {
    this.node = new Question(app.update);
  }

  stop(): void {
    this.drawing?.stop();
    this.names?.stop();
    this.node.stop();
    this.table.stop();
    this.bigTable.stop();
  }

  get isTableShown(): boolean {
    return this.app.router.address.args["table"] === "1";
  }

  /**
   * Show another scene. A node that both hold stays where it is on the page, `anchor` before
   * others; a scene without any begins anew.
   */
  show(scene: Scene | BigScene, label: string, anchor: string | null = null): void {
    const before = this.scene;
    const view = this.drawing instanceof SvgDrawing ? this.drawing.view : null;
    this.drawing?.stop();
    this.names?.stop();
    this.names = this.order = null;
    this.scene = scene;
    this.label = label;
    const events = {
      chosen: (id: string | null) => this.choose(id),
      opened: (id: string) => {
        const key = this.found(id)?.key;
        if (key) this.events.open(key);
      },
      expanded: (id: string, side: string) => this.events.expand(id, side),
    };
    const wheelZooms = this.app.client.shell !== "widget";
    if ("x" in scene) {
      this.names = new BigNames(scene, this.app.client);
      this.names.onChange(this.app.update);
      this.drawing = new BigDrawing(scene, this.app, this.names, events, wheelZooms);
    } else {
      const kept = before && !("x" in before) && view ? keptView(before, scene, view, anchor) : null;
      this.drawing = new SvgDrawing(scene, events, { wheelZooms, label, view: kept });
    }
    // Colours are those of the page, in which it first has to be.
    const { drawing } = this;
    requestAnimationFrame(() => drawing.colour());
    this.app.say(`${label}: ${this.said}`);
    this.arrive(true);
  }

  /** Follow the address: which node is chosen. */
  arrive(force = false): void {
    const id = this.app.router.address.args["select"] ?? null;
    if (!force && id === (this.selection?.id ?? null)) return;
    this.selection = id === null ? null : this.found(id);
    this.drawing?.select(this.selection?.id ?? null);
    const key = this.selection?.key;
    if (key && this.selection?.node?.kind !== "fold") {
      this.node.ask(key, (signal) => this.app.client.ask("node", { key }, signal));
    } else {
      this.node.forget();
    }
    this.app.update();
  }

  coloured(): void {
    this.drawing?.colour();
  }

  pressed(key: string): boolean {
    const { drawing } = this;
    if (!drawing) return false;
    const step = 80;
    const moves: Record<string, () => void> = {
      "+": () => drawing.zoom(1.25),
      "=": () => drawing.zoom(1.25),
      "-": () => drawing.zoom(0.8),
      "0": () => (drawing instanceof SvgDrawing ? drawing.fitAll() : drawing.fit()),
      t: () => this.toggleTable(),
      Escape: () => this.choose(null),
      ArrowLeft: () => drawing.pan(step, 0),
      ArrowRight: () => drawing.pan(-step, 0),
      ArrowUp: () => drawing.pan(0, step),
      ArrowDown: () => drawing.pan(0, -step),
    };
    const move = moves[key];
    move?.();
    return move !== undefined;
  }

  render(isLoading: boolean): TemplateResult {
    const { scene, drawing, selection } = this;
    const isTable = this.isTableShown && scene !== null;
    const isBig = scene !== null && "x" in scene;
    return html`<div class="pane ${selection ? "with-details" : ""} ${isTable ? "with-table" : ""}">
      <div class="stage">
        ${drawing?.element ?? nothing}
        ${scene && !("x" in scene) && !scene.nodes.length ? html`<p class="message">There is nothing to draw. ${line(scene.said)}</p>` : nothing}
        <div class="zoom" role="group" aria-label="Size of the picture">
          <button class="plain" aria-label="Larger" title="Larger (+)" @click=${() => this.pressed("+")}>+</button>
          <button class="plain" aria-label="Smaller" title="Smaller (−)" @click=${() => this.pressed("-")}>−</button>
          <button class="plain" aria-label="All of it" title="All of it (0)" @click=${() => this.pressed("0")}>⤢</button>
        </div>
        ${isLoading ? html`<div class="busy" role="status"><span class="spinner" aria-hidden="true"></span>Asking the store</div>` : nothing}
      </div>
      ${isTable ? html`<div class="beside">${isBig ? this.bigTable.element : this.table.element}</div>` : nothing}
      ${selection
        ? detailsPart(this.app, selection.node, this.node, {
            close: () => this.choose(null),
            expand: (id) => this.events.expand(id, "both"),
          })
        : nothing}
      <footer class="said">
        ${scene
          ? html`<span class=${scene.complete ? "whole" : "bound"}>${scene.complete ? "complete" : "not complete"}</span>
              <span class="words"><bdi>${line(scene.said)}</bdi>${isBig ? ` ${bigHint(scene)}` : nothing}</span>
              ${isBig ? nothing : legendPart(scene)}`
          : nothing}
      </footer>
    </div>`;
  }

  /** The buttons that belong into a view's toolbar. */
  tools(): TemplateResult {
    const { scene, drawing } = this;
    if (!scene || !drawing) return html``;
    return html`<button aria-pressed=${this.isTableShown} title="The same as a table (t)" @click=${() => this.toggleTable()}>Table</button>
      ${exportMenu(scene, drawing, this.label)}`;
  }

  rendered(): void {
    if (!this.scene || !this.isTableShown) return;
    if ("x" in this.scene) {
      if (!this.names) return;
      this.order ??= orderOf(this.scene);
      this.bigTable.show(
        bigTable(this.scene, this.order, this.names, this.selection?.id ?? null, (id) => {
          this.choose(id);
          this.drawing?.center(id);
        }),
      );
      return;
    }
    this.table.show(
      sceneTable(this.scene, this.selection?.id ?? null, (node) => {
        this.choose(node.id);
        this.drawing?.center(node.id);
      }),
    );
  }

  private get said(): string {
    const { scene } = this;
    if (!scene) return "";
    const nodes = "x" in scene ? scene.x.length : scene.nodes.length;
    return `${counted(nodes, "node")}, ${line(scene.said)}`;
  }

  private toggleTable(): void {
    this.app.setArgs({ table: this.isTableShown ? null : 1 }, { replace: true });
  }

  private choose(id: string | null): void {
    this.app.setArgs({ select: id }, { replace: true });
  }

  private found(id: string): Selection | null {
    const { scene } = this;
    if (!scene) return null;
    if ("x" in scene) return /^(artifact|execution)\//.test(id) ? { id, node: null, key: id } : null;
    const node = scene.nodes.find((some) => some.id === id);
    return node ? { id, node, key: node.key } : null;
  }
}

/** Return what else bounds a big picture. */
function bigHint({ x }: BigScene): string {
  return x.length > MOST_STATUSES
    ? `The statuses are MLMD's own states: what platforms say of them is shown up to ${count(MOST_STATUSES)} nodes.`
    : "";
}

/** Return where a scene must lie so that a node it shares with the one before does not move. */
function keptView(before: Scene, now: Scene, view: Position, anchor: string | null): Position | null {
  const old = new Map(before.nodes.map((node) => [node.id, node]));
  const ids = [anchor, now.focus, ...now.nodes.map((node) => node.id)];
  for (const id of ids) {
    const was = id === null ? undefined : old.get(id);
    const is = was && now.nodes.find((node) => node.id === was.id);
    if (was && is) {
      const { x, y, scale } = view;
      return { scale, x: x + (was.x - is.x) * scale, y: y + (was.y - is.y) * scale };
    }
  }
  return null;
}
