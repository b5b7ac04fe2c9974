import type { ServerResponse } from 'node:http';
import { bounds, type OnBound } from '../../contract/bounds.js';
import { defaultSession } from '../../contract/names.js';
import { type Deferred, deferred, unlessAborted } from '../../platform/deadline.js';
import type { Logger } from '../../platform/logger.js';
import { notifyEach } from '../../platform/notify-each.js';
import type { Redis } from '../../platform/redis/connection.js';
import { readIndex } from '../../platform/store/event-index.js';
import { bothAt, everySession, type Positions } from '../../platform/store/event-positions.js';
import { type EventPage, readEvents } from '../../platform/store/event-stream.js';
import { viaRedis } from '../core/redis-errors.js';
import { catchUp } from './catch-up.js';
import { defaultStream, indexedEvents } from './event-source.js';
import { defaultTuning, type FeedTuning } from './feed-tuning.js';
import { type Followed, followedByAny, isDefaultAlone } from './followed.js';
import type { FramedEvent, FrameSelector } from './frames.js';
import { OwnerLiveness, type OwnerLivenessParts } from './owner-liveness.js';
import { type AcquirePageSlot, createPageSlots } from './page-slots.js';
import { SseClient } from './sse-client.js';
import { StreamReader, type StreamSubscriber } from './stream-reader.js';

interface FeedParts extends Omit<OwnerLivenessParts, 'send'> {
  /** Opens a connection for a blocking read. */
  readonly connect: () => Redis;
  /** How long a blocking read may wait. */
  readonly blockMs: number;
  readonly log: Logger;
  readonly onBound: OnBound;
  readonly tuning?: Partial<FeedTuning> | undefined;
}

/** What is read before a client's stream is opened. */
export interface StreamStart {
  /** The stream reader's cursor before `page` was read. */
  readonly readerCursor: string | null;
  /** Where the stream begins, without events. */
  readonly page: EventPage;
  /** The sessions without an owner. */
  readonly ownerGone: ReadonlySet<string>;
}

interface StreamParts {
  readonly response: ServerResponse;
  readonly followed: Followed;
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
 * The events of all sessions for all clients on this replica. Each client first catches up by pages of its own. Then it goes live:
 * it gets what a stream reader delivers to all. There are two, whatever the number of sessions: one reads only the stream of
 * `default`, for the clients that follow nothing else; the other reads the index.
 */
export class EventFeed {
  readonly #parts: FeedParts;
  readonly #tuning: FeedTuning;
  readonly #defaultReader: StreamReader;
  readonly #indexReader: StreamReader;
  readonly #ownerLiveness: OwnerLiveness;
  readonly #clients = new Set<SseClient>();
  readonly #liveClients = new Set<SseClient>();
  readonly #acquirePageSlot: AcquirePageSlot;
  /** What the clients of the index reader follow together; null: it must be calculated again. */
  #followedByIndex: Followed | null = null;
  #timers: NodeJS.Timeout[] = [];

