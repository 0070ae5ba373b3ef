/** Panning and zooming with mouse, fingers and keys over a part of the page. */

export interface View {
  /** Where the picture's origin lies, in pixels of the page, and how many of them one of its is. */
  x: number;
  y: number;
  scale: number;
}

export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

const SMALLEST = 0.02;
const LARGEST = 4;
const CLICK = 4; // pixels that a pointer may move within a click

export class Viewport {
  view: View = { x: 0, y: 0, scale: 1 };
  private readonly pointers = new Map<number, { x: number; y: number }>();
  private moved = 0;
  private readonly stopped = new AbortController();

  constructor(
    private readonly element: HTMLElement,
    private readonly changed: () => void,
    /** Whether the wheel zooms by itself; in a notebook it scrolls the page, and Ctrl zooms. */
    private readonly wheelZooms: boolean,
  ) {
    const { signal } = this.stopped;
    element.addEventListener("wheel", this.wheel, { passive: false, signal });
    element.addEventListener("pointerdown", this.down, { signal });
    element.addEventListener("pointermove", this.move, { signal });
    for (const name of ["pointerup", "pointercancel"] as const) {
      element.addEventListener(name, this.up, { signal });
    }
    // What ends a drag is no click on what lies beneath.
    element.addEventListener("click", this.click, { capture: true, signal });
  }

  stop(): void {
    this.stopped.abort();
  }

  get size(): { width: number; height: number } {
    return { width: this.element.clientWidth, height: this.element.clientHeight };
  }

  set(view: View): void {
    this.view = { ...view, scale: Math.min(LARGEST, Math.max(SMALLEST, view.scale)) };
    this.changed();
  }

  /** Show a box of the picture whole, a small one a little larger than it is. */
  fit(box: Box, margin = 28): void {
    const { width, height } = this.size;
    const wide = Math.max(1, box.right - box.left);
    const high = Math.max(1, box.bottom - box.top);
    const scale = Math.min(1.25, (width - 2 * margin) / wide, (height - 2 * margin) / high);
    this.set({
      scale: Math.max(SMALLEST, scale),
      x: (width - wide * scale) / 2 - box.left * scale,
      y: (height - high * scale) / 2 - box.top * scale,
    });
  }

  center(x: number, y: number, scale = this.view.scale): void {
    const { width, height } = this.size;
    this.set({ scale, x: width / 2 - x * scale, y: height / 2 - y * scale });
  }

  pan(dx: number, dy: number): void {
    this.set({ ...this.view, x: this.view.x + dx, y: this.view.y + dy });
  }

  zoom(factor: number, at?: { x: number; y: number }): void {
    const { width, height } = this.size;
    const { x, y } = at ?? { x: width / 2, y: height / 2 };
    const scale = Math.min(LARGEST, Math.max(SMALLEST, this.view.scale * factor));
    const ratio = scale / this.view.scale;
    this.set({ scale, x: x - (x - this.view.x) * ratio, y: y - (y - this.view.y) * ratio });
  }

  /** Return the part of the picture that shows. */
  shown(): Box {
    const { width, height } = this.size;
    const { x, y, scale } = this.view;
    return {
      left: -x / scale,
      top: -y / scale,
      right: (width - x) / scale,
      bottom: (height - y) / scale,
    };
  }

  private position(event: MouseEvent): { x: number; y: number } {
    const { left, top } = this.element.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  private readonly wheel = (event: WheelEvent): void => {
    if (!this.wheelZooms && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const pixels = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY : event.deltaY * 20;
    this.zoom(Math.exp(-pixels * (event.ctrlKey ? 0.008 : 0.002)), this.position(event));
  };

  private readonly down = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    if (this.pointers.size === 0) this.moved = 0;
    this.pointers.set(event.pointerId, this.position(event));
  };

  private readonly move = (event: PointerEvent): void => {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = this.position(event);
    const others = [...this.pointers].filter(([id]) => id !== event.pointerId);
    this.pointers.set(event.pointerId, now);
    this.moved += Math.hypot(now.x - before.x, now.y - before.y);
    if (this.moved > CLICK && !this.element.hasPointerCapture(event.pointerId)) {
      this.element.setPointerCapture(event.pointerId);
      this.element.classList.add("panning");
    }
    const other = others[0]?.[1];
    if (other) {
      const distance = Math.hypot(now.x - other.x, now.y - other.y);
      const earlier = Math.hypot(before.x - other.x, before.y - other.y);
      this.zoom(distance / Math.max(1, earlier), {
        x: (now.x + other.x) / 2,
        y: (now.y + other.y) / 2,
      });
    } else if (this.moved > CLICK) {
      this.pan(now.x - before.x, now.y - before.y);
    }
  };

  private readonly up = (event: PointerEvent): void => {
    this.pointers.delete(event.pointerId);
    if (this.pointers.size === 0) this.element.classList.remove("panning");
  };

  private readonly click = (event: MouseEvent): void => {
    // A click by key has no pointer that could have moved.
    if (this.moved > CLICK && event.detail > 0) event.stopPropagation();
    this.moved = 0;
  };
}
