import type { SendJob } from '../../contract/command-jobs.js';
import type { SendCommands, SentText } from '../../contract/worker-commands.js';
import { CommandInterruptedError, CommandRefusedError, pageCallMs } from '../thread-rpc.js';
import type { Availability } from './availability.js';
import type { SendPlace } from './send-order.js';
import type { Attempted } from './send-outcomes.js';

/** A batch of messages to one chat: they are recorded, handed to the page in one call, and settled by its answers. */

/** A message that is ready to be handed to the page. */
export interface PreparedSend {
  readonly jobId: string;
  readonly job: SendJob & { readonly message: string };
  readonly place: SendPlace;
  readonly attempt: Attempted;
  /** The period of readiness for which it was prepared. */
  readonly period: number;
  /** Records the attempt. Unless the result is `recorded`, the page must not be called. */
  readonly record: () => Promise<'recorded' | 'fenced' | 'late'>;
}

/** `sent`: the page has the message; `late`: its time to be sent is over; `again`: it is not known to be in the page. */
export type HandoverResult = 'sent' | 'late' | 'again';

/** A prepared send and the promise of its handover. */
export interface QueuedSend extends PreparedSend {
  readonly resolve: (result: HandoverResult) => void;
  readonly reject: (error: unknown) => void;
}

/** The page has begun a send and not finished it. */
export class SendPendingError extends CommandInterruptedError {
  /** When it began, on the clock of `performance`. */
  readonly since: number;

  constructor(since: number) {
    super('the page has not finished the send');
    this.since = since;
  }
}

interface BatchResult {
  /** The sends that the page was called for, in the order of the batch. The rest are settled already. */
  readonly called: readonly QueuedSend[];
  /** By the index of `called`. Shorter if the page stopped at a message that it did not take. */
  readonly answers: readonly SentText[] | Error;
  /** When the page was called, on the clock of `performance`. */
  readonly calledAt: number;
}

interface BatchContext {
  readonly availability: Availability;
  /** Until when the page may act for this run (ms, wall clock). It is read just before the call. */
  readonly actUntil: () => number;
}

/** Records the attempts of a batch and hands it to the page in one call. Never rejects. */
export async function handOverBatch(
  batch: readonly QueuedSend[],
  { availability, actUntil }: BatchContext,
): Promise<BatchResult> {
  const recorded = await recordAll(batch);
  const called = stillNext(recorded, batch, availability.period);
  const calledAt = performance.now();
  const answers =
    called.length === 0 ? [] : await callPage(called, availability, actUntil).catch((error: Error) => error);
  return { called, answers, calledAt };
}

/** The sends that the page has now. */
export function sentPlaces({ called, answers }: BatchResult): ReadonlySet<SendPlace> {
  const sent = new Set<SendPlace>();
  if (answers instanceof Error) return sent;
  for (const [i, { place }] of called.entries()) if (answers[i]?.type === 'sent') sent.add(place);
  return sent;
}

/** Settles each send that the page was called for. */
export function settleBatch({ called, answers, calledAt }: BatchResult): void {
  for (const [i, send] of called.entries()) {
    if (answers instanceof Error) send.reject(answers);
    else settle(send, answers[i], calledAt);
  }
}

/** Records all attempts at once. Returns the recorded ones up to the first that failed: no later one may overtake it. */
async function recordAll(batch: readonly QueuedSend[]): Promise<QueuedSend[]> {
  const records = await Promise.allSettled(batch.map(({ record }) => record()));
  const recorded: QueuedSend[] = [];
  let isStopped = false;
  for (const [i, send] of batch.entries()) {
    const record = records[i] as PromiseSettledResult<'recorded' | 'fenced' | 'late'>;
    if (isStopped) {
      send.resolve('again');
    } else if (record.status === 'rejected' || record.value === 'fenced') {
      isStopped = true;
      send.reject(
        'reason' in record ? record.reason : new Error('Redis does not have the fence of this run'),
      );
    } else if (record.value === 'late') {
      send.resolve('late');
    } else {
      recorded.push(send);
    }
  }
  return recorded;
}

/**
 * The recorded sends that are still the next of their chat. While Redis recorded them, WhatsApp may have shown that two chats are
 * one. A send behind an older message of that chat goes back, with all after it. It has a record now, so it is looked for in
 * the page before it is sent.
 */
function stillNext(
  recorded: readonly QueuedSend[],
  batch: readonly QueuedSend[],
  period: number,
): readonly QueuedSend[] {
  const places = new Set(batch.map(({ place }) => place));
  for (const [i, { place }] of recorded.entries()) {
    if (place.chat.notInPage(period).find((each) => !places.has(each) || each === place) === place) continue;
    for (const { resolve } of recorded.slice(i)) resolve('again');
    return recorded.slice(0, i);
  }
  return recorded;
}

async function callPage(
  sends: readonly QueuedSend[],
  availability: Availability,
  actUntil: () => number,
): Promise<readonly SentText[]> {
  const incarnation = availability.in('ready');
  // The page may have reloaded while Redis recorded the attempts, and may have lost a predecessor of these.
  if (incarnation === null || sends.some(({ period }) => period !== availability.period)) {
    throw new CommandInterruptedError('the page has reloaded since the send was prepared');
  }
  const messages = sends.map(({ jobId, attempt: { chatId, messageId }, job }) => {
    const { message, linkPreview, markSeen } = job;
    return { jobId, chatId, messageId, message, linkPreview, markSeen };
  });
  const input: SendCommands['sendTexts']['input'] = { messages, notAfter: actUntil() };
  const options = { timeoutMs: pageCallMs, requestIds: sends.map(({ job }) => job.requestId) };
  const answers = await incarnation.commands.call<readonly SentText[]>('sendTexts', input, options);
  // The page answers at least for the first message. No answer at all: wait before the retry.
  if (!Array.isArray(answers) || answers.length === 0) {
    throw new CommandInterruptedError('the page did not say whether it sent the messages');
  }
  return answers;
}

function settle(
  { place, period, resolve, reject }: QueuedSend,
  answer: SentText | undefined,
  calledAt: number,
): void {
  switch (answer?.type) {
    case 'sent':
      // First of all: the next send of the chat may start.
      place.markInPage(period);
      return resolve('sent');
    case 'refused':
      return reject(new CommandRefusedError('whatsapp_error', answer.message));
    case 'late':
      return reject(
        new CommandInterruptedError('the page did not send the message: too late, or its id has changed'),
      );
    case 'pending':
      return reject(new SendPendingError(place.pendingSince(period, calledAt)));
    default:
      answer satisfies undefined;
      return resolve('again');
  }
}
