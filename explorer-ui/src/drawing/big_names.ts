/** The names of a big scene's nodes, asked for as they come in sight. */

import type { Client } from "../client.ts";
import { idOf, isFold, plainLabel, type BigScene } from "./big_scene_data.ts";

const PAUSE = 120; // milliseconds without a further wish before they are asked for

export class BigNames {
  private readonly names = new Map<number, string>();
  private readonly wanted = new Set<number>();
  private readonly listeners = new Set<() => void>();
  private readonly withdrawn = new AbortController();
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly scene: BigScene,
    private readonly client: Client,
  ) {}

  stop(): void {
    this.withdrawn.abort();
    if (this.timer !== null) clearTimeout(this.timer);
  }

  /** Be told when further names have come. */
  onChange(listener: () => void): void {
    this.listeners.add(listener);
  }

  /** Return what a node is called, as far as it is known: its type before its name. */
  of(node: number): string {
    return this.names.get(node) ?? plainLabel(this.scene, node);
  }

  /** Ask for the names of nodes, once no others are wished for. */
  ask(nodes: Iterable<number>): void {
    for (const node of nodes) {
      if (!this.names.has(node) && !isFold(this.scene, node)) this.wanted.add(node);
    }
    if (!this.wanted.size) return;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = setTimeout(() => this.fetch(), PAUSE);
  }

  private fetch(): void {
    const nodes = [...this.wanted];
    this.wanted.clear();
    const keys = nodes.map((node) => idOf(this.scene, node));
    const named = (labels: Record<string, [string, string | null]>): void => {
      // Types stay where names do not come.
      nodes.forEach((node, at) => this.names.set(node, labels[keys[at] ?? ""]?.[0] ?? plainLabel(this.scene, node)));
    };
    this.client.ask("labels", { keys }, this.withdrawn.signal).then(
      ({ labels }) => {
        named(labels);
        for (const listener of this.listeners) listener();
      },
      () => named({}),
    );
  }
}
