/** Questions to the Python side: over HTTP, or over the messages of a notebook's widget. */

import { type BigScene, decodeScene } from "./drawing/big_scene_data.ts";
import type { Answers, Licence, Method, Params, Scene, SceneMethod, TooBig } from "./protocol.ts";

/** A question that could not be answered; the message says what failed and what to do. */
export class AskError extends Error {}

export interface Client {
  /** What else the page may offer: questions beyond what lies in a file, for one. */
  readonly shell: "server" | "page" | "widget";
  ask<M extends Method>(method: M, params: Params, signal?: AbortSignal): Promise<Answers[M]>;
  /** The columns of a scene that is too big for marks in the page. */
  columns(method: SceneMethod, params: Params, signal?: AbortSignal): Promise<BigScene>;
  licences(): Promise<Licence[]>;
}

/** Return parameters in one defined order, without those that say nothing. */
export function kept(params: Params): Params {
  const said = Object.entries(params)
    .filter(([, value]) => value !== null && value !== undefined)
    .sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(said);
}

/** Return parameters as one text, by which answers are found again. */
export function canonical(params: Params): string {
  return JSON.stringify(kept(params));
}

/** Return a scene as it came, or its columns where it is over the limit. */
export async function sceneOf(
  client: Client,
  method: SceneMethod,
  params: Params,
  answer: Scene | TooBig,
  signal?: AbortSignal,
): Promise<Scene | BigScene> {
  return "big" in answer ? client.columns(method, params, signal) : answer;
}

/** A client that tells how many questions wait for their answers. */
export class CountingClient implements Client {
  private waiting = 0;

  constructor(
    private readonly inner: Client,
    private readonly changed: (waiting: number) => void,
  ) {}

  get shell(): "server" | "page" | "widget" {
    return this.inner.shell;
  }

  ask<M extends Method>(method: M, params: Params, signal?: AbortSignal): Promise<Answers[M]> {
    return this.counted(this.inner.ask(method, params, signal));
  }

  columns(method: SceneMethod, params: Params, signal?: AbortSignal): Promise<BigScene> {
    return this.counted(this.inner.columns(method, params, signal));
  }

  licences(): Promise<Licence[]> {
    return this.counted(this.inner.licences());
  }

  private counted<T>(answer: Promise<T>): Promise<T> {
    this.changed(++this.waiting);
    // Those who asked get the answer first, and show it.
    return answer.finally(() => setTimeout(() => this.changed(--this.waiting)));
  }
}

/** The client of a page that the server sent. */
export class ServerClient implements Client {
  readonly shell = "server";

  constructor(private readonly base = ".") {}

  async ask<M extends Method>(method: M, params: Params, signal?: AbortSignal): Promise<Answers[M]> {
    const response = await this.get(`${this.base}/api/${method}`, params, signal);
    return (await response.json()) as Answers[M];
  }

  async columns(method: SceneMethod, params: Params, signal?: AbortSignal): Promise<BigScene> {
    const response = await this.get(`${this.base}/api/columns`, { method, params: kept(params) }, signal);
    return decodeScene(await response.arrayBuffer(), { method, params });
  }

  async licences(): Promise<Licence[]> {
    const response = await fetch(`${this.base}/static/licences.json`);
    return (await response.json()) as Licence[];
  }

  private async get(path: string, params: Params, signal?: AbortSignal): Promise<Response> {
    let response: Response;
    try {
      const options = signal ? { signal } : {};
      response = await fetch(`${path}?q=${encodeURIComponent(canonical(params))}`, options);
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new AskError("The server does not answer. Is mlmd-lineage explore still running?");
    }
    if (response.ok) return response;
    let said = `The server answered ${response.status} ${response.statusText}.`;
    try {
      const { error } = (await response.json()) as { error?: string };
      if (error) said = error;
    } catch {
      // What is no JSON comes from something between the page and the server.
    }
    throw new AskError(said);
  }
}

/** What anywidget hands a widget's front end, as far as it is used here. */
export interface WidgetModel {
  get(name: string): unknown;
  send(content: unknown): void;
  on(event: string, listener: (content: unknown, buffers: DataView[]) => void): void;
  off(event: string, listener: (content: unknown, buffers: DataView[]) => void): void;
}

interface Pending {
  resolve: (answer: unknown) => void;
  reject: (error: Error) => void;
}

/** The client of a widget: each question is a message with a number, and so is its answer. */
export class WidgetClient implements Client {
  readonly shell = "widget";
  private readonly pending = new Map<number, Pending>();
  private next = 1;

  constructor(private readonly model: WidgetModel) {
    model.on("msg:custom", this.received);
  }

  async ask<M extends Method>(method: M, params: Params, signal?: AbortSignal): Promise<Answers[M]> {
    return (await this.send(method, params, signal)) as Answers[M];
  }

  async columns(method: SceneMethod, params: Params, signal?: AbortSignal): Promise<BigScene> {
    const bytes = await this.send("columns", { method, params: kept(params) }, signal);
    if (!(bytes instanceof DataView)) throw new AskError("The kernel sent no columns.");
    return decodeScene(
      bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer,
      { method, params },
    );
  }

  async licences(): Promise<Licence[]> {
    return (await this.send("licences", {})) as Licence[];
  }

  stop(): void {
    this.model.off("msg:custom", this.received);
    for (const { reject } of this.pending.values()) reject(new AskError("The view was closed."));
    this.pending.clear();
  }

  private readonly received = (content: unknown, buffers: DataView[]): void => {
    const { id, answer, error } = content as { id: number; answer?: unknown; error?: string };
    const asked = this.pending.get(id);
    if (!asked) return;
    this.pending.delete(id);
    if (error) asked.reject(new AskError(error));
    else asked.resolve(buffers[0] ?? answer);
  };

  private send(method: string, params: Params, signal?: AbortSignal): Promise<unknown> {
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.pending.set(id, { resolve, reject });
      signal?.addEventListener("abort", () => {
        this.pending.delete(id);
        reject(new DOMException("The question was withdrawn.", "AbortError"));
      });
      this.model.send({ id, method, params: JSON.parse(canonical(params)) as unknown });
    });
  }
}
