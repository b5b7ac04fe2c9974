import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { defaultSession } from '../../contract/names.js';
import { atMost } from '../../platform/deadline.js';
import {
  bothAt,
  everySession,
  isAfter,
  type Loss,
  latestOf,
  type Position,
  type Positions,
} from '../../platform/store/event-positions.js';
import { memoizeLast } from '../core/coalesce.js';
import type { Followed } from './followed.js';
import {
  type FramedEvent,
  type FrameSelector,
  gapFrame,
  gapType,
  openingFrame,
  pingFrame,
  withoutId,
} from './frames.js';

interface SseClientOptions {
  readonly response: ServerResponse;
  readonly followed: Followed;
  readonly selectFrame: FrameSelector;
  /** A guest gets no event ids: they contain the time of an event. */
  readonly isGuest: boolean;
  /** The client gets each event after these positions exactly once. */
  readonly positions: Positions;
  readonly maxBufferedBytes: number;
  /** Called when the client was disconnected because it did not read. */
  readonly onCutOff: () => void;
  /** Called when an event could not be written, and the client was disconnected. */
  readonly onFault: (error: unknown) => void;
}

/** Most clients are at the same position when an event arrives: then the two ids are parsed once. */
const isNew = memoizeLast(isAfter);

/** The event stream of one client. A client that does not read is disconnected. It resumes by itself. */
export class SseClient {
  readonly #options: SseClientOptions;
  #positions: Positions;
  /** The latest of all events so far, also those of other types. */
  #latest: Position;
  /** The last position that the client was sent. */
  #sentPosition: Position;
  /** Sessions of which the last that the client was sent is a gap. */
  readonly #inGap = new Set<string>();

  constructor(options: SseClientOptions) {
    this.#options = options;
    this.#positions = options.positions;
    this.#latest = latestOf(options.positions);
    this.#sentPosition = this.#latest;
  }

  get positions(): Positions {
    return this.#positions;
  }

  get followed(): Followed {
    return this.#options.followed;
  }

  get isGuest(): boolean {
    return this.#options.isGuest;
  }

  open(isResuming: boolean): void {
    this.#options.response.write(openingFrame(isResuming || this.isGuest ? null : this.#latest));
  }

  onEvents(events: readonly FramedEvent[]): void {
    if (this.#options.response.writableLength > this.#options.maxBufferedBytes) this.#cutOff();
    else this.write(events);
  }

  /** Writes however much is buffered already. Skips events of other sessions, and those that the client has had. */
  write(events: readonly FramedEvent[]): void {
    const { followed } = this.#options;
    for (const event of events) {
      // First: nothing of another session may show, not even its id in a ping.
      if (!followed.has(event.session)) continue;
      if (event.id !== null && !this.#isNew(event.session, event.id)) continue;
      const isLatest = event.id !== null && isNew(event.id, this.#latest);
      if (isLatest) this.#latest = event.id;
      if (event.type === gapType) {
        this.#writeGap(event.session, event.frame);
        continue;
      }
      this.#endGap(event.session);
      const frame = this.#options.selectFrame(event);
      if (frame === null) continue;
      if (isLatest) this.#sentPosition = event.id;
      // The id of a later event was sent already: the client must resume after that.
      const isLate = event.id !== null && !isLatest && !this.isGuest;
      this.#options.response.write(isLate ? withoutId(frame) : frame);
    }
  }

  onLoss({ session, kind, oldestId }: Loss): void {
    this.#writeGap(session, gapFrame(session, oldestId));
    if (kind === 'reset') {
      this.#positions = bothAt('-');
      this.#latest = '-';
      this.#sentPosition = '-';
    }
  }

  /** Once, until there is an event again. */
  #writeGap(session: string, frame: Buffer): void {
    if (this.#inGap.has(session)) return;
    this.#inGap.add(session);
    this.#options.response.write(frame);
  }

  #endGap(session: string): void {
    if (this.#inGap.size === 0) return;
    this.#inGap.delete(session);
    this.#inGap.delete(everySession);
  }

  /** Everything up to there was written, or is not for this client. */
  skipTo(positions: Positions): void {
    this.#positions = positions;
    const latest = latestOf(positions);
    if (latest !== '-' && isAfter(latest, this.#latest)) this.#latest = latest;
  }

  /** Moves the position of the event's stream. False: the client has had the event. */
  #isNew(session: string, id: string): boolean {
    const { ofDefault, ofOthers } = this.#positions;
    const isOfDefault = session === defaultSession;
    if (!isNew(id, isOfDefault ? ofDefault : ofOthers)) return false;
    this.#positions = isOfDefault ? { ofDefault: id, ofOthers } : { ofDefault, ofOthers: id };
    return true;
  }

  ping(): void {
    const hasMoved = !this.isGuest && this.#latest !== this.#sentPosition;
    this.#sentPosition = this.#latest;
    this.#options.response.write(pingFrame(hasMoved ? this.#latest : null));
  }

  /** Waits until the client has read enough for more events. Disconnects it after `deadlineMs`. */
  async drained(deadlineMs: number, signal: AbortSignal): Promise<void> {
    const { response } = this.#options;
    if (!response.writableNeedDrain || signal.aborted) return;
    const done = new AbortController();
    await atMost(
      once(response, 'drain', { signal: done.signal }).catch(() => undefined),
      deadlineMs,
      signal,
    );
    done.abort();
    if (response.writableNeedDrain) this.#cutOff();
  }

  /** Disconnects the client, which resumes after the last event that it received. */
  fail(error: unknown): void {
    this.#options.response.destroy();
    this.#options.onFault(error);
  }

  #cutOff(): void {
    if (this.#options.response.destroyed) return;
    this.#options.response.destroy();
    this.#options.onCutOff();
  }
}
