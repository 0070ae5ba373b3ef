/** The edges of a scene as an index both ways: neighbours, closures and paths. */

export interface Edge {
  from: string;
  to: string;
}

export interface Found {
  nodes: Set<string>;
  /** The numbers of edges. */
  edges: Set<number>;
}

export class Links {
  private readonly out = new Map<string, number[]>();
  private readonly into = new Map<string, number[]>();

  constructor(private readonly edges: readonly Edge[]) {
    edges.forEach(({ from, to }, number) => {
      append(this.out, from, number);
      append(this.into, to, number);
    });
  }

  /** Return the nodes at the other ends of edges that leave a node. */
  downstream(id: string): string[] {
    return (this.out.get(id) ?? []).flatMap((number) => this.edges[number]?.to ?? []);
  }

  /** Return the nodes at the other ends of edges that lead to a node. */
  upstream(id: string): string[] {
    return (this.into.get(id) ?? []).flatMap((number) => this.edges[number]?.from ?? []);
  }

  /** Return a node and all that can be reached from it against or along the edges. */
  closure(id: string, direction: "upstream" | "downstream"): Set<string> {
    const seen = new Set([id]);
    const next = [id];
    for (let at = next.pop(); at !== undefined; at = next.pop()) {
      for (const other of direction === "upstream" ? this.upstream(at) : this.downstream(at)) {
        if (!seen.has(other)) {
          seen.add(other);
          next.push(other);
        }
      }
    }
    return seen;
  }

  /** Return all that lies on directed paths between two nodes, whichever comes first. */
  between(one: string, other: string): Found | null {
    for (const [source, target] of [
      [one, other],
      [other, one],
    ] as const) {
      const reached = this.closure(source, "downstream");
      if (reached.has(target)) {
        const leading = this.closure(target, "upstream");
        return this.within(new Set([...reached].filter((id) => leading.has(id))));
      }
    }
    return null;
  }

  /**
   * Return what is shown of a node: the paths between it and the focus, or, where there are none,
   * all that led to it and all that came from it.
   */
  paths(id: string, focus: string | null): Found {
    const found = focus !== null && focus !== id ? this.between(focus, id) : null;
    if (found) return found;
    const upstream = this.within(this.closure(id, "upstream"));
    const downstream = this.within(this.closure(id, "downstream"));
    return {
      nodes: new Set([...upstream.nodes, ...downstream.nodes]),
      edges: new Set([...upstream.edges, ...downstream.edges]),
    };
  }

  private within(nodes: Set<string>): Found {
    const edges = new Set<number>();
    for (const id of nodes) {
      for (const number of this.out.get(id) ?? []) {
        const to = this.edges[number]?.to;
        if (to !== undefined && nodes.has(to)) edges.add(number);
      }
    }
    return { nodes, edges };
  }
}

function append(map: Map<string, number[]>, key: string, value: number): void {
  const some = map.get(key);
  if (some) some.push(value);
  else map.set(key, [value]);
}
