import { z } from 'zod';
import {
  type SendAttempt,
  type SendOutcome,
  sendAttemptSchema,
  sendOutcomeSchema,
} from '../../contract/command-jobs.js';
import { parseAs } from '../../contract/json.js';
import { attemptKey, sessionKeys } from '../../contract/keys.js';
import { type Fence, formatFence } from '../../contract/status.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';
import { defectReasons, logQuarantined } from '../redis/quarantine.js';
import { quarantineArgs, quarantineIndexOf, quarantineLua } from '../redis/quarantine-lua.js';

/** What Redis stores about a send besides its job: whether the page may have been called, and the outcome. */
export interface SendRecord {
  /** `unreadable`: there is a record, so the page may have been called. */
  readonly attempt: SendAttempt | 'unreadable' | null;
  readonly outcome: SendOutcome | null;
}

const unreadable: SendRecord = { attempt: 'unreadable', outcome: null };

const outcomeTtlMs = 2 * 86_400_000;

/** Longer than any job is kept. */
const recordTtlMs = 8 * 86_400_000;

/** The record of a send, and the time of Redis in ms: a send must not expire because a host's clock jumped. */
export async function readSendRecord(
  redis: Redis,
  session: string,
  jobId: string,
): Promise<{ readonly record: SendRecord | null; readonly nowMs: number }> {
  const [json, nowMs] = await readScript(redis, [attemptKey(session, jobId)], []);
  return { record: parseSendRecord(json === '' ? null : json), nowMs: Number(nowMs) };
}

// KEYS record
// returns {record, time in ms}; '' for no record; a text that is not JSON for a key of a wrong type
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

/** Never throws: an unreadable record affects its own send only. */
export function parseSendRecord(json: string | null): SendRecord | null {
  return json === null ? null : (parseAs(recordSchema, json) ?? unreadable);
}

/** Older versions left out a message id that the page did not give them. */
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
 * Call it before the page is called. `fenced`: Redis has another fence. `late`: it is later than `notAfter` (ms) and no attempt
 * was recorded, so replicas already report the send as expired. In both cases the page must not be called.
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

// KEYS fence record
// ARGV expected record ttlMs notAfter
// returns the result
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

/** Moves an unreadable record to quarantine, and stores the outcome in its place. */
export async function replaceUnreadableRecord(
  redis: Redis,
  session: string,
  jobId: string,
  outcome: SendOutcome,
): Promise<void> {
  const key = attemptKey(session, jobId);
  const record: SendRecord = { attempt: null, outcome };
  const args = [key, defectReasons.unreadable, ...quarantineArgs, JSON.stringify(record), outcomeTtlMs];
  if ((await replaceScript(redis, [key, quarantineIndexOf(key)], args)) === 1) {
    logQuarantined(redis, key, defectReasons.unreadable);
  }
}

// KEYS record, quarantine index
// ARGV key why, quarantineArgs, new record, ttlMs
// returns 1 if there was a record, else 0
const replaceScript = luaScript<number>(
  'replaceUnreadableRecord',
  2,
  `${quarantineLua(2, 3)}
   local had = redis.call('EXISTS', KEYS[1])
   if had == 1 then quarantine(ARGV[1], ARGV[2]) end
   redis.call('SET', KEYS[1], ARGV[5], 'PX', ARGV[6])
   return had`,
);
