import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { bounds, type OnBound } from '../../contract/bounds.js';
import type { Logger } from '../../platform/logger.js';
import { notifyEach } from '../../platform/notify-each.js';
import type { Redis } from '../../platform/redis/connection.js';
import { type Position, readEvents, type StreamView } from '../../platform/store/event-stream.js';
import { viaRedis } from '../core/redis-errors.js';
import type { SessionReader } from '../session/session-reader.js';
import { catchUp, type StreamStart } from './catch-up.js';
import type { FrameSelector } from './frames.js';
import { OwnerLiveness } from './owner-liveness.js';
import { Semaphore } from './semaphore.js';
import { SseClient } from './sse-client.js';
import { StreamReader } from './stream-reader.js';

export interface FeedTuning {
  readonly pingIntervalMs: number;
  /** Time between two checks whether the session still has an owner. */
  readonly ownerCheckIntervalMs: number;
  /** A client with more unread bytes than this is disconnected at the next events. */
  readonly maxBufferedBytes: number;
  /** How long a client may take to read a page of missed events. */
  readonly readDeadlineMs: number;
  /** Events in a page. */
  readonly pageSize: number;
  /** The number of pages that are read and written at once, and how long a client waits for its turn. */
  readonly maxPagesAtOnce: number;
  readonly pageWaitMs: number;
  /** How long the stream is still read after the last client has left: clients often come back. */
  readonly lingerMs: number;
  /** The largest number of event streams on this replica, and of those of guests. */
  readonly maxClients: number;
  readonly maxGuests: number;
}

const defaultTuning: FeedTuning = {
  pingIntervalMs: 15_000,
  ownerCheckIntervalMs: 1_000,
  maxBufferedBytes: bounds.streamBacklog,
  readDeadlineMs: 30_000,
  pageSize: 100,
  maxPagesAtOnce: bounds.catchUps,
  pageWaitMs: bounds.catchUpWait,
  lingerMs: 5_000,
  maxClients: bounds.streams,
  maxGuests: bounds.visitorStreams,
};

interface FeedParts {
  readonly redis: Redis;
  /** Opens the connection for the blocking read. */
  readonly connect: () => Redis;
  readonly reader: SessionReader;
  readonly session: string;
  /** How long a blocking read may wait. */
  readonly blockMs: number;
  readonly log: Logger;
  readonly onBound: OnBound;
  readonly tuning?: Partial<FeedTuning> | undefined;
}

interface StreamParts {
  readonly response: ServerResponse;
  /** The client gets the events after this id; null: only new events. */
  readonly lastEventId: string | null;
  readonly start: StreamStart;
  readonly selectFrame: FrameSelector;
  /** The client opened a QR link. */
  readonly isGuest: boolean;
  /** Aborts when the client leaves, or the server closes. */
  readonly signal: AbortSignal;
}

/**
 * The events of one session for all clients on this replica. Each client first catches up by pages of its own. Then it goes live:
 * it gets what the one stream reader delivers to all.
 */
export class EventFeed {
  readonly #parts: FeedParts;
  readonly #tuning: FeedTuning;
  readonly #streamReader: StreamReader;
  readonly #ownerLiveness: OwnerLiveness;
  readonly #clients = new Set<SseClient>();
  readonly #liveClients = new Set<SseClient>();
  readonly #pageSlots: Semaphore;
  #timers: NodeJS.Timeout[] = [];

