import { randomUUID } from 'node:crypto';
import type { JobsOptions, Queue } from 'bullmq';
import type { StartJob } from '../../contract/intent.js';
import { queueKey, sessionKeys } from '../../contract/keys.js';
import { authStartJob, runJobId, sessionsQueue } from '../../contract/names.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';
import { addJob } from './job-queue.js';

/** Queues the start of a session. Changes nothing if it is queued already. */
export async function addStart(redis: Redis, queue: Queue, session: string): Promise<void> {
  const { name, data, options } = startJobOptions(session);
  await addJob(redis, queue, name, data, options);
  await noteStart(redis, session);
}

/** Notes which start the session's job is, so that reads of the status see that it waits. Without a job, none waits. */
export async function noteStart(redis: Redis, session: string): Promise<void> {
  const k = sessionKeys(session);
  await noteStartScript(redis, [k.job, k.start], []);
}

// KEYS job start
// returns 1, or 0 if there is no job, or one that cannot be read
const noteStartScript = luaScript<number>(
  'noteStart',
  2,
  `if redis.call('EXISTS', KEYS[1]) == 0 then
     redis.call('DEL', KEYS[2])
     return 0
   end
   local data = redis.call('HGET', KEYS[1], 'data')
   local isRead, start = pcall(cjson.decode, data or '')
   if not isRead or type(start) ~= 'table' or type(start.startId) ~= 'string' then return 0 end
   redis.call('SET', KEYS[2], start.startId)
   return 1`,
);

/**
 * For a supervisor that has been woken by a start, or looks for the next one: wakes another supervisor, in case that one takes it
 * first. Resolves to the id of the next start and how many wait; null: none waits.
 */
export async function passOnWakeUp(redis: Redis): Promise<WaitingStarts | null> {
  const keys = ['wait', 'meta', 'marker'].map((name) => queueKey(sessionsQueue, name));
  const found = await passOnScript(redis, keys, []);
  return found === null ? null : { next: found[0], count: found[1] };
}

export interface WaitingStarts {
  readonly next: string;
  readonly count: number;
}

// KEYS wait meta marker
// returns the id of the next start and how many wait; nil if none waits, or none may be taken
const passOnScript = luaScript<[next: string, count: number] | null>(
  'passOnWakeUp',
  3,
  `local next = redis.call('LINDEX', KEYS[1], -1)
   if not next or redis.call('HEXISTS', KEYS[2], 'paused') == 1 then return false end
   redis.call('ZADD', KEYS[3], 0, '0')
   return { next, redis.call('LLEN', KEYS[1]) }`,
);

/**
 * The job that is a session's run. The job id of a session is always the same, so that two starts are one job. A run that
 * throws is tried again, and a finished job is removed, so that nothing blocks the next start.
 */
export function startJobOptions(session: string): {
  name: string;
  data: StartJob;
  options: JobsOptions & { readonly jobId: string };
} {
  return {
    name: authStartJob,
    data: { startId: randomUUID() },
    options: {
      jobId: runJobId(session),
      removeOnComplete: true,
      removeOnFail: true,
      attempts: Number.MAX_SAFE_INTEGER,
      backoff: { type: 'fixed', delay: 5_000, jitter: 0.5 },
      stackTraceLimit: 1,
    },
  };
}
