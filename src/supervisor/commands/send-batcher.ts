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

/**
 * Hands messages to the page: those of one chat one after another in their order, different chats side by side. Messages of
 * a chat that become ready during a call go to the page together in the next one. That call stops at the first message
 * that the page does not take, so that no later one overtakes it.
 *
 * A message is in flight while the page is called with it, and from then until WhatsApp acknowledges it.
 */
export class SendBatcher {
  readonly #availability: Availability;
  readonly #actUntil: () => number;
  readonly #onRoom: () => void;
  readonly #queued = new Map<SendPlace, QueuedSend>();
  readonly #inFlight = new Set<SendPlace>();
  /** Chats with messages that are ready but have no room, the longest waiting first. */
  readonly #blocked = new Set<ChatQueue>();
  #calls = 0;

  /**
   * `actUntil`: until when the page may act for this run if the supervisor freezes now (ms, wall clock). `onRoom`: called when
   * {@link backlog} may have shrunk.
   */
  constructor(availability: Availability, actUntil: () => number, onRoom: () => void) {
    this.#availability = availability;
    this.#actUntil = actUntil;
    this.#onRoom = onRoom;
  }

  /** Number of chats that wait for room. */
  get backlog(): number {
    return this.#blocked.size;
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
    if (this.#inFlight.delete(place)) this.#dispatchBlocked();
  }

  /** Hands over what is ready in this chat. Call it whenever a send of the chat may have become the next. */
  dispatch(chat: ChatQueue): void {
    const ready = this.#ready(chat);
    if (ready.length === 0) return;
    const ofChat = [...this.#inFlight].filter((place) => place.chat === chat).length;
    // Dispatched again when one of its own has settled.
    if (ofChat >= inFlightMax.ofChat) return;
    if (this.#inFlight.size >= inFlightMax.ofSession || this.#calls >= callsMax) {
      this.#blocked.add(chat);
      return;
    }
    const room = Math.min(inFlightMax.ofChat - ofChat, inFlightMax.ofSession - this.#inFlight.size);
    const batch = ready.slice(0, room);
    for (const { place } of batch) {
      this.#queued.delete(place);
      this.#inFlight.add(place);
    }
    void this.#handOver(batch);
  }

  /** The first sends of the chat that are ready, without a gap. */
  #ready(chat: ChatQueue): QueuedSend[] {
    const { period } = this.#availability;
    const ready: QueuedSend[] = [];
    for (const place of chat.notInPage(period)) {
      const queued = this.#queued.get(place);
      if (queued?.period !== period || ready.length === batchMax) break;
      // A chat can have two ids; a call is for one of them.
      if (ready.some(({ attempt }) => attempt.chatId !== queued.attempt.chatId)) break;
      ready.push(queued);
    }
    return ready;
  }

  #dispatchBlocked(): void {
    for (const chat of [...this.#blocked]) {
      if (this.#calls >= callsMax || this.#inFlight.size >= inFlightMax.ofSession) break;
      this.#blocked.delete(chat);
      this.dispatch(chat);
    }
    this.#onRoom();
  }

  /** Never rejects: each send of the batch gets the result. */
  async #handOver(batch: readonly QueuedSend[]): Promise<void> {
    this.#calls++;
    let isCounted = true;
    const makeRoom = () => {
      if (!isCounted) return;
      isCounted = false;
      this.#calls--;
      this.#dispatchBlocked();
    };
    const slow = setTimeout(() => {
      for (const { place } of batch) this.#inFlight.delete(place);
      makeRoom();
    }, slowMs);
    const result = await handOverBatch(batch, this.#availability, this.#actUntil);
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
