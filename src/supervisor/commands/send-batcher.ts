import type { SessionPace, SharedPace } from '../../platform/session-pace.js';
import type { Availability } from './availability.js';
import {
  type HandoverResult,
  handOverBatch,
  type PreparedSend,
  type QueuedSend,
  sentPlaces,
  settleBatch,
} from './send-batch.js';
import type { ChatQueue, SendPlace } from './send-order.js';

/** Messages in one call to the page. */
const batchMax = 8;

/** Concurrent calls to the page, each for one chat. */
const callsMax = 8;

/** Messages in flight. One chat must not use up the room of all chats. */
const inFlightMax = { ofChat: 16, ofSession: 64 } as const;

/** A slower call no longer counts, so that it does not block other chats. */
const slowMs = 2_000;

interface SendBatcherOptions {
  readonly availability: Availability;
  readonly pace: SharedPace;
  /** Until when the page may act for this run if the supervisor freezes now (ms, wall clock). */
  readonly actUntil: () => number;
  /** Called when {@link SendBatcher.backlog} may have shrunk. */
  readonly onRoom: () => void;
  /** Called when messages of a chat are handed over. */
  readonly onHandOver: () => void;
  /** Aborts when the run ends here. */
  readonly ending: AbortSignal;
}

/**
 * Hands messages to the page: those of one chat one after another in their order, different chats side by side. Messages of
 * a chat that become ready during a call go to the page together in the next one. That call stops at the first message
 * that the page does not take, so that no later one overtakes it.
 *
 * A message is in flight while the page is called with it, and from then until WhatsApp acknowledges it.
 */
export class SendBatcher {
  readonly #options: SendBatcherOptions;
  readonly #pace: SessionPace;
  readonly #queued = new Map<SendPlace, QueuedSend>();
  readonly #inFlight = new Set<SendPlace>();
  /** Chats with messages that are ready, the longest waiting first. They wait for room, or for the session's pace. */
  readonly #waiting = new Set<ChatQueue>();
  #calls = 0;

  constructor(options: SendBatcherOptions) {
    this.#options = options;
    this.#pace = options.pace.ofSession(() => this.#dispatchWaiting(), options.ending);
  }

  /** Number of chats that wait. */
  get backlog(): number {
    return this.#waiting.size;
  }

  /**
   * Hands a message to the page in its turn, and settles when the page has answered. Rejects with {@link CommandRefusedError}, with
   * {@link CommandInterruptedError} (one is {@link SendPendingError}), or with the error of Redis. A `sent` message stays in
   * flight until {@link release}.
   */
  handOver(send: PreparedSend): Promise<HandoverResult> {
    return new Promise((resolve, reject) => {
      this.#queued.set(send.place, { ...send, resolve, reject });
      this.dispatch(send.place.chat);
    });
  }

  /** Takes the send out of the queue. False: it is in a batch already. */
  withdraw(place: SendPlace): boolean {
    return this.#queued.delete(place);
  }

  /** The page has the message, and WhatsApp has not acknowledged it yet. */
  markInFlight(place: SendPlace): void {
    this.#inFlight.add(place);
  }

  /** The message is no longer in flight. */
  release(place: SendPlace): void {
    if (this.#inFlight.delete(place)) this.#dispatchWaiting();
  }

  /** Hands over what is ready in this chat. Call it whenever a send of the chat may have become the next. */
  dispatch(chat: ChatQueue): void {
    if (this.#ready(chat).length === 0) return;
    this.#waiting.add(chat);
    this.#dispatchWaiting();
  }

  /** The first sends of the chat that are ready, without a gap, as many as the chat has room for. */
  #ready(chat: ChatQueue): QueuedSend[] {
    const { period } = this.#options.availability;
    const ofChat = [...this.#inFlight].filter((place) => place.chat === chat).length;
    // Dispatched again when one of its own has settled.
    const max = Math.min(batchMax, inFlightMax.ofChat - ofChat);
    const ready: QueuedSend[] = [];
    for (const place of chat.notInPage(period)) {
      const queued = this.#queued.get(place);
      if (queued?.period !== period || ready.length >= max) break;
      // A chat can have two ids; a call is for one of them.
      if (ready.some(({ attempt }) => attempt.chatId !== queued.attempt.chatId)) break;
      ready.push(queued);
    }
    return ready;
  }

  #dispatchWaiting(): void {
    for (const chat of this.#waiting) {
      const room = inFlightMax.ofSession - this.#inFlight.size;
      if (this.#calls >= callsMax || room <= 0) break;
      const ready = this.#ready(chat).slice(0, room);
      if (ready.length > 0) {
        const taken = this.#pace.take(ready.length);
        if (taken === 0) break;
        void this.#handOver(ready.slice(0, taken));
        this.#options.onHandOver();
      }
      this.#waiting.delete(chat);
    }
    this.#options.onRoom();
  }

  /** Never rejects: each send of the batch gets the result. */
  async #handOver(batch: readonly QueuedSend[]): Promise<void> {
    for (const { place } of batch) {
      this.#queued.delete(place);
      this.#inFlight.add(place);
    }
    this.#calls++;
    let isCounted = true;
    const makeRoom = () => {
      if (!isCounted) return;
      isCounted = false;
      this.#calls--;
      this.#dispatchWaiting();
    };
    const slow = setTimeout(() => {
      for (const { place } of batch) this.#inFlight.delete(place);
      makeRoom();
    }, slowMs);
    const result = await handOverBatch(batch, this.#options);
    clearTimeout(slow);
    const sent = sentPlaces(result);
    for (const { place } of batch) {
      if (sent.has(place)) this.#inFlight.add(place);
      else this.#inFlight.delete(place);
    }
    // After the bookkeeping: settling dispatches the next sends of the chat.
    settleBatch(result);
    makeRoom();
  }
}
