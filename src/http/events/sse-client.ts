import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { atMost } from '../../platform/deadline.js';
import { everySession, isAfter, type Loss, type Position } from '../../platform/store/event-positions.js';
import { memoizeLast } from '../core/coalesce.js';
import type { Followed } from './followed.js';
import {
  type FramedEvent,
  type FrameSelector,
  gapFrame,
  gapType,
  openingFrame,
  pingFrame,
} from './frames.js';

interface SseClientOptions {
  readonly response: ServerResponse;
  readonly followed: Followed;
  readonly selectFrame: FrameSelector;
  /** A guest gets no event ids: they contain the time of an event. */
  readonly isGuest: boolean;
  /** The client gets each event after this position exactly once. */
  readonly position: Position;
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
  #position: Position;
  /** The last position that the client was sent. */
  #sentPosition: Position;
  /** Sessions of which the last that the client was sent is a gap. */
  readonly #inGap = new Set<string>();

  constructor(options: SseClientOptions) {
    this.#options = options;
    this.#position = options.position;
    this.#sentPosition = options.position;
  }

  get position(): Position {
    return this.#position;
  }

  get followed(): Followed {
    return this.#options.followed;
  }

  get isGuest(): boolean {
    return this.#options.isGuest;
  }

  open(isResuming: boolean): void {
    this.#options.response.write(openingFrame(isResuming || this.isGuest ? null : this.#position));
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
      if (event.id !== null) {
        if (!isNew(event.id, this.#position)) continue;
        this.#position = event.id;
      }
      if (event.type === gapType) {
        this.#writeGap(event.session, event.frame);
        continue;
      }
      this.#endGap(event.session);
      const frame = this.#options.selectFrame(event);
      if (frame === null) continue;
      if (event.id !== null) this.#sentPosition = event.id;
      this.#options.response.write(frame);
    }
  }

  onLoss({ session, kind, oldestId }: Loss): void {
    this.#writeGap(session, gapFrame(session, oldestId));
    if (kind === 'reset') {
      this.#position = '-';
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

  ping(): void {
    const hasMoved = !this.isGuest && this.#position !== this.#sentPosition;
    this.#sentPosition = this.#position;
    this.#options.response.write(pingFrame(hasMoved ? this.#position : null));
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
