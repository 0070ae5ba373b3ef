/** What both ways to draw a scene offer: as marks in the page, and on a canvas. */

export interface DrawingEvents {
  /** A node was chosen by click or key; null for the ground. */
  chosen(id: string | null): void;
  /** Enter or a double click: go on from this node. */
  opened(id: string): void;
  /** A handle was pressed: show what lies beyond. */
  expanded(id: string, side: string): void;
}

export interface Drawing {
  readonly element: HTMLElement;
  /** Show all of it. */
  fit(): void;
  zoom(factor: number): void;
  pan(dx: number, dy: number): void;
  /** Bring a node to the middle. */
  center(id: string): void;
  /** Mark a node as chosen and keep its paths shown; null for none. */
  select(id: string | null): void;
  /** Give a node the keyboard's focus. */
  focus(id: string): void;
  /** Draw anew in the colours that now hold. */
  colour(): void;
  /** Return the picture as an SVG document with a line of text beneath. */
  toSvg(caption: string): string;
  stop(): void;
}
