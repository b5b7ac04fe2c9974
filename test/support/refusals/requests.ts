import { keyPrefix } from '../../../src/contract/keys.js';
import { readsQueue, sendsQueue, sessionsQueue } from '../../../src/contract/names.js';
import type { RedisRequest } from '../refusing-redis.js';

/** Selects the requests of a step. */
export type Requests = (request: RedisRequest) => boolean;

export const named =
  (step: string): Requests =>
  (request) =>
    request.step === step;

export const any =
  (...which: readonly Requests[]): Requests =>
  (request) =>
    which.some((each) => each(request));

/** A BullMQ script on one queue: the queue of runs, or that of the session's sends or reads. */
export const onQueue =
  (step: string, kind: 'sessions' | 'sends' | 'reads', session = 'default'): Requests =>
  ({ step: made, words }) =>
    made === step && words.some((word) => word.startsWith(`${keyPrefix}:${queueOf(kind, session)}:`));

export const onKey =
  (step: string, part: string): Requests =>
  ({ step: made, words: [key = ''] }) =>
    made === step && key.includes(part);

/** A state written by a session worker. It sets no heartbeat, its script's argument 6; a supervisor's write does. */
export const threadWrite: Requests = ({ step, words }) =>
  step === 'holdline_publishStatus' && words.filter((word) => !word.startsWith(keyPrefix))[5] === '0';

function queueOf(kind: 'sessions' | 'sends' | 'reads', session: string): string {
  if (kind === 'sessions') return sessionsQueue;
  return kind === 'sends' ? sendsQueue(session) : readsQueue(session);
}
