import type { OnBound } from '../contract/bounds.js';
import type { EventData, EventType, SessionEvent } from '../contract/events.js';
import type { RunFacts } from '../contract/status.js';
import { pause } from '../platform/deadline.js';
import type { Logger } from '../platform/logger.js';
import type { StoreConnection } from '../platform/redis/store-connection.js';
import { writeRetryMs } from '../platform/retry.js';
import { appendEvents } from '../platform/store/event-writer.js';

const batchSize = 100;
/** An event of the chats, without the fields that all events have. */
export type ChatEventData = {
  [Type in 'message' | 'message_ack']: { readonly type: Type; readonly data: EventData<Type> };
}['message' | 'message_ack'];

/**
 * Appends chat events to the event stream, in order and under the fence. It retries while Redis is unreachable, and while the
 * run claims its fence again. Later calls wait for that, and the page keeps its events until then.
 */
export class EventRelay {
  readonly #redis: StoreConnection;
  readonly #run: () => RunFacts;
  readonly #log: Logger;
  readonly #onBound: OnBound;
  readonly #stopping = new AbortController();
  #relaying: Promise<void> = Promise.resolve();
  #isFailing = false;

  /** `run`: the current run, whose epoch and incarnation change with a new fence. */
  constructor(redis: StoreConnection, run: () => RunFacts, log: Logger, onBound: OnBound) {
    this.#redis = redis;
    this.#run = run;
    this.#log = log;
    this.#onBound = onBound;
  }

  /** Resolves when all events are written. Rejects when the relay stops before. */
  add(events: readonly ChatEventData[]): Promise<void> {
    if (this.#stopping.signal.aborted) return Promise.reject(new Error('the event relay has stopped'));
    const at = new Date().toISOString();
    const added = this.#relaying.then(() => this.#relay(events, at));
    this.#relaying = added.catch(() => undefined);
    return added;
  }

  /** Rejects further events. Resolves when the waiting ones are written, or when Redis refuses them. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#relaying;
  }

  async #relay(events: readonly ChatEventData[], at: string): Promise<void> {
    const { session } = this.#run();
    const records = events.map(({ type, data }): SessionEvent<EventType> => ({ type, session, at, data }));
    for (let from = 0; from < records.length; from += batchSize) {
      const batch = records.slice(from, from + batchSize);
      while (!(await this.#append(batch))) {
        if (this.#stopping.signal.aborted)
          throw new Error('the event relay stopped before the events were written');
        await pause(writeRetryMs, this.#stopping.signal);
      }
    }
  }

  async #append(batch: readonly SessionEvent[]): Promise<boolean> {
    const run = this.#run();
    try {
      const isAppended = await appendEvents(this.#redis, run.session, run, batch, this.#onBound);
      this.#isFailing = false;
      return isAppended;
    } catch (error) {
      const level = this.#isFailing ? 'debug' : 'warn';
      this.#log[level]({ err: error }, 'could not write events to Redis; retrying');
      this.#isFailing = true;
      return false;
    }
  }
}
