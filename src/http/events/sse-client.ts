import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { atMost } from '../../platform/deadline.js';
import { isAfter, type Position } from '../../platform/store/event-stream.js';
import { type FeedEvent, gapFrame, openingFrame, type Presenter, pingFrame } from './frames.js';
import type { Loss, StreamListener } from './stream-reader.js';

interface ListenerOptions {
  readonly response: ServerResponse;
  readonly session: string;
  readonly present: Presenter;
  readonly tellsPlace: boolean;
  /** Where it stands; each event after it is written once. */
  readonly position: Position;
  readonly maxBufferedBytes: number;
  readonly onCutOff: () => void;
  /** An event could not be told. */
  readonly onFault: (error: unknown) => void;
}

/** One client's stream. What it does not read is not kept for it: it is cut off, and resumes by itself. */
export class SseClient implements StreamListener {
  readonly #options: ListenerOptions;
  #position: Position;
  #toldPosition: Position;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#position = options.position;
    this.#toldPosition = options.position;
  }

  get position(): Position {
    return this.#position;
  }

  get tellsPlace(): boolean {
    return this.#options.tellsPlace;
  }

  open(isResuming: boolean): void {
    this.#options.response.write(openingFrame(isResuming || !this.tellsPlace ? null : this.#position));
  }

  onEvents(events: readonly FeedEvent[]): void {
    if (this.#options.response.writableLength > this.#options.maxBufferedBytes) this.#cutOff();
    else this.tell(events);
  }

  /** Writes regardless of how much waits already; what stands before its place it has had. */
  tell(events: readonly FeedEvent[]): void {
    for (const event of events) {
      if (event.id !== null) {
        if (!isAfter(event.id, this.#position)) continue;
        this.#position = event.id;
      }
      const frame = this.#options.present(event);
      if (frame === null) continue;
      if (event.id !== null) this.#toldPosition = event.id;
      this.#options.response.write(frame);
    }
  }

  onLoss({ kind, oldestId }: Loss): void {
    this.#options.response.write(gapFrame(this.#options.session, oldestId));
    if (kind === 'reset') {
      this.#position = '-';
      this.#toldPosition = '-';
    }
  }

  ping(): void {
    const hasMoved = this.tellsPlace && this.#position !== this.#toldPosition;
    this.#toldPosition = this.#position;
    this.#options.response.write(pingFrame(hasMoved ? this.#position : null));
  }

  /** Until the client has read what was written; one that reads nothing for so long is cut off. */
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

  /** Its client resumes after the last event that it has had. */
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
