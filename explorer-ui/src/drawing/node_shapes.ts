/** Boxes and lines of a scene as SVG elements, alike to those of lineage/render/svg.py. */

import type { Role, SceneEdge, SceneNode, Status } from "../protocol.ts";
import { line, printable, shortened } from "../text.ts";
import { svg } from "./elements.ts";

export const MARKS: Record<Status, string> = {
  completed: "✓",
  cached: "↻",
  failed: "✕",
  running: "…",
  canceled: "–",
};

export const DASHES: Record<Role, string | null> = {
  uses: null,
  produces: null,
  reuses: "7 4",
  later: "2 4",
  internal: "1.5 3.5",
  resolves: "7 3 1.5 3",
  pending: "3 3",
  phantom: "1.5 5",
  after: null,
};

export const ROLE_MEANINGS: Record<Role, string> = {
  uses: "the step read the artifact",
  produces: "the step wrote the artifact",
  reuses: "a cached step passed it on",
  later: "written again after it was used",
  internal: "of the platform's own making",
  resolves: "a resolver looked it up",
  pending: "announced, and never finished",
  phantom: "recorded, and never came to be",
  after: "ran after the other step",
};

/** Return what a box looks like: `artifact`, `execution` or `group`. */
export function lookOf(node: SceneNode): "artifact" | "execution" | "group" {
  if (node.kind !== "fold") return node.kind;
  const of = node.of ?? "";
  if (of === "run" || of === "pipeline" || of === "nested" || of === "dag" || of === "loop") return "group";
  if (node.key.startsWith("artifact/")) return "artifact";
  return node.key.startsWith("execution/") ? "execution" : "group";
}

/** Return what a screen reader says of a box, after the texts that show in it. */
export function spokenName(node: SceneNode, shown: string, into: number, out: number): string {
  const number = node.key.split("/")[1] ?? "";
  const more = (node.more?.upstream ?? 0) + (node.more?.downstream ?? 0);
  return [
    shown,
    node.kind === "fold" ? `folded, ${node.count ?? node.keys?.length ?? 0} nodes` : `${node.kind} ${number}`,
    node.status ?? "",
    node.missing ? "missing" : "",
    `${into} in, ${out} out`,
    more ? `${more} more not shown` : "",
  ]
    .filter(Boolean)
    .join(", ");
}

let measuring: CanvasRenderingContext2D | null | undefined;

/** Return how wide a text is, in pixels; the browser's fonts say so without a layout. */
function textWidth(text: string, font: string): number {
  measuring ??= document.createElement("canvas").getContext("2d");
  if (!measuring) return text.length * 7;
  measuring.font = font;
  return measuring.measureText(text).width;
}

const FAMILY = "Helvetica, Arial, sans-serif";

/** Return how wide a box must be for its texts, up to a limit. */
export function boxWidth(node: SceneNode): number {
  const name = textWidth(line(node.label), `600 12.5px ${FAMILY}`) + (node.status ? 20 : 0);
  const about = textWidth(line(node.about ?? aboutOf(node)), `11px ${FAMILY}`);
  return Math.min(260, Math.max(84, name + 26, about + 26));
}

/** Return a text shortened in its middle so that it fits. */
export function fitted(text: string, width: number, size: number, weight = 400): string {
  const font = `${weight} ${size}px ${FAMILY}`;
  const wide = textWidth(text, font);
  if (wide <= width) return text;
  let length = Math.max(3, Math.floor((text.length * width) / wide));
  while (length > 3 && textWidth(shortened(text, length), font) > width) length--;
  return shortened(text, length);
}

/** Return a box, its texts, its status and the handles that show what lies beyond it. */
export function nodeShape(node: SceneNode, isFocus: boolean): SVGGElement {
  const { x, y, w, h } = node;
  const [left, top] = [x - w / 2, y - h / 2];
  const look = lookOf(node);
  const corner = look === "artifact" ? 13 : look === "group" ? 6 : 2.5;
  const size = { width: w, height: h, rx: corner };
  const group = svg("g", {
    class: `node ${look}${isFocus ? " focus" : ""}${node.missing ? " missing" : ""}${node.internal ? " internal" : ""}`,
    "data-id": node.id,
  });
  const name = line(node.label) || "(no name)";
  const about = line(node.about ?? aboutOf(node));
  group.append(svg("title", {}, told(node.title ?? [name, about].filter(Boolean).join("\n"))));
  group.append(svg("rect", { class: "halo", x: left - 4, y: top - 4, width: w + 8, height: h + 8, rx: corner + 4 }));
  if (node.kind === "fold") {
    group.append(svg("rect", { class: "box behind", x: left + 4, y: top + 4, ...size }));
  }
  group.append(svg("rect", { class: "box", x: left, y: top, ...size }));
  const status = node.status ? 20 : 0;
  const middle = x - status / 2 + (status ? 1 : 0);
  group.append(
    svg("text", { class: "name", x: middle, y: about ? y - 3 : y + 4 }, fitted(name, w - 16 - status, 12.5, 600)),
  );
  // Texts read together need blanks between them: "run 12" and "3 steps" are not "run 123 steps".
  if (about) group.append(" ", svg("text", { class: "about", x, y: y + 12 }, fitted(about, w - 14, 11)));
  if (node.status) group.append(statusMark(left + w - 12, top + 11, node.status));
  for (const side of ["upstream", "downstream"] as const) {
    const number = node.more?.[side];
    if (number) group.append(" ", handle(side === "upstream" ? left : left + w, top + h, number, side));
  }
  return group;
}

