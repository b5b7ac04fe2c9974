import { idOfNumber } from '../../contract/whatsapp.js';
import type { SendRecipient } from '../../contract/worker-commands.js';

/** About 4 MB at most. */
const aliasesMax = 10_000;

/** The alias of a recipient. It needs no answer of WhatsApp. */
export function aliasOf({ phoneNumber, chatId }: SendRecipient): string {
  return phoneNumber === null ? (chatId ?? '') : idOfNumber(phoneNumber);
}

/**
 * Knows which aliases mean the same chat: the numbers and ids from callers, and the ids from WhatsApp. Keeps them for the
 * life of the run, but at most {@link aliasesMax}: it forgets the least recently used.
 */
export class ChatAliases {
  /** From one alias to another of the same chat. An alias without an entry is the key of its chat, so there is no cycle. */
  readonly #next = new Map<string, string>();

  /** The one alias that stands for the chat. */
  keyOf(alias: string): string {
    let key = alias;
    for (let next = this.#next.get(key); next !== undefined; next = this.#next.get(key)) {
      // Moves it to the end of the map, whose first entry is the least recently used.
      this.#next.delete(key);
      this.#next.set(key, next);
      key = next;
    }
    return key;
  }

  /** Joins two aliases into one chat. Returns its `key`, and the `former` key that it replaces. null: they were joined already. */
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
