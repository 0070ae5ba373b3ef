/** Charts of metrics over time: small multiples with one time axis, drawn by uPlot. */

import uPlot from "uplot";
import { html } from "../drawing/elements.ts";
import { counted, line, moment, numeral, shortened } from "../text.ts";

export type Point = [run: string, time: number | null, value: number | null];

const HEIGHT = 150;
const LEAST = 280; // pixels that a chart is wide at least
const TITLE = 34; // characters of a metric's name that fit above the narrowest chart

/** The charts of a pipeline's metrics. */
export class MetricCharts {
  readonly element = html("div", "charts");
  private plots: { plot: uPlot; element: HTMLElement }[] = [];
  private metrics: [name: string, points: Point[]][] = [];
  private readonly steady = html("details", "steady");
  private readonly resized: ResizeObserver;
  private width = 0;

  constructor(private readonly open: (run: string) => void) {
    this.resized = new ResizeObserver(() => {
      const width = this.element.clientWidth;
      if (width && Math.abs(width - this.width) > 4) this.draw();
    });
    this.resized.observe(this.element);
  }

  stop(): void {
    this.resized.disconnect();
    this.clear();
  }

  show(metrics: Record<string, Point[]>): void {
    const all = Object.entries(metrics)
      .map(([name, points]): [string, Point[]] => [
        name,
        points
          .filter(([, time, value]) => time !== null && value !== null && Number.isFinite(value))
          .sort((one, other) => (one[1] ?? 0) - (other[1] ?? 0)),
      ])
      .filter(([, points]) => points.length > 0);
    // A metric of a single run is drawn, so that it is seen where the next ones will come.
    this.metrics = all.filter(([, points]) => points.length === 1 || changes(points));
    this.showSteady(all.filter(([, points]) => points.length > 1 && !changes(points)));
    this.draw();
  }

  /** Draw anew: in another size, or in other colours. */
  draw(): void {
    this.clear();
    this.width = this.element.clientWidth;
    if (!this.width) return;
    const columns = Math.max(1, Math.min(4, Math.floor(this.width / LEAST), this.metrics.length));
    const width = Math.floor((this.width - 12 * (columns - 1)) / columns);
    const style = getComputedStyle(this.element);
    const colours = {
      line: style.getPropertyValue("--accent").trim(),
      text: style.getPropertyValue("--pale").trim(),
      grid: style.getPropertyValue("--rule").trim(),
    };
    const sync = uPlot.sync("mlmd-lineage-metrics");
    const times = this.metrics.flatMap(([, points]) => points.map(([, time]) => (time ?? 0) / 1000));
    const range = spread(times);
    for (const [name, points] of this.metrics) {
      const told = html("output", "hint");
      const figure = html("figure", "chart", html("figcaption", "", titled(name, TITLE), told));
      figure.style.width = `${width}px`;
      figure.setAttribute("role", "img");
      figure.setAttribute("aria-label", summary(name, points));
      this.element.insertBefore(figure, this.steady.isConnected ? this.steady : null);
      const last = points[points.length - 1];
      told.textContent = last ? numeral(last[2] ?? 0) : "";
      const plot = new uPlot(
        {
          width,
          height: HEIGHT,
          legend: { show: false },
          cursor: { sync: { key: sync.key }, points: { size: 9 }, drag: { x: false, y: false } },
          scales: { x: { time: true, range }, y: { range: heightOf } },
          axes: [
            axis(colours, 30),
            { ...axis(colours, 58), values: (_plot, ticks) => ticks.map((tick) => numeral(tick)) },
          ],
          series: [
            {},
            { stroke: colours.line, width: 1.5, points: { show: points.length < 200, size: 5, fill: colours.line } },
          ],
          hooks: {
            setCursor: [
              (self) => {
                const point = points[self.cursor.idx ?? -1] ?? last;
                const isHover = (self.cursor.idx ?? null) !== null;
                told.textContent = point
                  ? `${numeral(point[2] ?? 0)}${isHover ? ` · ${line(point[0])} · ${moment(point[1]).slice(0, 16)}` : ""}`
                  : "";
              },
            ],
          },
        },
        [points.map(([, time]) => (time ?? 0) / 1000), points.map(([, , value]) => value)],
        figure,
      );
      plot.over.addEventListener("click", () => {
        const point = points[plot.cursor.idx ?? -1];
        if (point) this.open(point[0]);
      });
      this.plots.push({ plot, element: figure });
    }
  }

  /** List the metrics that had one value in all runs, which a chart would show as a flat line. */
  private showSteady(metrics: [name: string, points: Point[]][]): void {
    this.steady.replaceChildren();
    this.steady.remove();
    if (metrics.length === 0) return;
    const list = html("dl");
    for (const [name, points] of metrics) {
      list.append(html("dt", "", titled(name, 2 * TITLE)), html("dd", "", numeral(points[0]?.[2] ?? 0)));
    }
    const one = metrics.length === 1;
    this.steady.append(
      html("summary", "", `${counted(metrics.length, "metric")} ${one ? "that is" : "that are"} the same in all runs`),
      list,
    );
    this.element.append(this.steady);
  }

  private clear(): void {
    for (const { plot, element } of this.plots) {
      plot.destroy();
      element.remove();
    }
    this.plots = [];
  }
}

/** Whether a metric ever had another value; those that do are shown first. */
function changes(points: Point[]): boolean {
  return points.some(([, , value]) => value !== points[0]?.[2]);
}

function axis(colours: { text: string; grid: string }, size: number): uPlot.Axis {
  return {
    size,
    stroke: colours.text,
    font: "11px Helvetica, Arial, sans-serif",
    grid: { stroke: colours.grid, width: 1 },
    ticks: { show: false },
  };
}

/** All charts have one axis of time; a single moment needs room to both sides, or there is no axis. */
function spread(times: number[]): uPlot.Range.Function {
  const first = times.reduce((one, other) => Math.min(one, other), Infinity);
  const last = times.reduce((one, other) => Math.max(one, other), -Infinity);
  const room = Math.max((last - first) * 0.04, last === first ? 3600 : 1);
  return () => [first - room, last + room];
}

const heightOf: uPlot.Range.Function = (_plot, least, most) => {
  const room = (most - least) * 0.12 || Math.abs(most) * 0.1 || 1;
  return [least - room, most + room];
};

function summary(name: string, points: Point[]): string {
  const values = points.map(([, , value]) => value ?? 0);
  const least = values.reduce((one, other) => Math.min(one, other), Infinity);
  const most = values.reduce((one, other) => Math.max(one, other), -Infinity);
  const last = values[values.length - 1] ?? 0;
  return `${line(name)} over ${points.length} runs: from ${numeral(least)} to ${numeral(most)}, last ${numeral(last)}`;
}

/** Return a name that keeps its beginning and its end where it is too long; whole on hovering. */
function titled(name: string, length: number): HTMLElement {
  const element = html("bdi", "", shortened(line(name), length));
  element.title = line(name);
  return element;
}
