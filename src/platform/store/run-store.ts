import type { Intent } from '../../contract/intent.js';
import { sessionKeys } from '../../contract/keys.js';
import { runJobId } from '../../contract/names.js';
import type { Status } from '../../contract/status.js';
import { batchedScript } from '../redis/batched-script.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';
import { isOtherEpochLua } from './fence.js';
import { parseIntent } from './intent-store.js';
import { tryParseStatus } from './state-store.js';
import { parseWipedEpoch } from './wipe-store.js';

/** A run's hold on its session in Redis: claim, lock and heartbeat. */

export type Claim =
  | {
      readonly type: 'claimed';
      readonly epoch: number;
      readonly previous: Status | null;
      readonly wipedEpoch: number;
    }
  /** The lock holds another run's token: this run must not touch anything. */
  | { readonly type: 'not-ours' }
  /** The run of this start ended for good, but its job was not removed. */
  | { readonly type: 'already-ended' };

/**
 * Makes the run that holds the lock the only writer of the session, under a higher epoch than any before. `above`: an
 * epoch known from elsewhere. The new one is higher, even if Redis has lost that epoch and its clock is behind.
 */
export async function claimRun(
  redis: Redis,
  session: string,
  token: string,
  startId: string,
  above = 0,
): Promise<Claim> {
  const k = sessionKeys(session);
  const [outcome, epoch, previous, wiped] = await claimScript(
    redis,
    [k.lock, k.fence, k.state, k.endedStart, k.wiped, k.start],
    [token, startId, above],
  );
  if (outcome !== 'claimed') return { type: outcome };
  return {
    type: 'claimed',
    epoch: Number(epoch),
    previous: tryParseStatus(previous),
    wipedEpoch: parseWipedEpoch(wiped) ?? 0,
  };
}

// KEYS lock fence state endedStart wiped start
// ARGV token startId above
// returns {'claimed', epoch, state, wiped} or {'not-ours'} or {'already-ended'}
const claimScript = luaScript<['claimed' | 'not-ours' | 'already-ended', string, string, string]>(
  'claimRun',
  6,
  `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'not-ours'} end
   if redis.call('GET', KEYS[4]) == ARGV[2] then return {'already-ended'} end
   local last = string.match(redis.call('GET', KEYS[2]) or '', '^%d+') or ''
   last = #last < 16 and tonumber(last) or 0
   local time = redis.call('TIME')
   local epoch = math.max(last + 1, tonumber(ARGV[3]) + 1, time[1] * 1000 + math.floor(time[2] / 1000))
   redis.call('SET', KEYS[2], string.format('%.0f.0', epoch))
   redis.call('SET', KEYS[6], ARGV[2])
   return {'claimed', string.format('%.0f', epoch), redis.call('GET', KEYS[3]) or '', redis.call('GET', KEYS[5]) or '0'}`,
);

export async function holdsLock(redis: Redis, session: string, token: string): Promise<boolean> {
  return (await holdsLockScript(redis, [sessionKeys(session).lock], [token])) === 1;
}

// KEYS lock
// ARGV token
// returns 1 or 0
const holdsLockScript = luaScript<number>(
  'holdsLock',
  1,
  "return redis.call('GET', KEYS[1]) == ARGV[1] and 1 or 0",
);

/**
 * Renews the lock, and removes the job from BullMQ's list of stalled jobs. False: the lock holds another token. Uses PEXPIRE,
 * not SET: it works in a Redis that has no memory left and refuses writes.
 */
export async function renewLock(
  redis: Redis,
  session: string,
  token: string,
  lockMs: number,
): Promise<boolean> {
  const k = sessionKeys(session);
  return (await renewLockScript(redis, [k.lock, k.stalled], [token, lockMs, runJobId(session)])) === 1;
}

