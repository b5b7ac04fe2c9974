import type { PreparedMessage } from '../../contract/worker-commands.js';

const keptMs = 600_000;
const keptMax = 1_000;

/** Where messages to a recipient go. */
interface KnownRecipient extends Pick<PreparedMessage, 'chatId' | 'phone'> {
  /** Under which a message with this key will be found. */
  readonly messageId: (keyId: string) => string;
}

/**
 * Recipients that were written to in the last minutes. Each look-up is a question to WhatsApp's server, which limits them;
 * whoever leaves WhatsApp meanwhile is written to all the same, and the message stays unacknowledged.
 */
export class NumberCache {
  readonly #known = new Map<string, KnownRecipient & { readonly until: number }>();

  /** `recipient`: digits or an id. */
  get(recipient: string): KnownRecipient | null {
    const known = this.#known.get(recipient);
    return known !== undefined && known.until > performance.now() ? known : null;
  }

  /** Keys of messages to one recipient differ by their `keyId` only. */
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
