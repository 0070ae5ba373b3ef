/** What is seen, as a file. */

import { html, nothing, type TemplateResult } from "lit-html";
import { idOf, type BigScene } from "../drawing/big_scene_data.ts";
import type { Drawing } from "../drawing/drawing.ts";
import type { Scene } from "../protocol.ts";
import { line } from "../text.ts";
import { csvOf, dotOf, download, edgesCsv, nodesCsv, pngOf, textFile } from "./download.ts";

export function exportMenu(scene: Scene | BigScene, drawing: Drawing, label: string): TemplateResult {
  const name = fileName(label);
  const caption = `${line(label)}: ${line(scene.said)}`;
  const choices: [text: string, make: () => Blob | Promise<Blob>, end: string][] = [
    ["SVG picture", () => textFile(drawing.toSvg(caption), "image/svg+xml"), ".svg"],
    ["PNG picture", () => pngOf(drawing.toSvg(caption)), ".png"],
    ...("x" in scene ? bigTables(scene) : tables(scene)),
  ];
  return html`<details class="menu" @keydown=${closeOnEscape} @focusout=${closeWhenLeft}>
    <summary class="button">Export</summary>
    <ul>
      ${choices.map(
        ([text, make, end]) =>
          html`<li>
            <button
              class="plain"
              data-to=${end}
              @click=${async (event: Event) => {
                (event.currentTarget as HTMLElement).closest("details")?.removeAttribute("open");
                download(name + end, await make());
              }}
            >
              ${text}
            </button>
          </li>`,
      )}
      ${"x" in scene ? html`<li class="hint">The table and file formats hold all nodes.</li>` : nothing}
    </ul>
  </details>`;
}

type Choice = [text: string, make: () => Blob, end: string];

function tables(scene: Scene): Choice[] {
  return [
    ["JSON", () => textFile(JSON.stringify(scene, null, 1), "application/json"), ".json"],
    ["CSV of nodes", () => textFile(nodesCsv(scene), "text/csv"), ".nodes.csv"],
    ["CSV of edges", () => textFile(edgesCsv(scene), "text/csv"), ".edges.csv"],
    ["DOT (Graphviz)", () => textFile(dotOf(scene), "text/vnd.graphviz"), ".dot"],
  ];
}

function bigTables(scene: BigScene): Choice[] {
  const name = (node: number): string => idOf(scene, node);
  const nodes = (): [string, string | null, string | null][] =>
    Array.from({ length: scene.x.length }, (_, node) => [
      name(node),
      scene.types[scene.type[node] ?? -1] ?? null,
      scene.statuses[scene.status[node] ?? 0] ?? null,
    ]);
  const edges = (): [string, string][] =>
    Array.from({ length: scene.source.length }, (_, edge) => [
      name(scene.source[edge] ?? 0),
      name(scene.target[edge] ?? 0),
    ]);
  return [
    [
      "JSON",
      () =>
        textFile(
          JSON.stringify({ said: scene.said, complete: scene.complete, nodes: nodes(), edges: edges() }),
          "application/json",
        ),
      ".json",
    ],
    ["CSV of nodes", () => textFile(csvOf([["key", "type", "status"], ...nodes()]), "text/csv"), ".nodes.csv"],
    ["CSV of edges", () => textFile(csvOf([["from", "to"], ...edges()]), "text/csv"), ".edges.csv"],
  ];
}

function fileName(label: string): string {
  return line(label).replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^[-.]+|-+$/g, "").slice(0, 80) || "lineage";
}

function closeOnEscape(event: KeyboardEvent): void {
  if (event.key !== "Escape") return;
  const menu = event.currentTarget as HTMLElement;
  menu.removeAttribute("open");
  menu.querySelector("summary")?.focus();
  event.stopPropagation();
}

function closeWhenLeft(event: FocusEvent): void {
  const menu = event.currentTarget as HTMLElement;
  if (!(event.relatedTarget instanceof Node) || !menu.contains(event.relatedTarget)) menu.removeAttribute("open");
}