/** Return what a pointer that rests is told. */
function told(text: string): string {
  return shortened(printable(text), 1000);
}

function aboutOf(node: SceneNode): string {
  if (node.kind === "fold") return node.count ? `${node.count} nodes` : "";
  const number = `#${node.key.split("/")[1] ?? ""}`;
  return node.type && node.type !== node.label ? `${number} ${node.type}` : number;
}

export function statusMark(x: number, y: number, status: Status): SVGGElement {
  return svg(
    "g",
    { class: `status ${status}`, "aria-hidden": "true" },
    svg("circle", { cx: x, cy: y, r: 7 }),
    svg("text", { x, y: y + 3.5 }, MARKS[status]),
  );
}

function handle(x: number, y: number, number: number, side: string): SVGGElement {
  const text = number > 99 ? "99+" : `+${number}`;
  const width = 12 + text.length * 6;
  // At the lower corner, where no line begins or ends.
  const left = side === "upstream" ? x - width / 2 + 4 : x - width / 2 - 4;
  return svg(
    "g",
    { class: "handle", "data-side": side, "aria-hidden": "true" },
    svg("title", {}, `${number} more ${side}`),
    svg("rect", { x: left, y: y - 8, width, height: 16, rx: 8 }),
    svg("text", { x: left + width / 2, y: y + 3.5 }, text),
  );
}

/** Return a line with its arrow head and label. */
export function edgeShape(edge: SceneEdge, source: SceneNode, target: SceneNode): SVGGElement {
  const points = pointsOf(edge, source, target);
  const [end, level] = points[points.length - 1] ?? [0, 0];
  const side = target.x > end ? 1 : -1;
  const hollow = edge.role === "pending" || edge.role === "phantom";
  const group = svg("g", { class: `edge ${edge.role}` });
  group.append(
    svg("path", { class: "line", d: curve(points, side), "stroke-dasharray": DASHES[edge.role] }),
    svg("path", {
      class: hollow ? "head hollow" : "head",
      d: `M${num(end)} ${num(level)}l${-side * 8} -4v8z`,
    }),
  );
  const times = (edge.count ?? 1) > 1 ? ` ×${edge.count}` : "";
  const text = `${line(edge.label)}${times}`.trim();
  const what = `${line(source.label)} → ${line(target.label)}: ${edge.role}${text ? `, ${text}` : ""}`;
  group.append(svg("title", {}, edge.title ? told(edge.title) : what));
  if (text) {
    const some = target.kind === "execution" ? points.slice(-2) : points.slice(0, 2);
    const [[left, up], [right, down]] = [some[0] ?? [0, 0], some[1] ?? [0, 0]];
    const room = Math.max(40, Math.abs(right - left) - 8);
    group.append(
      svg("text", { class: "label", x: (left + right) / 2, y: (up + down) / 2 - 5 }, fitted(text, room, 10)),
    );
  }
  return group;
}

function pointsOf(edge: SceneEdge, source: SceneNode, target: SceneNode): [number, number][] {
  if (edge.points && edge.points.length > 1) return edge.points;
  const side = source.x < target.x ? 1 : -1;
  return [
    [source.x + (side * source.w) / 2, source.y],
    [target.x - (side * target.w) / 2, target.y],
  ];
}

function curve(points: [number, number][], side: number): string {
  let [x, y] = points[0] ?? [0, 0];
  let path = `M${num(x)} ${num(y)}`;
  points.slice(1).forEach(([to, height], at) => {
    const stop = at === points.length - 2 ? to - side * 7 : to;
    if (height === y || stop === x) {
      path += `L${num(stop)} ${num(height)}`;
    } else {
      const half = (stop - x) / 2;
      path += `C${num(x + half)} ${num(y)} ${num(stop - half)} ${num(height)} ${num(stop)} ${num(height)}`;
    }
    [x, y] = [to, height];
  });
  return path;
}

function num(number: number): string {
  return String(Math.round(number * 10) / 10);
}
