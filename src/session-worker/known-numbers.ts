const keptMs = 600_000;
const keptMax = 1_000;

/** Where messages to a number go. */
interface KnownNumber {
  readonly chatId: string;
  /** Under which a message with this key will be found. */
  readonly messageId: (keyId: string) => string;
}

/**
 * Numbers that were written to in the last minutes. Each look-up is a question to WhatsApp's server, which limits them;
 * whoever leaves WhatsApp meanwhile is written to all the same, and the message stays unacknowledged.
 */
export class KnownNumbers {
  readonly #known = new Map<string, KnownNumber & { readonly until: number }>();

  get(digits: string): KnownNumber | null {
    const known = this.#known.get(digits);
    return known !== undefined && known.until > performance.now() ? known : null;
  }

  /** `messageId`: of a message to this number with the key `keyId`; those of others differ from it by their key only. */
  keep(digits: string, { chatId, messageId }: { chatId: string; messageId: string }, keyId: string): void {
    if (this.#known.size >= keptMax) this.#known.clear();
    const known = {
      chatId,
      messageId: (otherKeyId: string) => messageId.replace(keyId, otherKeyId),
      until: performance.now() + keptMs,
    };
    this.#known.set(digits, known);
  }

  forget(): void {
    this.#known.clear();
  }
}
