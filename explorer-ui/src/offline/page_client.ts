/** Answers from what a page holds: one file that opens without any server. */

import { AskError, canonical, type Client } from "../client.ts";
import type { BigScene } from "../drawing/big_scene_data.ts";
import { boxWidth } from "../drawing/node_shapes.ts";
import type { Answers, DiffAnswer, Hit, Licence, Method, NodeAnswer, Overview, Params, PipelineAnswer, RunAnswer, RunRow, SearchAnswer, Value } from "../protocol.ts";
import { valueText } from "../text.ts";
import { compareNodes, compareRuns } from "./comparison.ts";
import { GraphQuestions, type HeldGraph, type LineageQuestion } from "./held_graph.ts";

const NOT_HELD = "This page does not hold that. mlmd-lineage explore STORE shows all of a store.";

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
      case "pipeline":
        return this.pipeline(params);
      case "run":
        return this.held("run", { name: params["name"] });
      case "diff":
        return this.diff(params["a"] as string, params["b"] as string);
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
        throw new AskError(NOT_HELD);
    }
  }

  /** Compare two runs that the page holds with their steps, or two nodes. */
  private diff(a: string, b: string): DiffAnswer {
    if (a.startsWith("run:") && b.startsWith("run:")) {
      const [one, other] = [a, b].map((key) => this.held("run", { name: key.slice(4) }) as RunAnswer) as [RunAnswer, RunAnswer];
      return compareRuns(one, other);
    }
    const node = (key: string): NodeAnswer | null => this.data.nodes?.[key] ?? this.questions.node(key);
    return compareNodes({ node }, this.known(a), this.known(b));
  }

  /** Return an answer that the page was given. */
  private held(method: Method, params: Params): unknown {
    const answer = this.answers.get(method + canonical(params));
    if (answer === undefined) throw new AskError(NOT_HELD);
    return answer;
  }

  /** Sort and filter the rows that the page holds, as the Python side does. */
  private pipeline({ name, offset, limit, sort, filter }: Params): PipelineAnswer {
    const answer = this.held("pipeline", { name, offset: 0, limit }) as PipelineAnswer;
    const wanted = ((filter ?? "") as string).toLowerCase();
    const rows = answer.rows.filter((row) => cellsOf(row).some((value) => valueText(value).toLowerCase().includes(wanted)));
    const order = sort as { key: string; descending: boolean } | null | undefined;
    if (order) sortRows(rows, order.key, order.descending);
    const from = Number(offset);
    const told = answer.total > answer.rows.length ? `This page holds the newest ${answer.rows.length} of ${answer.total} runs.` : null;
    return { ...answer, rows: rows.slice(from, from + Number(limit)), total: rows.length, said: told };
  }

  private known(key: unknown): string {
    if (typeof key === "string" && this.questions.nodes.has(key)) return key;
    throw new AskError(`This page does not hold ${String(key)}. mlmd-lineage explore STORE shows all of a store.`);
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
    const said = text.startsWith("filter:") ? "Conditions of the filter language are asked of a store: mlmd-lineage explore STORE. This file finds names, types, URIs and keys." : null;
    return { hits: hits.slice(0, limit), total: hits.length, said };
  }
}

function cellsOf(row: RunRow): Value[] {
  return [row.run, row.status, ...[row.parameters, row.metrics, row.inputs].flatMap((held) => Object.values(held))];
}

/** Sort rows by a column such as `metric.auc`; those without a value come last. */
function sortRows(rows: RunRow[], key: string, isDescending: boolean): void {
  const [group, ...rest] = key.split(".");
  const cell = (row: RunRow): Value => {
    const held = row as unknown as Record<string, Value | Record<string, Value>>;
    const value = rest.length ? (held[`${group ?? ""}s`] as Record<string, Value>)[rest.join(".")] : held[key];
    return value;
  };
  const side = isDescending ? -1 : 1;
  rows.sort((one, other) => {
    const [a, b] = [cell(one) ?? null, cell(other) ?? null];
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    if (typeof a === "number" && typeof b === "number") return (a - b) * side;
    return (valueText(a) < valueText(b) ? -1 : 1) * side;
  });
}
