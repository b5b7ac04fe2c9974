import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { sessionKeys } from '../../src/contract/keys.js';
import { eventually } from '../support/eventually.js';
import type { ChaosCluster } from './cluster.js';
import { Random } from './random.js';

/** What a client of a session's events has received. */
interface Followed {
  readonly session: string;
  /** The position, as a browser keeps it. */
  lastId: string | null;
  /** The first position. The events before it are not expected. */
  firstId: string | null;
  readonly ids: string[];
}

/** The events that a stream kept are received within this after the recovery. */
const catchUpMs = 20_000;

/**
 * Clients of the event streams, one for each session. When a stream breaks, its client goes on at another replica where it was
 * cut. Meanwhile somebody writes to each account.
 */
export class Followers {
  readonly #cluster: ChaosCluster;
  readonly #complain: (what: string) => void;
  readonly #followed: readonly Followed[];
  readonly #leaving = new AbortController();
  readonly #loops: Promise<void>[];

  constructor(cluster: ChaosCluster, seed: number, complain: (what: string) => void) {
    this.#cluster = cluster;
    this.#complain = complain;
    this.#followed = cluster.sessions.map(({ name }) => ({
      ...{ session: name, lastId: null, firstId: null, ids: [] },
    }));
    this.#loops = [
      ...this.#followed.map((followed, nth) => this.#follow(followed, new Random(seed + 100 + nth))),
      this.#write(),
    ];
  }

  /** Compares what each client received with the stream in Redis. Resolves to the number of events. Call it when all is well again. */
  async judge(): Promise<number> {
    const redis = new Redis(this.#cluster.redis.url);
    try {
      for (const followed of this.#followed) await this.#compare(followed, redis);
    } finally {
      redis.disconnect();
      await this.stop();
    }
    return this.#followed.reduce((sum, { ids }) => sum + ids.length, 0);
  }

  async stop(): Promise<void> {
    this.#leaving.abort();
    await Promise.all(this.#loops);
  }

  async #compare({ session, firstId, ids }: Followed, redis: Redis): Promise<void> {
    const kept = async () =>
      (await redis.xrange(sessionKeys(session).events, firstId === null ? '-' : `(${firstId}`, '+')).map(
        ([id]) => id,
      );
    const isComplete = async () => (await kept()).every((id) => ids.includes(id));
    await eventually(isComplete, { timeoutMs: catchUpMs, intervalMs: 200 }).catch(() => undefined);
    const missing = (await kept()).filter((id) => !ids.includes(id));
    if (firstId === null) this.#complain(`${session}: no event stream was ever open`);
    if (missing.length > 0)
      this.#complain(`${session}: ${missing.length} events were not received: ${missing.slice(0, 3)}`);
    const repeated = ids.filter((id, i) => ids.indexOf(id) !== i);
    if (repeated.length > 0)
      this.#complain(`${session}: events were received twice: ${repeated.slice(0, 3)}`);
  }

  async #follow(followed: Followed, random: Random): Promise<void> {
    while (!this.#leaving.signal.aborted) {
      // A replica that dies or does not answer.
      await this.#read(followed, random.between(0, 2)).catch(() => undefined);
      await sleep(200);
    }
  }

  async #read(followed: Followed, replica: number): Promise<void> {
    const { session, lastId } = followed;
    const url = `${await this.#cluster.replicas[replica]?.url()}/api/sessions/${session}/events`;
    const response = await fetch(url, {
      signal: this.#leaving.signal,
      ...(lastId === null ? {} : { headers: { 'last-event-id': lastId } }),
    });
    if (response.status !== 200) {
      if (response.status !== 503)
        this.#complain(`the events of ${session}: ${response.status} ${await response.text()}`);
      await response.body?.cancel();
      return;
    }
    let rest = '';
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const blocks = (rest + chunk).split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) this.#take(followed, block);
    }
  }

  #take(followed: Followed, block: string): void {
    const id = /^id: (.*)$/m.exec(block)?.[1];
    const data = /^data: (.*)$/m.exec(block)?.[1];
    if (data !== undefined) {
      const { type, session } = JSON.parse(data) as { type: string; session: string };
      if (session !== followed.session)
        this.#complain(`the events of ${followed.session} have one of ${session}`);
      if (type === 'gap') this.#complain(`the events of ${followed.session} have a gap`);
      if (id !== undefined) followed.ids.push(id);
    }
    if (id === undefined) return;
    followed.lastId = id;
    followed.firstId ??= id;
  }

  async #write(): Promise<void> {
    for (let count = 1; !this.#leaving.signal.aborted; count++) {
      for (const { name, account } of this.#cluster.sessions)
        await account.phone.receive({ from: '15550003333', body: `to ${name} ${count}` });
      await sleep(1_000, undefined, { signal: this.#leaving.signal }).catch(() => undefined);
    }
  }
}
