/** A picture of the page as an SVG document of its own, with the colours that it shows. */

import { svg } from "./elements.ts";
import type { Box } from "./viewport.ts";

const KEPT = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-size", "font-weight", "text-anchor"];
const DEFAULTS: Record<string, string> = {
  stroke: "none",
  "stroke-dasharray": "none",
  opacity: "1",
  "text-anchor": "start",
};
const MARGIN = 24;
const LINE = 18;

/** Return a document with all of a picture, as it looks, and a text beneath. */
export function svgDocument(picture: SVGSVGElement, bounds: Box, caption: string): string {
  const copy = picture.cloneNode(true) as SVGSVGElement;
  const [shown, copied] = [picture.querySelectorAll("*"), copy.querySelectorAll("*")];
  // Small texts are left away in the page only.
  const far = picture.classList.contains("far");
  picture.classList.remove("far");
  copied.forEach((element, number) => {
    const original = shown[number];
    if (original) inline(element, original);
  });
  picture.classList.toggle("far", far);
  for (const element of copy.querySelectorAll(".halo, [display=none]")) element.remove();
  const world = copy.querySelector(".world");
  world?.removeAttribute("transform");
  world?.removeAttribute("class");
  const width = bounds.right - bounds.left + 2 * MARGIN;
  const lines = wrapped(caption, Math.max(40, Math.floor(width / 6.6)));
  const height = bounds.bottom - bounds.top + 2 * MARGIN + lines.length * LINE;
  const [left, top] = [bounds.left - MARGIN, bounds.top - MARGIN];
  const style = getComputedStyle(picture);
  const ground = svg("rect", {
    x: left,
    y: top,
    width,
    height,
    fill: style.getPropertyValue("--ground").trim() || "#ffffff",
  });
  const texts = lines.map((text, at) =>
    svg(
      "text",
      {
        x: left + MARGIN,
        y: bounds.bottom + MARGIN + at * LINE + 8,
        "font-size": 12,
        fill: style.getPropertyValue("--pale").trim() || "#51606f",
      },
      text,
    ),
  );
  const whole = svg("svg", {
    viewBox: `${left} ${top} ${width} ${height}`,
    width,
    height,
    "font-family": "Helvetica, Arial, sans-serif",
    role: "img",
    "aria-label": caption,
  });
  whole.append(ground, ...(world ? [world] : []), ...texts);
  return new XMLSerializer().serializeToString(whole);
}

function inline(element: Element, original: Element): void {
  for (const name of ["class", "tabindex", "role", "aria-label", "aria-pressed", "aria-hidden", "data-id", "data-side"]) {
    if (name !== "class" || element.getAttribute("class") !== "world") element.removeAttribute(name);
  }
  const tag = element.tagName;
  if (tag === "title" || tag === "g") {
    const { opacity } = getComputedStyle(original);
    if (tag === "g" && opacity !== "1") element.setAttribute("opacity", opacity);
    if (original.getAttribute("class") === "halo") element.remove();
    return;
  }
  const style = getComputedStyle(original);
  if (style.display === "none" || style.visibility === "hidden") element.setAttribute("display", "none");
  for (const name of KEPT) {
    const value = style.getPropertyValue(name);
    if (!tag.startsWith("text") && (name.startsWith("font") || name === "text-anchor")) continue;
    if (value && value !== DEFAULTS[name]) element.setAttribute(name, value);
  }
  if (original.getAttribute("class") === "halo") element.setAttribute("display", "none");
}

function wrapped(text: string, length: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines[lines.length - 1];
    if (last !== undefined && last.length + word.length < length) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
