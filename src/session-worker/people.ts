import { bounds, type OnBound } from '../contract/bounds.js';
import type { Message, Person } from '../contract/whatsapp.js';
import { withDeadline } from '../platform/deadline.js';
import type { Logger } from '../platform/logger.js';
import type { Redis } from '../platform/redis/connection.js';
import { readNumbers, rememberNumbers } from '../platform/store/lid-map.js';

const patienceMs = 1_000;
const knownMax = 10_000;

/**
 * Numbers behind hidden ids: what the page tells is remembered for the account, and what it does not tell is filled in. Best
 * effort: without Redis people are told as the page knows them.
 */
export class People {
  readonly #redis: Redis;
  readonly #session: string;
  readonly #account: () => string | null;
  readonly #log: Logger;
  readonly #onBound: OnBound;
  readonly #known = new Map<string, string>();
  #knownOf: string | null = null;

  constructor(
    redis: Redis,
    session: string,
    account: () => string | null,
    log: Logger,
    onBound: OnBound = () => undefined,
  ) {
    this.#redis = redis;
    this.#session = session;
    this.#account = account;
    this.#log = log;
    this.#onBound = onBound;
  }

  async complete<Told extends Person | null>(people: readonly Told[]): Promise<Told[]> {
    const account = this.#account();
    if (account === null) return [...people];
    if (this.#knownOf !== account) this.#known.clear();
    this.#knownOf = account;
    try {
      await withDeadline(this.#exchange(account, people), patienceMs, 'redis');
    } catch (error) {
      this.#log.debug({ err: error }, 'numbers behind hidden ids neither kept nor looked up');
    }
    return people.map((person) =>
      person === null || person.phone !== null || person.lid === null
        ? person
        : { ...person, phone: this.#known.get(person.lid) ?? null },
    );
  }

  async completeSenders(messages: readonly Message[]): Promise<Message[]> {
    const senders = await this.complete(messages.map(({ sender }) => sender));
    return messages.map((message, i) => ({ ...message, sender: senders[i] ?? null }));
  }

  async #exchange(account: string, people: readonly (Person | null)[]): Promise<void> {
    const news = new Map<string, string>();
    const asked = new Set<string>();
    for (const person of people) {
      if (person?.lid == null) continue;
      const known = this.#known.get(person.lid);
      if (person.phone === null && known === undefined) asked.add(person.lid);
      if (person.phone !== null && known !== person.phone) news.set(person.lid, person.phone);
    }
    const unknown = [...asked].filter((lid) => !news.has(lid));
    if (news.size > 0) {
      const told = [...news].map(([lid, phone]) => ({ lid, phone }));
      const count = await rememberNumbers(this.#redis, this.#session, account, told);
      if (count > bounds.knownNumbers) this.#onBound('knownNumbers');
      for (const [lid, phone] of news) this.#keep(lid, phone);
    }
    if (unknown.length === 0) return;
    const numbers = await readNumbers(this.#redis, this.#session, account, unknown);
    unknown.forEach((lid, i) => {
      const phone = numbers[i];
      if (phone != null) this.#keep(lid, phone);
    });
  }

  #keep(lid: string, phone: string): void {
    if (this.#known.size >= knownMax) this.#known.clear();
    this.#known.set(lid, phone);
  }
}
