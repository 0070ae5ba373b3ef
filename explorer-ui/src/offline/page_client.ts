/** Answers from what a page holds: one file that opens without any server. */

import { AskError, canonical, type Client } from "../client.ts";
import type { BigScene } from "../drawing/big_scene_data.ts";
import { boxWidth } from "../drawing/node_shapes.ts";
import type { Answers, Hit, Licence, Method, NodeAnswer, Overview, Params, SearchAnswer } from "../protocol.ts";
import { GraphQuestions, type HeldGraph, type LineageQuestion } from "./held_graph.ts";

export interface PageData {
  title?: string | null;
  start?: string | null;
  store?: string | null;
  said?: string | null;
  complete?: boolean;
  graph?: HeldGraph | null;
  nodes?: Record<string, NodeAnswer> | null;
  answers?: { method: string; params: Params; answer: unknown }[] | null;
  licences?: Licence[] | null;
}

export class PageClient implements Client {
  readonly shell = "page";
  private readonly answers = new Map<string, unknown>();
  private readonly graph: HeldGraph;
  private readonly questions: GraphQuestions;

  constructor(private readonly data: PageData) {
    for (const { method, params, answer } of data.answers ?? []) this.answers.set(method + canonical(params), answer);
    this.graph = data.graph ?? { focus: null, nodes: [], edges: [] };
    const bounds = { said: data.said ?? "", complete: data.complete ?? true };
    this.questions = new GraphQuestions(this.graph, bounds, boxWidth);
  }

  async ask<M extends Method>(method: M, params: Params, signal?: AbortSignal): Promise<Answers[M]> {
    const held = this.answers.get(method + canonical(params));
    if (held !== undefined) return held as Answers[M];
    // A large layout takes a moment, in which the page shows that it works.
    await new Promise((resolve) => setTimeout(resolve));
    if (signal?.aborted) throw new DOMException("The question was withdrawn.", "AbortError");
    return this.answer(method, params) as Answers[M];
  }

  columns(): Promise<BigScene> {
    return Promise.reject(new AskError("This page holds no scene of that size."));
  }

  licences(): Promise<Licence[]> {
    return Promise.resolve(this.data.licences ?? []);
  }

  private answer(method: Method, params: Params): unknown {
    const { questions } = this;
    const fold = (params["fold"] as string | undefined) ?? "none";
    const expand = (params["expand"] as string[] | null | undefined) ?? [];
    switch (method) {
      case "overview":
        return this.overview();
      case "search":
        return this.search(params["text"] as string, Number(params["limit"]));
      case "labels":
        return { labels: {} };
      case "node":
        return this.data.nodes?.[this.known(params["key"])] ?? questions.node(this.known(params["key"]));
      case "lineage": {
        const { key, direction, hops } = params as unknown as LineageQuestion;
        return questions.lineage({ key: this.known(key), direction, hops: hops ?? null, fold, expand });
      }
      case "path":
        return questions.path(this.known(params["from"]), this.known(params["to"]), fold, expand);
      case "impact": {
        const key = this.known(params["key"]);
        const rows = questions.impact(key).flatMap(({ key: other, hops }) => {
          const node = questions.nodes.get(other);
          return node ? [{ ...node, hops }] : [];
        });
        return { scene: questions.downstream(key, fold, expand), rows };
      }
      default:
        throw new AskError(
          "This page does not hold that: it was made for one lineage. mlmd-lineage explore STORE shows all of the store.",
        );
    }
  }

  private known(key: unknown): string {
    if (typeof key === "string" && this.questions.nodes.has(key)) return key;
    throw new AskError(`This page does not hold ${String(key)}: it was made for one lineage.`);
  }

  private overview(): Overview {
    const { nodes, edges } = this.graph;
    const executions = nodes.filter(({ kind }) => kind === "execution").length;
    const types = new Map<string, { name: string; kind: string; count: number }>();
    for (const { kind, type } of nodes) {
      const name = type ?? "no type";
      const found = types.get(kind + name) ?? { name, kind, count: 0 };
      found.count++;
      types.set(kind + name, found);
    }
    return {
      store: this.data.store ?? this.data.title ?? "Lineage",
      kinds: { artifacts: nodes.length - executions, executions, events: edges.length },
      platforms: [],
      pipelines: [],
      findings: [],
      types: [...types.values()].sort((one, other) => other.count - one.count),
      complete: this.data.complete ?? true,
      said: this.data.said ?? null,
      start: this.graph.focus,
    };
  }

  private search(text: string, limit: number): SearchAnswer {
    const wanted = text.toLowerCase();
    const hits: Hit[] = [];
    for (const { key, kind, label, type, uri } of this.graph.nodes) {
      const places = { key, name: label, type, URI: uri, id: key.split("/")[1] };
      const found = Object.entries(places).find(([place, value]) =>
        place === "id" ? value === wanted : value?.toLowerCase().includes(wanted),
      );
      if (found) hits.push({ key, label, type, uri: uri ?? null, why: found[0], kind });
    }
    const said = text.startsWith("filter:") ? "A page on its own does not know the filter language." : null;
    return { hits: hits.slice(0, limit), total: hits.length, said };
  }
}
