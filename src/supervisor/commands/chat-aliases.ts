import { idOfNumber } from '../../contract/whatsapp.js';
import type { SendRecipient } from '../../contract/worker-commands.js';

/** About 4 MB at most. */
const aliasesMax = 10_000;

/** The alias of a recipient before WhatsApp has answered which chat it is. */
export function aliasOf({ phoneNumber, chatId }: SendRecipient): string {
  return phoneNumber === null ? (chatId ?? '') : idOfNumber(phoneNumber);
}

/**
 * Which aliases mean the same chat: the numbers and ids that callers give, and the ids that WhatsApp answers. Kept for the
 * life of the run, but no more than {@link aliasesMax}: the least recently used are forgotten.
 */
export class ChatAliases {
  /** An alias and another of the same chat. One that has no entry here is the key of its chat, so there is no cycle. */
  readonly #next = new Map<string, string>();

  /** The one alias that stands for the chat. */
  keyOf(alias: string): string {
    let key = alias;
    for (let next = this.#next.get(key); next !== undefined; next = this.#next.get(key)) {
      // Moved to the end of the map, whose first entry is the least recently used.
      this.#next.delete(key);
      this.#next.set(key, next);
      key = next;
    }
    return key;
  }

  /** Joins two aliases into one chat. Returns its `key` and the `former` key that it replaces; null: they were one already. */
  join(alias: string, other: string): { readonly former: string; readonly key: string } | null {
    const former = this.keyOf(alias);
    const key = this.keyOf(other);
    if (former === key) return null;
    this.#next.set(former, key);
    if (this.#next.size > aliasesMax) {
      const [oldest = ''] = this.#next.keys();
      this.#next.delete(oldest);
    }
    return { former, key };
  }
}
