import type { SentText } from '../../contract/send-commands.js';
import type { SendAttempt, SendJob } from '../../contract/send-jobs.js';
import type { Availability } from './availability.js';
import { CommandInterruptedError, CommandRefusedError, pageCallMs } from './command-port.js';
import type { SendOrder, SendPlace } from './send-order.js';

/** A message that is to be handed to the page. */
export interface PreparedSend {
  readonly jobId: string;
  readonly job: SendJob & { readonly message: string };
  readonly place: SendPlace;
  readonly attempt: SendAttempt;
  /** The period of readiness for which it was prepared. */
  readonly period: number;
  /** Anything but `recorded`: the page must not be called. */
  readonly record: () => Promise<'recorded' | 'fenced' | 'late'>;
}

/** `sent`: the page has it; `late`: its time was over; `again`: nothing is known to have come of it. */
export type Handed = 'sent' | 'late' | 'again';

interface Waiting extends PreparedSend {
  readonly resolve: (handed: Handed) => void;
  readonly reject: (error: unknown) => void;
}

const batchMax = 8;

/**
 * Hands messages to the page, one after another in their order. What is ready by the time that the page is free goes to
 * it in one call, which stops at the first message that the page does not take: none after it shall overtake it.
 */
export class SendFeed {
  readonly #order: SendOrder;
  readonly #availability: Availability;
  readonly #actUntil: () => number;
  readonly #waiting = new Map<SendPlace, Waiting>();
  #isFeeding = false;

  /** `actUntil`: until when the page may act for this run, should the supervisor freeze now (ms, wall clock). */
  constructor(order: SendOrder, availability: Availability, actUntil: () => number) {
    this.#order = order;
    this.#availability = availability;
    this.#actUntil = actUntil;
  }

  /**
   * Settles once its turn has come and the page has answered. Rejects with {@link CommandRefusedError},
   * {@link CommandInterruptedError}, or what Redis refused.
   */
  hand(send: PreparedSend): Promise<Handed> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(send.place, { ...send, resolve, reject });
      this.feed();
    });
  }

  /** False: it is on its way already. */
  withdraw(place: SendPlace): boolean {
    return this.#waiting.delete(place);
  }

  /** To be called when somebody's turn may have come. */
  feed(): void {
    if (!this.#isFeeding) void this.#feed();
  }

  async #feed(): Promise<void> {
    this.#isFeeding = true;
    for (let batch = this.#next(); batch.length > 0; batch = this.#next()) await this.#hand(batch);
    this.#isFeeding = false;
  }

  /** Those whose turn it is: nobody who is not ready stands before them. */
  #next(): Waiting[] {
    const { period } = this.#availability;
    const batch: Waiting[] = [];
    for (const place of this.#order.unplaced(period)) {
      const waiting = this.#waiting.get(place);
      if (waiting?.period !== period || batch.length === batchMax) break;
      batch.push(waiting);
    }
    for (const { place } of batch) this.#waiting.delete(place);
    return batch;
  }

  /** Never rejects: each of the batch is told. */
  async #hand(batch: Waiting[]): Promise<void> {
    const going = await recordAll(batch);
    const incarnation = this.#availability.in('ready');
    if (going.length === 0) return;
    try {
      if (incarnation === null) throw new CommandInterruptedError('the session is not ready any more');
      const messages = going.map(({ jobId, attempt: { chatId, messageId }, job: { message } }) => {
        return { jobId, chatId, messageId, message };
      });
      const how = { timeoutMs: pageCallMs, requestIds: going.map(({ job }) => job.requestId) };
      const input = { messages, notAfter: this.#actUntil() };
      const answers = await incarnation.commands.call<SentText[]>('sendTexts', input, how);
      going.forEach((send, i) => {
        tell(send, answers[i]);
      });
    } catch (error) {
      for (const { reject } of going) reject(error);
    }
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

function tell({ place, period, resolve, reject }: Waiting, answer: SentText | undefined): void {
  switch (answer?.type) {
    case 'sent':
      // At once: whoever comes after it may be next.
      place.placed(period);
      return resolve('sent');
    case 'refused':
      return reject(new CommandRefusedError('whatsapp_error', answer.message));
    case 'late':
      return reject(new CommandInterruptedError('the page came to it too late'));
    case undefined:
      return resolve('again');
    default:
      answer satisfies never;
  }
}