  constructor(parts: FeedParts) {
    this.#parts = parts;
    this.#tuning = { ...defaultTuning, ...parts.tuning };
    this.#acquirePageSlot = createPageSlots(this.#tuning, parts.onBound);
    this.#ownerLiveness = new OwnerLiveness({
      ...parts,
      send: (events) => toEach(this.#liveClients, (client) => client.onEvents(events)),
    });
    this.#defaultReader = new StreamReader({
      ...{ ...parts, ...this.#tuning, source: defaultStream },
      onState: (event) => this.#ownerLiveness.onState(event),
    });
    this.#indexReader = new StreamReader({
      ...{
        ...parts,
        ...this.#tuning,
        source: indexedEvents(() => this.#followedInIndex(), bounds.liveEvents),
      },
      onState: (event) => this.#onIndexedState(event),
    });
  }

  get clientCount(): number {
    return this.#clients.size;
  }

  /** Reads what {@link writeStream} needs to begin. Throws `redis_unavailable`. */
  readStart(followed: Followed): Promise<StreamStart> {
    const readerCursor = this.#readerFor(followed).cursor;
    return viaRedis(async () => {
      const [page] = await Promise.all([
        this.#readPage(followed, bothAt('+')),
        this.#ownerLiveness.check(followed),
      ]);
      const ownerGone = new Set(this.#ownerLiveness.ownerGoneEvents(followed).keys());
      return { readerCursor, page, ownerGone };
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
    const { response, followed, lastEventId, start, selectFrame, isGuest, signal } = parts;
    const { log, onBound } = this.#parts;
    const { maxBufferedBytes, readDeadlineMs } = this.#tuning;
    const sessions = followed.names ?? everySession;
    const reader = this.#readerFor(followed);
    const isResuming = lastEventId !== null;
    const client = new SseClient({
      response,
      followed,
      selectFrame,
      isGuest,
      positions: lastEventId === null ? start.page.end : bothAt(lastEventId),
      maxBufferedBytes,
      onCutOff() {
        onBound('streamBacklog');
        log.info({ sessions }, 'disconnected a client that did not read its events');
      },
      onFault: (error) =>
        log.error({ sessions, err: error }, 'disconnected a client whose events could not be written'),
    });
    let unsubscribe: () => void = () => undefined;
    const goLive = ({ readerStart }: EventPage, loss: Deferred<void>) => {
      const subscriber: StreamSubscriber = {
        onEvents: (events) => client.onEvents(events),
        onLoss: () => loss.resolve(unsubscribe()),
        fail: (error) => client.fail(error),
      };
      unsubscribe = reader.subscribe(subscriber, readerStart);
      if (this.#liveClients.has(client)) return;
      this.#liveClients.add(client);
      for (const [session, gone] of this.#ownerLiveness.ownerGoneEvents(followed)) {
        // A new client that connected after the owner had gone does not get the event again.
        if (isResuming || !start.ownerGone.has(session)) client.onEvents(gone);
      }
    };
    this.#add(client);
    try {
      client.open(isResuming);
      for (let from = isResuming ? null : start; !signal.aborted; from = null) {
        const loss = deferred<void>();
        await catchUp({
          client,
          start: from,
          readPage: (after) => this.#readPage(followed, after),
          acquireSlot: () => this.#acquirePageSlot(response, signal),
          readerCursor: () => reader.cursor,
          goLive: (page) => goLive(page, loss),
          readDeadlineMs,
          signal,
        });
        await unlessAborted(loss.promise, signal);
      }
    } catch (error) {
      if (!signal.aborted) client.fail(error);
    } finally {
      unsubscribe();
      this.#remove(client);
    }
  }

  /** Call it when every stream has ended. */
  async close(): Promise<void> {
    await Promise.all([this.#defaultReader.close(), this.#indexReader.close()]);
  }

  #readPage({ names, isBound }: Followed, after: Positions): Promise<EventPage> {
    const { redis, pageSize } = { ...this.#parts, ...this.#tuning };
    return names === null
      ? readIndex(redis, null, after, pageSize)
      : readEvents(redis, names, after, pageSize, isBound);
  }

  #readerFor(followed: Followed): StreamReader {
    return isDefaultAlone(followed) ? this.#defaultReader : this.#indexReader;
  }

  #followedInIndex(): Followed {
    this.#followedByIndex ??= followedByAny(
      [...this.#clients].map(({ followed }) => followed).filter((followed) => !isDefaultAlone(followed)),
    );
    return this.#followedByIndex;
  }

  /** A state of default that the other reader delivers too counts once: otherwise an older one could follow a newer one. */
  #onIndexedState(event: FramedEvent): void {
    if (event.session === defaultSession && this.#defaultReader.cursor !== null) return;
    this.#ownerLiveness.onState(event);
  }

  #add(client: SseClient): void {
    if (this.#clients.size === 0) this.#startTimers();
    this.#clients.add(client);
    const { names } = client.followed;
    const followed = this.#followedByIndex?.names;
    const isCovered = followed === null || names?.every((name) => this.#followedByIndex?.has(name));
    if (!isDefaultAlone(client.followed) && !isCovered) this.#followedByIndex = null;
  }

  #remove(client: SseClient): void {
    this.#liveClients.delete(client);
    this.#clients.delete(client);
    // What it followed alone is read on until a client comes that needs more: nothing has to be read again.
    if (this.#clients.size > 0) return;
    this.#followedByIndex = null;
    this.#ownerLiveness.clear();
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
  }

  #startTimers(): void {
    const ping = () => toEach(this.#clients, (client) => client.ping());
    // A check fails while Redis is unreachable. The next one tries again.
    const checkOwners = () => {
      const followed = followedByAny([...this.#clients].map((client) => client.followed));
      this.#ownerLiveness.checkOnly(followed).catch(() => undefined);
    };
    this.#timers = [
      setInterval(ping, this.#tuning.pingIntervalMs),
      setInterval(checkOwners, this.#tuning.ownerCheckIntervalMs),
    ];
  }
}

/** A client that fails costs only itself. */
function toEach(clients: ReadonlySet<SseClient>, tell: (client: SseClient) => void): void {
  notifyEach(clients, tell, (error, client) => client.fail(error));
}
