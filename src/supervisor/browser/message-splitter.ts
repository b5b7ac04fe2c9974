import { MiB } from '../../contract/bounds.js';

/** A longer message is dropped. A caller that waits for it reaches its own deadline. */
const messageMaxBytes = 64 * MiB;

/** Splits the chunks of a stream into messages, each of which ends with a NUL byte. */
export class MessageSplitter {
  readonly #onMessage: (message: string) => void;
  #parts: Buffer[] = [];
  #bytes = 0;

  /** `onMessage` may throw: that message is dropped, and the next one is read. */
  constructor(onMessage: (message: string) => void) {
    this.#onMessage = onMessage;
  }

  push(chunk: Buffer): void {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(0, from);
      const part = chunk.subarray(from, end === -1 ? undefined : end);
      this.#bytes += part.length;
      if (this.#bytes > messageMaxBytes) this.#parts = [];
      else this.#parts.push(part);
      if (end === -1) return;
      from = end + 1;
      this.#finish();
    }
  }

  #finish(): void {
    const parts = this.#parts;
    this.#parts = [];
    this.#bytes = 0;
    if (parts.length === 0) return;
    try {
      this.#onMessage(Buffer.concat(parts).toString());
    } catch {
      // The message does not follow the protocol.
    }
  }
}
