import type { PreparedMessage } from '../../contract/worker-commands.js';

const keptMs = 600_000;
const keptMax = 1_000;

/** The chat of a recipient. */
interface KnownRecipient extends Pick<PreparedMessage, 'chatId' | 'phone'> {
  /** The id of a message with this key. */
  readonly messageId: (keyId: string) => string;
}

/**
 * Caches the recipients of the last ten minutes. That saves lookups, which WhatsApp's server limits. A message to a person who
 * has left WhatsApp since then is still sent, and stays unacknowledged.
 */
export class NumberCache {
  readonly #known = new Map<string, KnownRecipient & { readonly until: number }>();

  /** `recipient`: digits or an id. */
  get(recipient: string): KnownRecipient | null {
    const known = this.#known.get(recipient);
    return known !== undefined && known.until > performance.now() ? known : null;
  }

  /** Ids of messages to one recipient differ in their `keyId` only. */
  keep(recipient: string, { chatId, messageId, phone }: PreparedMessage, keyId: string): void {
    if (this.#known.size >= keptMax) this.#known.clear();
    const known = {
      ...{ chatId, phone },
      messageId: (otherKeyId: string) => messageId.replace(keyId, otherKeyId),
      until: performance.now() + keptMs,
    };
    this.#known.set(recipient, known);
  }

  forget(): void {
    this.#known.clear();
  }
}
