import { keyPrefix } from '../../../src/contract/keys.js';
import { readsQueue, sendsQueue, sessionsQueue } from '../../../src/contract/names.js';
import { accountCleanupKeyCount } from '../../../src/platform/store/account-cleanup.js';
import type { RedisRequest } from '../refusing-redis.js';

/** Which requests make up a step. */
export type Requests = (request: RedisRequest) => boolean;

export const named =
  (step: string): Requests =>
  (request) =>
    request.step === step;

export const any =
  (...which: readonly Requests[]): Requests =>
  (request) =>
    which.some((each) => each(request));

/** A script of BullMQ's on one kind of queue; `sends` and `reads` are those of the session. */
export const onQueue =
  (step: string, kind: 'sessions' | 'sends' | 'reads', session = 'default'): Requests =>
  ({ step: made, words }) =>
    made === step && words.some((word) => word.startsWith(`${keyPrefix}:${queueOf(kind, session)}:`));

export const onKey =
  (step: string, part: string): Requests =>
  ({ step: made, words: [key = ''] }) =>
    made === step && key.includes(part);

/** A state as a session worker writes it: only a supervisor's write sets the heartbeat. */
export const threadWrite: Requests = ({ step, words }) =>
  step === 'holdline_publish' && words[6 + accountCleanupKeyCount + 5] === '0';

function queueOf(kind: 'sessions' | 'sends' | 'reads', session: string): string {
  if (kind === 'sessions') return sessionsQueue;
  return kind === 'sends' ? sendsQueue(session) : readsQueue(session);
}
