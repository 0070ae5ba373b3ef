/** A small picture of the whole scene, which shows and moves the part that is seen. */

import { html } from "./elements.ts";
import type { Box } from "./viewport.ts";

const WIDTH = 168;
const HEIGHT = 104;

export interface Dots {
  length: number;
  /** The middle, the width and height, and the colour of a node. */
  at(node: number): { x: number; y: number; w: number; h: number; colour: string };
}

export class Minimap {
  readonly element: HTMLElement;
  private readonly canvas = html("canvas");
  private readonly frame = html("div", "frame");
  private scale = 1;
  private left = 0;
  private top = 0;

  constructor(
    private readonly bounds: Box,
    private readonly move: (x: number, y: number) => void,
  ) {
    this.element = html("div", "minimap", this.canvas, this.frame);
    // The same can be had with keys: arrows, + and -.
    this.element.setAttribute("aria-hidden", "true");
    const drag = (event: PointerEvent): void => {
      if (!(event.buttons & 1)) return;
      const { left, top } = this.canvas.getBoundingClientRect();
      this.move((event.clientX - left - this.left) / this.scale, (event.clientY - top - this.top) / this.scale);
      event.preventDefault();
    };
    this.element.addEventListener("pointerdown", (event) => {
      // The picture beneath is not what is dragged.
      event.stopPropagation();
      this.element.setPointerCapture(event.pointerId);
      drag(event);
    });
    this.element.addEventListener("pointermove", drag);
  }

  draw(dots: Dots): void {
    const { left, top, right, bottom } = this.bounds;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = WIDTH * ratio;
    this.canvas.height = HEIGHT * ratio;
    this.scale = Math.min((WIDTH - 8) / Math.max(1, right - left), (HEIGHT - 8) / Math.max(1, bottom - top));
    this.left = (WIDTH - (right - left) * this.scale) / 2 - left * this.scale;
    this.top = (HEIGHT - (bottom - top) * this.scale) / 2 - top * this.scale;
    const context = this.canvas.getContext("2d");
    if (!context) return;
    context.scale(ratio, ratio);
    for (let node = 0; node < dots.length; node++) {
      const { x, y, w, h, colour } = dots.at(node);
      context.fillStyle = colour;
      const [wide, high] = [Math.max(1.5, w * this.scale), Math.max(1.5, h * this.scale)];
      context.fillRect(x * this.scale + this.left - wide / 2, y * this.scale + this.top - high / 2, wide, high);
    }
  }

  /** Show which part is seen; where all of it is, the map hides. */
  show(seen: Box): void {
    const { left, top, right, bottom } = this.bounds;
    const all = seen.left <= left && seen.top <= top && seen.right >= right && seen.bottom >= bottom;
    this.element.classList.toggle("needless", all);
    const x = clamp(seen.left * this.scale + this.left, 0, WIDTH);
    const y = clamp(seen.top * this.scale + this.top, 0, HEIGHT);
    const { style } = this.frame;
    style.left = `${x}px`;
    style.top = `${y}px`;
    style.width = `${Math.max(2, clamp(seen.right * this.scale + this.left, 0, WIDTH) - x)}px`;
    style.height = `${Math.max(2, clamp(seen.bottom * this.scale + this.top, 0, HEIGHT) - y)}px`;
  }
}

function clamp(number: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, number));
}
