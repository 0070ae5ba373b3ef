/** Answers from what a page holds: one file that opens without any server. */

import { AskError, canonical, type Client } from "./client.ts";
import type { BigScene } from "./drawing/big_scene_data.ts";
import type { Answers, Licence, Method, Params } from "./protocol.ts";

export interface PageData {
  title?: string | null;
  start?: string | null;
  answers: { method: string; params: Params; answer: unknown }[];
  licences?: Licence[];
}

export class PageClient implements Client {
  readonly shell = "page";
  private readonly answers = new Map<string, unknown>();

  constructor(private readonly data: PageData) {
    for (const { method, params, answer } of data.answers) this.answers.set(method + canonical(params), answer);
  }

  ask<M extends Method>(method: M, params: Params): Promise<Answers[M]> {
    const answer = this.answers.get(method + canonical(params));
    if (answer !== undefined) return Promise.resolve(answer as Answers[M]);
    return Promise.reject(new AskError("This page does not hold that: it was made for one answer. Ask the store."));
  }

  columns(): Promise<BigScene> {
    return Promise.reject(new AskError("This page holds no scene of that size."));
  }

  licences(): Promise<Licence[]> {
    return Promise.resolve(this.data.licences ?? []);
  }
}
