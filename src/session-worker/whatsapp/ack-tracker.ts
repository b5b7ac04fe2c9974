import type { FoundMessage } from '../../contract/worker-commands.js';

const trackedMax = 1_000;

/** Keeps the last acknowledgement of each recent message, and the callers that wait for one. */
export class AckTracker {
  readonly #acks = new Map<string, FoundMessage>();
  readonly #waiting = new Map<string, (found: FoundMessage) => void>();

  record(messageId: string, found: FoundMessage): void {
    if (found.ack === 0) return;
    this.#acks.delete(messageId);
    this.#acks.set(messageId, found);
    for (const oldest of this.#acks.keys()) {
      if (this.#acks.size <= trackedMax) break;
      this.#acks.delete(oldest);
    }
    this.#waiting.get(messageId)?.(found);
  }

  /** The last acknowledgement, as soon as there is one. null: none within `ms`. One caller per message at a time. */
  next(messageId: string, ms: number): Promise<FoundMessage | null> {
    const known = this.#acks.get(messageId);
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve) => {
      const settle = (found: FoundMessage | null) => {
        clearTimeout(timer);
        if (this.#waiting.get(messageId) === settle) this.#waiting.delete(messageId);
        resolve(found);
      };
      const timer = setTimeout(() => settle(null), Math.max(0, ms));
      this.#waiting.set(messageId, settle);
    });
  }
}
