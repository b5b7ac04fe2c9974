import type { OnBound } from '../contract/bounds.js';
import type { EventData, EventType, SessionEvent } from '../contract/events.js';
import type { RunFacts } from '../contract/status.js';
import { pause } from '../platform/deadline.js';
import type { Logger } from '../platform/logger.js';
import type { Redis } from '../platform/redis/connection.js';
import { appendEvents } from '../platform/store/event-writer.js';

const batchSize = 100;
const retryMs = 500;

/** What happened in the chats. */
export type ChatEventData = {
  [Type in 'message' | 'message_ack']: { readonly type: Type; readonly data: EventData<Type> };
}['message' | 'message_ack'];

/**
 * Brings to the event stream what happens in the chats, in order and under the fence. While Redis is away, or the fence is
 * being claimed anew, it waits, and so does whoever brings more: the page keeps what cannot be taken.
 */
export class EventRelay {
  readonly #redis: Redis;
  readonly #run: () => RunFacts;
  readonly #log: Logger;
  readonly #onBound: OnBound;
  readonly #stopping = new AbortController();
  #relaying: Promise<void> = Promise.resolve();

  /** `run` says who writes at this moment: its epoch and incarnation change with a new fence. */
  constructor(redis: Redis, run: () => RunFacts, log: Logger, onBound: OnBound = () => undefined) {
    this.#redis = redis;
    this.#run = run;
    this.#log = log;
    this.#onBound = onBound;
  }

  /** Resolves when all of it is written. Rejects when it was stopped before. */
  add(events: readonly ChatEventData[]): Promise<void> {
    if (this.#stopping.signal.aborted) return Promise.reject(new Error('nothing is taken any more'));
    const at = new Date().toISOString();
    const added = this.#relaying.then(() => this.#relay(events, at));
    this.#relaying = added.catch(() => undefined);
    return added;
  }

  /** Takes nothing more; resolves when what waits is written, or once Redis refuses it. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#relaying;
  }

  async #relay(events: readonly ChatEventData[], at: string): Promise<void> {
    const { session } = this.#run();
    const told = events.map(({ type, data }): SessionEvent<EventType> => ({ type, session, at, data }));
    for (let from = 0; from < told.length; from += batchSize) {
      const batch = told.slice(from, from + batchSize);
      while (!(await this.#append(batch))) {
        if (this.#stopping.signal.aborted) throw new Error('the events were not written before the end');
        await pause(retryMs, this.#stopping.signal);
      }
    }
  }

  async #append(batch: readonly SessionEvent[]): Promise<boolean> {
    const run = this.#run();
    try {
      return await appendEvents(this.#redis, run.session, run, batch, this.#onBound);
    } catch (error) {
      this.#log.warn({ err: error }, 'redis refused events; trying again');
      return false;
    }
  }
}
