import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { atMost } from '../../platform/deadline.js';
import { isAfter, type Position } from '../../platform/store/event-stream.js';
import { memoizeLast } from '../core/coalesce.js';
import { type FramedEvent, type FrameSelector, gapFrame, openingFrame, pingFrame } from './frames.js';
import type { Loss, StreamSubscriber } from './stream-reader.js';

interface SseClientOptions {
  readonly response: ServerResponse;
  readonly session: string;
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
export class SseClient implements StreamSubscriber {
  readonly #options: SseClientOptions;
  #position: Position;
  /** The last position that the client was sent. */
  #sentPosition: Position;

  constructor(options: SseClientOptions) {
    this.#options = options;
    this.#position = options.position;
    this.#sentPosition = options.position;
  }

  get position(): Position {
    return this.#position;
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

  /** Writes however much is buffered already. Skips events that the client has had. */
  write(events: readonly FramedEvent[]): void {
    for (const event of events) {
      if (event.id !== null) {
        if (!isNew(event.id, this.#position)) continue;
        this.#position = event.id;
      }
      const frame = this.#options.selectFrame(event);
      if (frame === null) continue;
      if (event.id !== null) this.#sentPosition = event.id;
      this.#options.response.write(frame);
    }
  }

  onLoss({ kind, oldestId }: Loss): void {
    this.#options.response.write(gapFrame(this.#options.session, oldestId));
    if (kind === 'reset') {
      this.#position = '-';
      this.#sentPosition = '-';
    }
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
