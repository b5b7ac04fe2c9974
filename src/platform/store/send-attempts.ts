import { z } from 'zod';
import {
  type SendAttempt,
  type SendOutcome,
  sendAttemptSchema,
  sendOutcomeSchema,
} from '../../contract/command-jobs.js';
import { attemptKey, sessionKeys } from '../../contract/keys.js';
import { type Fence, formatFence } from '../../contract/status.js';
import { parseJson } from '../data-errors.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';
import { asideIndexOf, reasons, setAsideLua, setAsideWords, tellAside } from '../redis/set-aside.js';

/** What is known of a send beside its job: that the page may have been called, and how it ended. */
export interface SendRecord {
  /** `unreadable`: something is recorded, so the page may have been called. */
  readonly attempt: SendAttempt | 'unreadable' | null;
  readonly outcome: SendOutcome | null;
}

const unreadable: SendRecord = { attempt: 'unreadable', outcome: null };

const outcomeTtlMs = 2 * 86_400_000;

/** Longer than any job lives. */
const recordTtlMs = 8 * 86_400_000;

/** The record of a send and Redis' own time (ms): a host whose clock jumped must not tell a send as expired. */
export async function readSendRecord(
  redis: Redis,
  session: string,
  jobId: string,
): Promise<{ readonly record: SendRecord | null; readonly nowMs: number }> {
  const [json, nowMs] = await readScript(redis, [attemptKey(session, jobId)], []);
  return { record: parseSendRecord(json === '' ? null : json), nowMs: Number(nowMs) };
}

// KEYS record | returns {record, '' where there is none, and Redis ms}; of what is no string a text that cannot be read
const readScript = luaScript<[string, string]>(
  'readSendRecord',
  1,
  `local time = redis.call('TIME')
   local record = redis.pcall('GET', KEYS[1])
   if type(record) == 'table' then
     if not string.find(record.err, 'WRONGTYPE', 1, true) then return record end
     record = 'no record'
   end
   return {record or '', string.format('%.0f', time[1] * 1000 + time[2] / 1000)}`,
);

/** Never throws: a record that cannot be read costs its own send only. */
export function parseSendRecord(json: string | null): SendRecord | null {
  if (json === null) return null;
  const record = recordSchema.safeParse(parseJson(json));
  return record.success ? record.data : unreadable;
}

/** Versions before this one could leave out an id that the page did not give them. */
const recordSchema = z.object({
  attempt: z.preprocess(withoutEmptyId, sendAttemptSchema).nullable(),
  outcome: z.preprocess(withMessageId, sendOutcomeSchema).nullable(),
});

function withoutEmptyId(attempt: unknown): unknown {
  return isObject(attempt) && attempt.messageId === '' ? { ...attempt, messageId: null } : attempt;
}

function withMessageId(outcome: unknown): unknown {
  if (!isObject(outcome) || !isObject(outcome.result)) return outcome;
  return { ...outcome, result: { message_id: null, ...outcome.result } };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/**
 * Before the page is called. `fenced`: the session is another's; `late`: the send has been told as expired. In both
 * cases the page must not be called.
 */
export async function recordAttempt(
  redis: Redis,
  session: string,
  jobId: string,
  attempt: SendAttempt,
  unless: { readonly fence: Fence; readonly notAfter: number },
): Promise<'recorded' | 'fenced' | 'late'> {
  const record: SendRecord = { attempt, outcome: null };
  return recordScript(
    redis,
    [sessionKeys(session).fence, attemptKey(session, jobId)],
    [formatFence(unless.fence), JSON.stringify(record), recordTtlMs, unless.notAfter],
  );
}

// KEYS fence record | ARGV expectedFence record ttlMs notAfter | returns what happened
const recordScript = luaScript<'recorded' | 'fenced' | 'late'>(
  'recordAttempt',
  2,
  `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'fenced' end
   local time = redis.call('TIME')
   if redis.call('EXISTS', KEYS[2]) == 0 and time[1] * 1000 + time[2] / 1000 > tonumber(ARGV[4]) then return 'late' end
   redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
   return 'recorded'`,
);

export async function recordOutcome(
  redis: Redis,
  session: string,
  jobId: string,
  outcome: SendOutcome,
): Promise<void> {
  const record: SendRecord = { attempt: null, outcome };
  await redis.set(attemptKey(session, jobId), JSON.stringify(record), 'PX', outcomeTtlMs);
}

/** The outcome in the place of a record that nobody can read, which is set aside. */
export async function replaceUnreadableRecord(
  redis: Redis,
  session: string,
  jobId: string,
  outcome: SendOutcome,
): Promise<void> {
  const key = attemptKey(session, jobId);
  const record: SendRecord = { attempt: null, outcome };
  const words = [key, reasons.text, ...setAsideWords, JSON.stringify(record), outcomeTtlMs];
  if ((await replaceScript(redis, [key, asideIndexOf(key)], words)) === 1) {
    tellAside(redis, key, reasons.text);
  }
}

// KEYS record index | ARGV key why, most, ms, outcome, ttlMs | returns 1 where there was a record
const replaceScript = luaScript<number>(
  'replaceUnreadableRecord',
  2,
  `${setAsideLua(2, 3)}
   local had = redis.call('EXISTS', KEYS[1])
   if had == 1 then setAside(ARGV[1], ARGV[2]) end
   redis.call('SET', KEYS[1], ARGV[5], 'PX', ARGV[6])
   return had`,
);
