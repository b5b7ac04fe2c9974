import type { FoundMessage } from '../../contract/worker-commands.js';

const remembered = 1_000;

/** What WhatsApp's server last said of each of the newest messages, for whoever waits for it. */
export class AckTracker {
  readonly #told = new Map<string, FoundMessage>();
  readonly #waiting = new Map<string, (found: FoundMessage) => void>();

  tell(messageId: string, found: FoundMessage): void {
    if (found.ack === 0) return;
    this.#told.delete(messageId);
    this.#told.set(messageId, found);
    for (const oldest of this.#told.keys()) {
      if (this.#told.size <= remembered) break;
      this.#told.delete(oldest);
    }
    this.#waiting.get(messageId)?.(found);
  }

  /** What was said of it, once something was; null: nothing within `ms`. One waits for a message at a time. */
  next(messageId: string, ms: number): Promise<FoundMessage | null> {
    const told = this.#told.get(messageId);
    if (told !== undefined) return Promise.resolve(told);
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
