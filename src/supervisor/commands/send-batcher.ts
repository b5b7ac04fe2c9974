import type { SendJob } from '../../contract/command-jobs.js';
import type { SendCommands, SentText } from '../../contract/worker-commands.js';
import type { Availability } from './availability.js';
import type { ChatLine, SendPlace } from './send-order.js';
import type { Attempted } from './send-outcomes.js';
import { CommandInterruptedError, CommandRefusedError, pageCallMs } from './thread-rpc.js';

/** A message that is to be handed to the page. */
export interface PreparedSend {
  readonly jobId: string;
  readonly job: SendJob & { readonly message: string };
  readonly place: SendPlace;
  readonly attempt: Attempted;
  /** The period of readiness for which it was prepared. */
  readonly period: number;
  /** Anything but `recorded`: the page must not be called. */
  readonly record: () => Promise<'recorded' | 'fenced' | 'late'>;
}

/** The page has begun a send and does not end it. */
export class SendPendingError extends CommandInterruptedError {
  /** Since when it has been at it, on the clock of `performance`. */
  readonly since: number;

  constructor(since: number) {
    super('the page has not ended the send');
    this.since = since;
  }
}

/** `sent`: the page has it; `late`: its time was over; `again`: nothing is known to have come of it. */
export type Handed = 'sent' | 'late' | 'again';

interface Waiting extends PreparedSend {
  readonly resolve: (handed: Handed) => void;
  readonly reject: (error: unknown) => void;
}

const batchMax = 8;

/** Calls to the page at once, each for one chat. */
const callsMax = 8;

/** Most messages that act wait for WhatsApp's acknowledgement. Those of one chat shall not use up the places of all. */
const actingMax = { ofChat: 16, ofSession: 64 } as const;

/** A call that takes longer makes room for those of other chats. */
const slowMs = 2_000;

/**
 * Hands messages to the page, those of one chat one after another in their order, those of different chats side by side.
 * What of a chat is ready by the time that the page has those before goes to it in one call, which stops at the first
 * message that the page does not take: none after it shall overtake it.
 */
export class SendBatcher {
  readonly #availability: Availability;
  readonly #actUntil: () => number;
  readonly #madeRoom: () => void;
  readonly #waiting = new Map<SendPlace, Waiting>();
  /** The page is being called for it, or has it and WhatsApp has not acknowledged it. */
  readonly #acting = new Set<SendPlace>();
  /** Chats with messages that are ready, for want of room; the longest first. */
  readonly #heldUp = new Set<ChatLine>();
  #calls = 0;

  /**
   * `actUntil`: until when the page may act for this run, should the supervisor freeze now (ms, wall clock). `madeRoom`:
   * {@link backlog} may be less than before.
   */
  constructor(availability: Availability, actUntil: () => number, madeRoom: () => void) {
    this.#availability = availability;
    this.#actUntil = actUntil;
    this.#madeRoom = madeRoom;
  }

  /** Chats that wait for room. */
  get backlog(): number {
    return this.#heldUp.size;
  }

