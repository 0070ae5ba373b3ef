/** A big scene as an SVG document: a box for each node, a line for each edge. */

import type { BigScene } from "./big_scene_data.ts";
import { svg } from "./elements.ts";
import type { Box } from "./viewport.ts";
import type { Colour, Palette } from "./webgl.ts";

const MARGIN = 40;

/** Return the document; its shapes are gathered into a few paths, or no program could open it. */
export function bigSvg(
  scene: BigScene,
  half: { width: number; height: number },
  palette: Palette,
  bounds: Box,
  caption: string,
  { ground, pale }: { ground: string; pale: string },
): string {
  const { x, y, kind, status, source, target } = scene;
  const failed = scene.statuses.indexOf("failed");
  const boxes: string[][] = [[], [], [], [], [], []];
  for (let node = 0; node < x.length; node++) {
    const look = (kind[node] ?? 0) * 2 + (status[node] === failed ? 1 : 0);
    boxes[look]?.push(`M${(x[node] ?? 0) - half.width} ${(y[node] ?? 0) - half.height}h${2 * half.width}v${2 * half.height}h${-2 * half.width}z`);
  }
  const lines: string[] = [];
  for (let edge = 0; edge < source.length; edge++) {
    const [from, to] = [source[edge] ?? 0, target[edge] ?? 0];
    lines.push(`M${(x[from] ?? 0) + half.width} ${y[from]}L${(x[to] ?? 0) - half.width} ${y[to]}`);
  }
  const [left, top] = [bounds.left - MARGIN, bounds.top - MARGIN];
  const [width, height] = [bounds.right - left + MARGIN, bounds.bottom - top + 3 * MARGIN];
  const size = Math.max(14, width / 110);
  const whole = svg(
    "svg",
    { viewBox: `${left} ${top} ${width} ${height}`, role: "img", "aria-label": caption, "font-family": "Helvetica, Arial, sans-serif" },
    svg("rect", { x: left, y: top, width, height, fill: ground }),
    svg("path", { d: lines.join(""), fill: "none", stroke: hex(palette.edge), "stroke-opacity": 0.5 }),
    ...boxes.map((some, look) =>
      svg("path", {
        d: some.join(""),
        fill: hex(palette.fills[Math.floor(look / 2)] ?? [0, 0, 0]),
        stroke: hex(look % 2 ? palette.failed : (palette.lines[Math.floor(look / 2)] ?? [0, 0, 0])),
      }),
    ),
    svg("text", { x: left + MARGIN, y: bounds.bottom + 1.6 * MARGIN, fill: pale, "font-size": size }, caption),
  );
  return new XMLSerializer().serializeToString(whole);
}

function hex(colour: Colour): string {
  return `#${colour.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}
