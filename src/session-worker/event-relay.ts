import type { EventData, EventType, SessionEvent } from '../contract/events.js';
import type { RunFacts } from '../contract/status.js';
import type { Message } from '../contract/whatsapp.js';
import { pause } from '../platform/deadline.js';
import { appendEvents } from '../platform/event-stream.js';
import type { Logger } from '../platform/logger.js';
import type { Redis } from '../platform/redis.js';

const longestBacklog = 1_000;
const batchSize = 100;
const retryMs = 500;

/**
 * Brings to the event stream what happens in the chats, in order and under the fence. While Redis is away, or
 * the fence is being claimed anew, the newest thousand wait and older ones are dropped.
 */
export class EventRelay {
  readonly #redis: Redis;
  readonly #run: () => RunFacts;
  readonly #log: Logger;
  readonly #stopping = new AbortController();
  #waiting: SessionEvent[] = [];
  #relaying: Promise<void> | null = null;
  #hasDropped = false;

  /** `run` says who writes at this moment: its epoch and incarnation change with a new fence. */
  constructor(redis: Redis, run: () => RunFacts, log: Logger) {
    this.#redis = redis;
    this.#run = run;
    this.#log = log;
  }

  /** A message that came in; own ones are no event. */
  message(message: Message): void {
    if (!message.from_me) this.#add('message', message);
  }

  ack(ack: EventData<'message_ack'>): void {
    this.#add('message_ack', ack);
  }

  /** Takes nothing more; resolves when what waits is written, or once Redis refuses it. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#relaying;
  }

  #add<Type extends EventType>(type: Type, data: EventData<Type>): void {
    if (this.#stopping.signal.aborted) return;
    this.#waiting.push({ type, session: this.#run().session, at: new Date().toISOString(), data });
    if (this.#waiting.length > longestBacklog) this.#dropOldest();
    this.#relaying ??= this.#relay();
  }

  #dropOldest(): void {
    this.#waiting = this.#waiting.slice(-longestBacklog);
    if (!this.#hasDropped) this.#log.warn('too many events wait for redis; dropping the oldest of them');
    this.#hasDropped = true;
  }

  async #relay(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, batchSize);
      if (await this.#append(batch)) {
        // By identity: while the batch was on its way, the oldest may have been dropped.
        this.#waiting = this.#waiting.filter((event) => !batch.includes(event));
        this.#hasDropped = false;
      } else {
        if (this.#stopping.signal.aborted) break;
        await pause(retryMs, this.#stopping.signal);
      }
    }
    // In the same turn as the last look at `#waiting`: a later event starts anew.
    this.#relaying = null;
  }

  async #append(batch: readonly SessionEvent[]): Promise<boolean> {
    const run = this.#run();
    try {
      return await appendEvents(this.#redis, run.session, run, batch);
    } catch (error) {
      this.#log.warn({ err: error }, 'redis refused events; trying again');
      return false;
    }
  }
}
