import { idOfNumber } from '../../contract/whatsapp.js';
import type { SendRecipient } from '../../contract/worker-commands.js';

/** Some 4 MB at most. */
const knownMax = 10_000;

/** The name by which a recipient is known before WhatsApp has told its chat. */
export function nameOf({ phoneNumber, chatId }: SendRecipient): string {
  return phoneNumber === null ? (chatId ?? '') : idOfNumber(phoneNumber);
}

/**
 * Which names mean the same chat: the number and the ids that callers give, and the id that WhatsApp answers. Known for as
 * long as the run lives, of the names that were used last.
 */
export class KnownChats {
  /** A name, and another one of the same chat. Those that lead nowhere stand for their chats, so there is no circle. */
  readonly #others = new Map<string, string>();

  /** The one name that stands for the chat. */
  keyOf(name: string): string {
    let key = name;
    for (let other = this.#others.get(key); other !== undefined; other = this.#others.get(key)) {
      // Moved to the end: what is used is not forgotten.
      this.#others.delete(key);
      this.#others.set(key, other);
      key = other;
    }
    return key;
  }

  /** From now on both are names of one chat. The keys of what were two chats so far: the first gave way to the second. */
  join(name: string, other: string): { readonly former: string; readonly key: string } | null {
    const former = this.keyOf(name);
    const key = this.keyOf(other);
    if (former === key) return null;
    this.#others.set(former, key);
    if (this.#others.size > knownMax) {
      const [oldest = ''] = this.#others.keys();
      this.#others.delete(oldest);
    }
    return { former, key };
  }
}
