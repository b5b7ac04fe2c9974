import { bounds, type OnBound } from '../contract/bounds.js';
import type { Fence } from '../contract/status.js';
import type { Message, Person } from '../contract/whatsapp.js';
import { withDeadline } from '../platform/deadline.js';
import type { Logger } from '../platform/logger.js';
import type { StoreConnection } from '../platform/redis/store-connection.js';
import { readNumbers, rememberNumbers } from '../platform/store/lid-map.js';

const redisTimeoutMs = 1_000;
const cachedMax = 10_000;

type FencedRun = Fence & { readonly session: string };

/**
 * Completes people with the phone numbers behind their hidden ids (`…@lid`). Stores numbers that the page knows in Redis, for
 * the account, and takes from there those that it does not know. Best effort: without Redis, people stay as the page
 * describes them.
 */
export class PhoneCompleter {
  readonly #redis: StoreConnection;
  readonly #run: () => FencedRun;
  readonly #account: () => string | null;
  readonly #log: Logger;
  readonly #onBound: OnBound;
  readonly #cache = new Map<string, string>();
  #cacheAccount: string | null = null;

  /** `run`: the current run, whose epoch and incarnation change with a new fence. */
  constructor(
    redis: StoreConnection,
    run: () => FencedRun,
    account: () => string | null,
    log: Logger,
    onBound: OnBound,
  ) {
    this.#redis = redis;
    this.#run = run;
    this.#account = account;
    this.#log = log;
    this.#onBound = onBound;
  }

  /** Fills in the known phone numbers of people with a hidden id. Returns the same people in the same order. */
  async complete<Given extends Person | null>(people: readonly Given[]): Promise<Given[]> {
    const account = this.#account();
    if (account === null) return [...people];
    if (this.#cacheAccount !== account) this.#cache.clear();
    this.#cacheAccount = account;
    try {
      await withDeadline(this.#exchange(account, people), redisTimeoutMs, 'Redis');
    } catch (error) {
      this.#log.debug({ err: error }, 'could not store or read the numbers behind hidden ids');
    }
    return people.map((person) =>
      person === null || person.phone !== null || person.lid === null
        ? person
        : { ...person, phone: this.#cache.get(person.lid) ?? null },
    );
  }

  async completeSenders(messages: readonly Message[]): Promise<Message[]> {
    const senders = await this.complete(messages.map(({ sender }) => sender));
    return messages.map((message, i) => ({ ...message, sender: senders[i] ?? null }));
  }

  async #exchange(account: string, people: readonly (Person | null)[]): Promise<void> {
    const run = this.#run();
    const { session } = run;
    const fresh = new Map<string, string>();
    const wanted = new Set<string>();
    for (const person of people) {
      if (person?.lid == null) continue;
      const cached = this.#cache.get(person.lid);
      if (person.phone === null && cached === undefined) wanted.add(person.lid);
      if (person.phone !== null && cached !== person.phone) fresh.set(person.lid, person.phone);
    }
    const unknown = [...wanted].filter((lid) => !fresh.has(lid));
    if (fresh.size > 0) {
      const numbers = [...fresh].map(([lid, phone]) => ({ lid, phone }));
      const count = await rememberNumbers(this.#redis, session, run, account, numbers);
      if (count > bounds.knownNumbers) this.#onBound('knownNumbers');
      // Else the run was lost, or claims its fence again.
      if (count > 0) for (const [lid, phone] of fresh) this.#remember(lid, phone);
    }
    if (unknown.length === 0) return;
    const found = await readNumbers(this.#redis, session, account, unknown);
    unknown.forEach((lid, i) => {
      const phone = found[i];
      if (phone != null) this.#remember(lid, phone);
    });
  }

  #remember(lid: string, phone: string): void {
    if (this.#cache.size >= cachedMax) this.#cache.clear();
    this.#cache.set(lid, phone);
  }
}
