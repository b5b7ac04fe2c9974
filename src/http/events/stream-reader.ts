import { pause, unlessAborted } from '../../platform/deadline.js';
import type { Logger } from '../../platform/logger.js';
import type { Redis } from '../../platform/redis/connection.js';
import {
  awaitEvents,
  lossAt,
  type Position,
  readEvents,
  unreadableType,
} from '../../platform/store/event-stream.js';
import { tellEach } from '../../platform/tell-each.js';
import { type FeedEvent, feedEventOf } from './frames.js';

export interface StreamListener {
  /** The next events of the stream, in order; a listener that joined later may have had the first of them. */
  onEvents(events: readonly FeedEvent[]): void;
  /** Events may be lost; the next are the oldest that are kept. */
  onLoss(loss: Loss): void;
  /** It threw: nothing more is for it, and its client resumes. */
  fail(error: unknown): void;
}

export interface Loss {
  /** `trimmed`: what came next is older than anything kept. `reset`: the stream itself was lost. */
  readonly kind: 'trimmed' | 'reset';
  readonly oldestId: string | null;
}

interface FollowerOptions {
  /** Opens a connection of its own, which reconnects by itself. */
  readonly connect: () => Redis;
  readonly session: string;
  /** Shorter than the silence at which the connection is given up. */
  readonly blockMs: number;
  /** How long it follows on with nobody listening: clients come back. */
  readonly lingerMs: number;
  /** Told before the listeners. Must not throw. */
  readonly onState: (json: string) => void;
  readonly log: Logger;
}

interface Life {
  readonly redis: Redis;
  readonly stopping: AbortController;
  position: Position;
  /** The connection broke: Redis may not be the one it was. */
  isUnverified: boolean;
}

const retryMs = 200;

/**
 * Follows a session's stream for everybody who listens on this replica, by one blocking read on one connection.
 * There is none while nobody listens.
 */
export class StreamReader {
  readonly #options: FollowerOptions;
  readonly #listeners = new Set<StreamListener>();
  readonly #ends = new Set<Promise<void>>();
  #life: Life | null = null;
  #lingering: NodeJS.Timeout | undefined;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /** The last entry that was handed to the listeners; null while it follows nothing. */
  get position(): Position | null {
    return this.#life?.position ?? null;
  }

  /**
   * Hands on everything after {@link position}; after `from` where it follows nothing yet. Returns the way out.
   */
  join(listener: StreamListener, from: Position): () => void {
    clearTimeout(this.#lingering);
    this.#listeners.add(listener);
    if (this.#life === null) this.#start(from);
    return () => {
      if (!this.#listeners.delete(listener) || this.#listeners.size > 0) return;
      clearTimeout(this.#lingering);
      this.#lingering = setTimeout(() => this.#stop(), this.#options.lingerMs);
    };
  }

  async close(): Promise<void> {
    clearTimeout(this.#lingering);
    this.#listeners.clear();
    this.#stop();
    await Promise.all(this.#ends);
  }

  #start(position: Position): void {
    const redis = this.#options.connect();
    const life = { redis, position, stopping: new AbortController(), isUnverified: true };
    redis.on('close', () => {
      life.isUnverified = true;
    });
    this.#life = life;
    // It ends with its life only, whatever Redis says.
    const end = this.#follow(life).finally(() => this.#ends.delete(end));
    this.#ends.add(end);
  }

  #stop(): void {
    this.#life?.stopping.abort();
    this.#life?.redis.disconnect();
    this.#life = null;
  }

  async #follow(life: Life): Promise<void> {
    const { session, blockMs } = this.#options;
    const { signal } = life.stopping;
    while (!signal.aborted) {
      try {
        // A command that waits for Redis to come back is not settled by the end of its connection.
        const next = awaitEvents(life.redis, session, life.position, blockMs);
        const entries = await unlessAborted(next, signal);
        const isSuspect = entries.length === 0 || life.isUnverified;
        const loss = isSuspect ? await unlessAborted(this.#lookForLoss(life), signal) : null;
        if (loss !== null) this.#tellEach((listener) => listener.onLoss(loss));
        if (loss?.kind === 'reset') {
          life.position = '-';
          continue;
        }
        for (const { id, type } of entries) {
          if (type === unreadableType)
            this.#options.log.error({ session, id }, 'an event cannot be read; nobody gets it');
        }
        if (entries.length > 0) this.#handOn(life, entries.map(feedEventOf));
      } catch (error) {
        // The connection itself says, once, that it is down; a Redis that is loading refuses again and again.
        if (!signal.aborted) this.#options.log.debug({ err: error }, 'events cannot be read; trying again');
        await pause(retryMs, signal);
      }
    }
  }

  #handOn(life: Life, events: readonly FeedEvent[]): void {
    life.position = events.at(-1)?.id ?? life.position;
    for (const { type, json } of events) if (type === 'state') this.#options.onState(json);
    this.#tellEach((listener) => listener.onEvents(events));
  }

  #tellEach(tell: (listener: StreamListener) => void): void {
    tellEach(this.#listeners, tell, (error, listener) => listener.fail(error));
  }

  /** Whether Redis still keeps what follows the position. */
  async #lookForLoss(life: Life): Promise<Loss | null> {
    life.isUnverified = false;
    const view = await readEvents(life.redis, this.#options.session, life.position, 1);
    const kind = lossAt(life.position, view);
    return kind === null ? null : { kind, oldestId: view.oldestId };
  }
}
