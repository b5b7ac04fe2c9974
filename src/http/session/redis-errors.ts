import type { ChainableCommander } from 'ioredis';
import { ZodError } from 'zod';
import { ApiError } from '../../contract/errors.js';
import { isWrongType } from '../../platform/odd-data.js';
import { isElsewhere } from '../../platform/redis/peers.js';
import { refusesRight } from '../../platform/redis/rights.js';

/** Replies of a Redis that is there but cannot serve now; CROSSSLOT is a proxy's in front of a cluster. */
const unavailableReply =
  /^(LOADING|MISCONF|CROSSSLOT|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|WRONGPASS|BUSY|UNKILLABLE)\b/;

/** Runs `call`, whose failures are Redis', and says `redis_unavailable` for those that mean an outage. */
export async function viaRedis<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw isOutage(error)
      ? new ApiError('redis_unavailable', sentenceOf(error), {
          headers: { 'retry-after': '1' },
          cause: error,
        })
      : error;
  }
}

function sentenceOf(error: unknown): string {
  if (isFull(error)) return full;
  const isRefusal = error instanceof Error && error.name === 'ReplyError';
  return `Redis ${isRefusal ? 'refuses this now' : 'does not answer'}; try again shortly`;
}

const full =
  'Redis has no memory left for this: give it more (docs/bounds.md), or wait until something is done';

/** What each command of a pipeline answers; throws the first error among them. */
export async function repliesOf(pipeline: ChainableCommander): Promise<unknown[]> {
  return ((await pipeline.exec()) ?? []).map(([error, reply]) => {
    if (error) throw error;
    return reply;
  });
}

/** In place of a reply. */
export const wrongType = Symbol('wrong type');

/** The same, with {@link wrongType} where a key is of another type than it is for. */
export async function repliesUnlessWrongType(pipeline: ChainableCommander): Promise<unknown[]> {
  return ((await pipeline.exec()) ?? []).map(([error, reply]) => {
    if (!error) return reply;
    if (isWrongType(error)) return wrongType;
    throw error;
  });
}

/** Redis before 7 tells it in the middle of what a script failed of. */
function isFull(error: unknown): boolean {
  return error instanceof Error && /\bOOM\b/.test(error.message);
}

function isOutage(error: unknown): boolean {
  if (error instanceof ApiError || error instanceof ZodError) return false;
  if (error instanceof SyntaxError || error instanceof TypeError) return false;
  if (!(error instanceof Error)) return false;
  if (error.name !== 'ReplyError' || isFull(error)) return true;
  const { message } = error;
  return unavailableReply.test(message) || isElsewhere(message) || refusesRight(message);
}