  /**
   * Settles once its turn has come and the page has answered. Rejects with {@link CommandRefusedError},
   * {@link CommandInterruptedError} ({@link SendPendingError} among them), or what Redis refused. What was `sent` acts
   * until {@link rests}.
   */
  hand(send: PreparedSend): Promise<Handed> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(send.place, { ...send, resolve, reject });
      this.feed(send.place.line);
    });
  }

  /** False: it is on its way already. */
  withdraw(place: SendPlace): boolean {
    return this.#waiting.delete(place);
  }

  /** The page has it, and WhatsApp's acknowledgement is waited for. */
  acts(place: SendPlace): void {
    this.#acting.add(place);
  }

  /** Nothing is waited for any more. */
  rests(place: SendPlace): void {
    if (this.#acting.delete(place)) this.#feedOthers();
  }

  /** To be called when somebody's turn may have come in this chat. */
  feed(line: ChatLine): void {
    const ready = this.#ready(line);
    if (ready.length === 0) return;
    const ofChat = [...this.#acting].filter((place) => place.line === line).length;
    // Fed again when one of its own has settled.
    if (ofChat >= actingMax.ofChat) return;
    if (this.#acting.size >= actingMax.ofSession || this.#calls >= callsMax) {
      this.#heldUp.add(line);
      return;
    }
    const room = Math.min(actingMax.ofChat - ofChat, actingMax.ofSession - this.#acting.size);
    const batch = ready.slice(0, room);
    for (const { place } of batch) {
      this.#waiting.delete(place);
      this.#acting.add(place);
    }
    void this.#hand(batch);
  }

  /** Those whose turn it is: nobody of their chat who is not ready stands before them. */
  #ready(line: ChatLine): Waiting[] {
    const { period } = this.#availability;
    const ready: Waiting[] = [];
    for (const place of line.unplaced(period)) {
      const waiting = this.#waiting.get(place);
      if (waiting?.period !== period || ready.length === batchMax) break;
      // Two ids of one chat: a call is for one of them.
      if (ready.some(({ attempt }) => attempt.chatId !== waiting.attempt.chatId)) break;
      ready.push(waiting);
    }
    return ready;
  }

  #feedOthers(): void {
    for (const line of [...this.#heldUp]) {
      if (this.#calls >= callsMax || this.#acting.size >= actingMax.ofSession) break;
      this.#heldUp.delete(line);
      this.feed(line);
    }
    this.#madeRoom();
  }

  /** Never rejects: each of the batch is told. */
  async #hand(batch: readonly Waiting[]): Promise<void> {
    this.#calls++;
    let hasRoom = true;
    const makeRoom = () => {
      if (!hasRoom) return;
      hasRoom = false;
      this.#calls--;
      this.#feedOthers();
    };
    const slow = setTimeout(() => {
      for (const { place } of batch) this.#acting.delete(place);
      makeRoom();
    }, slowMs);
    const recorded = await recordAll(batch);
    const going = this.#stillFirst(recorded, batch);
    const calledAt = performance.now();
    const answers = going.length === 0 ? [] : await this.#call(going).catch((error: Error) => error);
    clearTimeout(slow);
    const sent = new Set<SendPlace>();
    for (const [i, { place }] of going.entries()) {
      if (!(answers instanceof Error) && answers[i]?.type === 'sent') sent.add(place);
    }
    for (const { place } of batch) {
      if (sent.has(place)) this.#acting.add(place);
      else this.#acting.delete(place);
    }
    for (const [i, send] of going.entries()) {
      if (answers instanceof Error) send.reject(answers);
      else tell(send, answers[i], calledAt);
    }
    makeRoom();
  }

  /**
   * Those of a batch whose turn it still is. While Redis recorded them their chat may have become one with another, of which
   * older messages are not in the page yet: then their turn comes behind those, and they are looked for before.
   */
  #stillFirst(recorded: readonly Waiting[], batch: readonly Waiting[]): readonly Waiting[] {
    const places = new Set(batch.map(({ place }) => place));
    const { period } = this.#availability;
    for (const [i, { place }] of recorded.entries()) {
      if (place.line.unplaced(period).find((each) => !places.has(each) || each === place) === place) continue;
      for (const { resolve } of recorded.slice(i)) resolve('again');
      return recorded.slice(0, i);
    }
    return recorded;
  }

  async #call(going: readonly Waiting[]): Promise<readonly SentText[]> {
    const incarnation = this.#availability.in('ready');
    // Redis may have taken its time: a page that has loaded anew may have lost one before these.
    if (incarnation === null || going.some(({ period }) => period !== this.#availability.period)) {
      throw new CommandInterruptedError('the page is not the one any more for which the send was prepared');
    }
    const messages = going.map(({ jobId, attempt: { chatId, messageId }, job }) => {
      const { message, linkPreview, markSeen } = job;
      return { jobId, chatId, messageId, message, linkPreview, markSeen };
    });
    const input: SendCommands['sendTexts']['input'] = { messages, notAfter: this.#actUntil() };
    const how = { timeoutMs: pageCallMs, requestIds: going.map(({ job }) => job.requestId) };
    const answers = await incarnation.commands.call<readonly SentText[]>('sendTexts', input, how);
    // It stops at the first that it does not take, which it answers: without an answer to any, asking again at once is in vain.
    if (!Array.isArray(answers) || answers.length === 0) {
      throw new CommandInterruptedError('the page did not say what became of the sends');
    }
    return answers;
  }
}

/** Those whose attempt is recorded. The first one that Redis refuses holds up those after it. */
async function recordAll(batch: readonly Waiting[]): Promise<Waiting[]> {
  const records = await Promise.allSettled(batch.map(({ record }) => record()));
  const going: Waiting[] = [];
  let isHeldUp = false;
  for (const [i, send] of batch.entries()) {
    const record = records[i] as PromiseSettledResult<'recorded' | 'fenced' | 'late'>;
    if (isHeldUp) {
      send.resolve('again');
    } else if (record.status === 'rejected' || record.value === 'fenced') {
      isHeldUp = true;
      send.reject('reason' in record ? record.reason : new Error('the fence in Redis is not of this run'));
    } else if (record.value === 'late') {
      send.resolve('late');
    } else {
      going.push(send);
    }
  }
  return going;
}

function tell(
  { place, period, resolve, reject }: Waiting,
  answer: SentText | undefined,
  calledAt: number,
): void {
  switch (answer?.type) {
    case 'sent':
      // At once: whoever comes after it may be next.
      place.placed(period);
      return resolve('sent');
    case 'refused':
      return reject(new CommandRefusedError('whatsapp_error', answer.message));
    case 'late':
      return reject(new CommandInterruptedError('the page came to it too late'));
    case 'pending':
      return reject(new SendPendingError(place.pendingSince(period, calledAt)));
    default:
      answer satisfies undefined;
      return resolve('again');
  }
}