// KEYS lock stalled
// ARGV token lockMs jobId
// returns 1, or 0 if the lock holds another token
const renewLockScript = batchedScript<number>(
  'renewLock',
  2,
  3,
  `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
   redis.call('PEXPIRE', KEYS[1], ARGV[2])
   redis.call('SREM', KEYS[2], ARGV[3])
   return 1`,
);

export interface HeartbeatRenewal {
  readonly session: string;
  readonly token: string;
  readonly epoch: number;
  readonly ttlMs: number;
  /** Renews the heartbeat even if it says `ended`. */
  readonly revives?: boolean;
}

export interface HeartbeatReply {
  /** The run holds lock and fence; false: nothing was renewed. */
  readonly isOurs: boolean;
  readonly intent: Intent | null;
  /** The state is gone or unreadable. */
  readonly isStateLost: boolean;
  /** Intent, state or heartbeat is unreadable. */
  readonly isAnyUnreadable: boolean;
  /** The heartbeat says `ended`, and was left unchanged. */
  readonly isEnded: boolean;
}

/**
 * Renews the heartbeat of a run that holds lock and fence, and reads intent and state in the same step. A renewal may reach
 * Redis after its run has lost the lock: then it changes nothing.
 */
export async function renewHeartbeat(redis: Redis, renewal: HeartbeatRenewal): Promise<HeartbeatReply> {
  const { session, token, epoch, ttlMs, revives } = renewal;
  const k = sessionKeys(session);
  const [isOurs, intentJson, state, heartbeat] = await renewHeartbeatScript(
    redis,
    [k.lock, k.fence, k.heartbeat, k.intent, k.state],
    [token, epoch, ttlMs, revives ? 1 : 0],
  );
  const intent = parseIntent(intentJson);
  const isEnded = heartbeat === 'ended';
  const isStateLost = state !== undefined && tryParseStatus(state) === null;
  const isAnyUnreadable =
    (intentJson !== '' && intent === null) ||
    (Boolean(state) && isStateLost) ||
    (Boolean(heartbeat) && heartbeat !== 'live' && !isEnded);
  return { isOurs: isOurs === 1, intent, isStateLost, isAnyUnreadable, isEnded };
}

// KEYS lock fence heartbeat intent state
// ARGV token epoch ttlMs, 1 to revive an ended heartbeat
// returns {1, intent, state, heartbeat as it was}, '' for a missing one; {0, ''} if lock or fence belong to another run
// The last renewal of a run may come after its end, and must leave `ended` as it is.
const renewHeartbeatScript = batchedScript<[number, string, string?, string?]>(
  'renewHeartbeat',
  5,
  4,
  `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {0, ''} end
   if ${isOtherEpochLua(2, 2)} then return {0, ''} end
   local heartbeat = redis.call('GET', KEYS[3])
   local isLeft = heartbeat == 'ended' and ARGV[4] ~= '1'
   if isLeft then return {1, '', redis.call('GET', KEYS[5]) or '', heartbeat} end
   if not heartbeat or heartbeat == 'ended' then redis.call('SET', KEYS[3], 'live', 'PX', ARGV[3])
   else redis.call('PEXPIRE', KEYS[3], ARGV[3]) end
   return {1, redis.call('GET', KEYS[4]) or '', redis.call('GET', KEYS[5]) or '', heartbeat or ''}`,
);

/** Deletes heartbeat and codes: the run is handed over, and the state has no owner until another run claims it. */
export async function stepDown(redis: Redis, session: string, epoch: number): Promise<void> {
  const k = sessionKeys(session);
  await stepDownScript(redis, [k.fence, k.heartbeat, k.qrPng, k.qrBase64, k.pairingCode], [epoch]);
}

// KEYS fence heartbeat qrPng qrBase64 pairingCode
// ARGV epoch
// returns 1, or 0 if the fence is of another epoch
const stepDownScript = luaScript<number>(
  'stepDown',
  5,
  `if ${isOtherEpochLua(1, 1)} then return 0 end
   redis.call('DEL', KEYS[2], KEYS[3], KEYS[4], KEYS[5])
   return 1`,
);
