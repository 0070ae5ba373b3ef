/** A question whose answer a view waits for; a newer one withdraws it. */

export class Question<T> {
  answer: T | null = null;
  error: string | null = null;
  loading = false;
  private asked: AbortController | null = null;
  private key: string | null = null;

  constructor(private readonly changed: () => void) {}

  /** Ask, unless the same was asked before; the answer before stays until the new one is there. */
  ask(key: string, question: (signal: AbortSignal) => Promise<T>, then?: (answer: T) => void): void {
    if (this.key === key && !this.error) return;
    this.stop();
    this.key = key;
    const asked = new AbortController();
    this.asked = asked;
    this.loading = true;
    this.error = null;
    this.changed();
    question(asked.signal)
      .then((answer) => {
        if (asked.signal.aborted) return;
        this.loading = false;
        this.answer = answer;
        then?.(answer);
        this.changed();
      })
      .catch((error: unknown) => {
        if (asked.signal.aborted) return;
        this.loading = false;
        this.answer = null;
        this.error = error instanceof Error ? error.message : String(error);
        this.changed();
      });
  }

  /** Withdraw the question; whoever answers it can stop. */
  stop(): void {
    this.asked?.abort();
    this.asked = null;
    this.loading = false;
    this.key = null;
  }

  forget(): void {
    this.stop();
    this.answer = null;
    this.error = null;
  }
}
