import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { OnBound } from '../../contract/bounds.js';
import type { Logger } from '../../platform/logger.js';
import type { Redis } from '../../platform/redis/connection.js';
import { type Position, readEvents, type StreamView } from '../../platform/store/event-stream.js';
import { tellEach } from '../../platform/tell-each.js';
import { viaRedis } from '../session/redis-errors.js';
import type { SessionReader } from '../session/session-reader.js';
import { type Beginning, catchUp } from './catch-up.js';
import { type FeedTuning, usualTuning } from './feed-tuning.js';
import type { Presenter } from './frames.js';
import { OwnerLiveness } from './owner-liveness.js';
import { SseClient } from './sse-client.js';
import { StreamReader } from './stream-reader.js';
import { Turns } from './turns.js';

interface FeedParts {
  readonly redis: Redis;
  /** Opens the one connection that waits for events. */
  readonly connect: () => Redis;
  readonly reader: SessionReader;
  readonly session: string;
  /** Longest blocking read. */
  readonly blockMs: number;
  readonly log: Logger;
  readonly onBound?: OnBound;
  readonly tuning?: Partial<FeedTuning> | undefined;
}

interface StreamParts {
  readonly response: ServerResponse;
  /** The id after which the client resumes; null: it wants only what comes. */
  readonly lastEventId: string | null;
  readonly beginning: Beginning;
  readonly present: Presenter;
  /** Whether it may know where it stands: places tell when something happened. */
  readonly tellsPlace: boolean;
  /** Aborts when the client leaves, or the server closes. */
  readonly signal: AbortSignal;
}

/** The events of a session for everybody who listens on this replica. */
export class EventFeed {
  readonly #parts: FeedParts;
  readonly #tuning: FeedTuning;
  readonly #follower: StreamReader;
  readonly #watch: OwnerLiveness;
  readonly #listeners = new Set<SseClient>();
  readonly #joined = new Set<SseClient>();
  readonly #pages: Turns;
  #timers: NodeJS.Timeout[] = [];

  constructor(parts: FeedParts) {
    this.#parts = parts;
    this.#tuning = { ...usualTuning, ...parts.tuning };
    this.#pages = new Turns(this.#tuning.pagesAtOnce);
    this.#watch = new OwnerLiveness(parts.reader, (events) => {
      tellEach(
        this.#joined,
        (listener) => listener.onEvents(events),
        (error, listener) => listener.fail(error),
      );
    });
    this.#follower = new StreamReader({
      ...parts,
      lingerMs: this.#tuning.lingerMs,
      onState: (json) => this.#watch.note(json),
    });
  }

  /** How many streams are written now. */
  get listenerCount(): number {
    return this.#listeners.size;
  }

  /** Reads what a stream begins with. Throws `redis_unavailable`. */
  begin(): Promise<Beginning> {
    const followed = this.#follower.position;
    return viaRedis(async () => {
      const [view] = await Promise.all([this.#read('+'), this.#watch.look()]);
      return { followed, view, wasOwnerGone: this.#watch.standing !== null };
    });
  }

  /** Whether one more may listen. */
  hasRoom(isVisitor: boolean): boolean {
    const { maxListeners, maxVisitors } = this.#tuning;
    const visitors = [...this.#listeners].filter((listener) => !listener.tellsPlace).length;
    return this.#listeners.size < maxListeners && (!isVisitor || visitors < maxVisitors);
  }

  /** Writes the stream; resolves when `signal` has aborted, or the client was cut off, and nothing more is written. */
  async stream(parts: StreamParts): Promise<void> {
    const { response, lastEventId, beginning, present, tellsPlace, signal } = parts;
    const { log, session, onBound } = this.#parts;
    const { maxBufferedBytes, readDeadlineMs, pageWaitMs } = this.#tuning;
    const listener = new SseClient({
      response,
      session,
      present,
      tellsPlace,
      position: lastEventId ?? beginning.view.lastId ?? '-',
      maxBufferedBytes,
      onCutOff() {
        onBound?.('streamBacklog');
        log.info({ session }, 'cut off a client that did not read its events');
      },
      onFault: (error) =>
        log.error({ session, err: error }, 'cut off a client whose events could not be told'),
    });
    let leave: () => void = () => undefined;
    const isResuming = lastEventId !== null;
    this.#add(listener);
    try {
      listener.open(isResuming);
      await catchUp({
        listener,
        beginning,
        isResuming,
        read: (after) => this.#read(after),
        takeTurn: () => this.#takeTurn(pageWaitMs, response, signal),
        followed: () => this.#follower.position,
        join: (from) => {
          leave = this.#follower.join(listener, from);
          this.#joined.add(listener);
          // It may have heard of the owner elsewhere, or the owner went while it caught up.
          const isNews = isResuming || !beginning.wasOwnerGone;
          if (isNews) listener.onEvents(this.#watch.standing ?? []);
        },
        readDeadlineMs,
        signal,
      });
      if (!signal.aborted) await once(signal, 'abort');
    } catch (error) {
      listener.fail(error);
    } finally {
      leave();
      this.#remove(listener);
    }
  }

  /** To be called when every stream has ended. */
  async close(): Promise<void> {
    await this.#follower.close();
  }

  /** null: it has left, or is cut off and resumes by itself. */
  async #takeTurn(
    waitMs: number,
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<(() => void) | null> {
    const { onBound } = this.#parts;
    if (this.#pages.isFull) onBound?.('catchUps');
    const turn = await this.#pages.take(waitMs, signal);
    if (turn === null && !signal.aborted) {
      onBound?.('catchUpWait');
      response.destroy();
    }
    return turn;
  }

  #read(after: Position): Promise<StreamView> {
    return readEvents(this.#parts.redis, this.#parts.session, after, this.#tuning.pageSize);
  }

  #add(listener: SseClient): void {
    if (this.#listeners.size === 0) {
      const ping = () => {
        tellEach(
          this.#listeners,
          (each) => each.ping(),
          (error, each) => each.fail(error),
        );
      };
      // Redis may be away: the next look tells.
      const look = () => void this.#watch.look().catch(() => undefined);
      this.#timers = [
        setInterval(ping, this.#tuning.pingIntervalMs),
        setInterval(look, this.#tuning.ownerLookIntervalMs),
      ];
    }
    this.#listeners.add(listener);
  }

  #remove(listener: SseClient): void {
    this.#joined.delete(listener);
    this.#listeners.delete(listener);
    if (this.#listeners.size > 0) return;
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
  }
}
