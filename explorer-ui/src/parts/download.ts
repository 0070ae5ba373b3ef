/** Files that the page hands out: pictures and tables of what is seen. */

import type { Scene } from "../protocol.ts";

const MOST_PIXELS = 12_000; // per side; browsers give up beyond about 16,000

export function download(name: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export function textFile(text: string, type: string): Blob {
  return new Blob([text], { type: `${type};charset=utf-8` });
}

/** Return an SVG document as a PNG image of twice its size, or of what the browser can draw. */
export async function pngOf(document_: string): Promise<Blob> {
  const url = URL.createObjectURL(textFile(document_, "image/svg+xml"));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const { naturalWidth: width, naturalHeight: height } = image;
    const scale = Math.min(2, MOST_PIXELS / width, MOST_PIXELS / height);
    const canvas = document.createElement("canvas");
    canvas.width = Math.ceil(width * scale);
    canvas.height = Math.ceil(height * scale);
    canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve, reject) =>
      canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The browser could not draw the picture.")))),
    );
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** Return rows as CSV (RFC 4180). A text that a spreadsheet would take for a formula gets a ' before it. */
export function csvOf(rows: readonly (readonly (string | number | null | undefined)[])[]): string {
  return rows.map((row) => row.map(cell).join(",") + "\r\n").join("");
}

function cell(value: string | number | null | undefined): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function nodesCsv(scene: Scene): string {
  const rows = scene.nodes.map((node) => [
    node.key,
    node.kind,
    node.label,
    node.type,
    node.status,
    node.run,
    node.pipeline,
    node.count ?? 1,
  ]);
  return csvOf([["key", "kind", "name", "type", "status", "run", "pipeline", "nodes"], ...rows]);
}

export function edgesCsv(scene: Scene): string {
  const keys = new Map(scene.nodes.map((node) => [node.id, node.key]));
  const rows = scene.edges.map((edge) => [
    keys.get(edge.from),
    keys.get(edge.to),
    edge.role,
    edge.label,
    edge.count ?? 1,
  ]);
  return csvOf([["from", "to", "role", "path", "events"], ...rows]);
}

/** Return a scene as Graphviz DOT. */
export function dotOf(scene: Scene): string {
  const nodes = scene.nodes.map((node) => {
    const shape = node.kind === "execution" ? "box" : node.kind === "artifact" ? "ellipse" : "box3d";
    return `  ${quoted(node.id)} [label=${quoted(node.label)}, shape=${shape}];`;
  });
  const edges = scene.edges.map(
    (edge) => `  ${quoted(edge.from)} -> ${quoted(edge.to)} [label=${quoted(edge.label ?? "")}, class=${quoted(edge.role)}];`,
  );
  return ["digraph lineage {", "  rankdir=LR;", ...nodes, ...edges, "}", ""].join("\n");
}

function quoted(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}