  constructor(parts: FeedParts) {
    this.#parts = parts;
    this.#tuning = { ...defaultTuning, ...parts.tuning };
    this.#pageSlots = new Semaphore(this.#tuning.maxPagesAtOnce);
    this.#ownerLiveness = new OwnerLiveness(parts.reader, (events) => {
      notifyEach(
        this.#liveClients,
        (client) => client.onEvents(events),
        (error, client) => client.fail(error),
      );
    });
    this.#streamReader = new StreamReader({
      ...parts,
      lingerMs: this.#tuning.lingerMs,
      onState: (json) => this.#ownerLiveness.onState(json),
    });
  }

  get clientCount(): number {
    return this.#clients.size;
  }

  /** Reads what {@link writeStream} needs to begin. Throws `redis_unavailable`. */
  readStart(): Promise<StreamStart> {
    const readerPosition = this.#streamReader.position;
    return viaRedis(async () => {
      const [view] = await Promise.all([this.#readPage('+'), this.#ownerLiveness.check()]);
      return { readerPosition, view, wasOwnerGone: this.#ownerLiveness.ownerGoneEvents !== null };
    });
  }

  /** Whether one more client may have a stream. */
  hasRoom(isGuest: boolean): boolean {
    const { maxClients, maxGuests } = this.#tuning;
    if (this.#clients.size >= maxClients) return false;
    return !isGuest || [...this.#clients].filter((client) => client.isGuest).length < maxGuests;
  }

  /** Resolves when `signal` aborts or the client is disconnected. Writes nothing after that. */
  async writeStream(parts: StreamParts): Promise<void> {
    const { response, lastEventId, start, selectFrame, isGuest, signal } = parts;
    const { log, session, onBound } = this.#parts;
    const { maxBufferedBytes, readDeadlineMs } = this.#tuning;
    const client = new SseClient({
      response,
      session,
      selectFrame,
      isGuest,
      position: lastEventId ?? start.view.lastId ?? '-',
      maxBufferedBytes,
      onCutOff() {
        onBound('streamBacklog');
        log.info({ session }, 'disconnected a client that did not read its events');
      },
      onFault: (error) =>
        log.error({ session, err: error }, 'disconnected a client whose events could not be written'),
    });
    let unsubscribe: () => void = () => undefined;
    const isResuming = lastEventId !== null;
    this.#add(client);
    try {
      client.open(isResuming);
      await catchUp({
        client,
        start,
        isResuming,
        readPage: (after) => this.#readPage(after),
        acquireSlot: () => this.#acquirePageSlot(response, signal),
        readerPosition: () => this.#streamReader.position,
        goLive: (from) => {
          unsubscribe = this.#streamReader.subscribe(client, from);
          this.#liveClients.add(client);
          // A new client that connected after the owner had gone does not get the event again.
          const isNews = isResuming || !start.wasOwnerGone;
          if (isNews) client.onEvents(this.#ownerLiveness.ownerGoneEvents ?? []);
        },
        readDeadlineMs,
        signal,
      });
      if (!signal.aborted) await once(signal, 'abort');
    } catch (error) {
      client.fail(error);
    } finally {
      unsubscribe();
      this.#remove(client);
    }
  }

  /** Call it when every stream has ended. */
  async close(): Promise<void> {
    await this.#streamReader.close();
  }

  /** null: the client has left, or it waited too long and is disconnected. It resumes by itself. */
  async #acquirePageSlot(response: ServerResponse, signal: AbortSignal): Promise<(() => void) | null> {
    const { onBound } = this.#parts;
    if (this.#pageSlots.isFull) onBound('catchUps');
    const release = await this.#pageSlots.acquire(this.#tuning.pageWaitMs, signal);
    if (release === null && !signal.aborted) {
      onBound('catchUpWait');
      response.destroy();
    }
    return release;
  }

  #readPage(after: Position): Promise<StreamView> {
    return readEvents(this.#parts.redis, this.#parts.session, after, this.#tuning.pageSize);
  }

  #add(client: SseClient): void {
    if (this.#clients.size === 0) this.#startTimers();
    this.#clients.add(client);
  }

  #remove(client: SseClient): void {
    this.#liveClients.delete(client);
    this.#clients.delete(client);
    if (this.#clients.size > 0) return;
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
  }

  #startTimers(): void {
    const ping = () => {
      notifyEach(
        this.#clients,
        (client) => client.ping(),
        (error, client) => client.fail(error),
      );
    };
    // A check fails while Redis is unreachable. The next one tries again.
    const checkOwner = () => void this.#ownerLiveness.check().catch(() => undefined);
    this.#timers = [
      setInterval(ping, this.#tuning.pingIntervalMs),
      setInterval(checkOwner, this.#tuning.ownerCheckIntervalMs),
    ];
  }
}
