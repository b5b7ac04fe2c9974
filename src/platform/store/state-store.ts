import type { OnBound } from '../../contract/bounds.js';
import { eventsOfChange } from '../../contract/events.js';
import { type Intent, type IntentOutcome, intentOutcomeSchema, intentSchema } from '../../contract/intent.js';
import { type SessionKeys, sessionKeys } from '../../contract/keys.js';
import {
  type Fence,
  formatFence,
  parseFence,
  type Status,
  statusSchema,
  storedStatus,
} from '../../contract/status.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';
import { setAsideText, settingAside } from '../redis/set-aside.js';
import { accountEndKeyCount, accountEndKeys, accountEndLua } from './account-end.js';
import { addEventsLua, areWritten, wordsOf } from './event-writer.js';

/** A session's state in Redis: who may write it is decided here, by the fence, and nowhere else. */

export interface StoredQr {
  readonly png: Buffer;
  readonly base64: string;
}

export type Claim =
  | {
      readonly type: 'claimed';
      readonly epoch: number;
      readonly previous: Status | null;
      readonly wipedEpoch: number;
    }
  /** The lock holds another run's token: this run must not touch anything. */
  | { readonly type: 'not-ours' }
  /** This very start was ended for good; only its job's removal got lost. */
  | { readonly type: 'already-ended' };

/**
 * Makes the run that holds the lock the session's only writer, under a higher epoch than any before. `above`: an
 * epoch known from elsewhere, for a Redis that has lost it and whose clock may be behind.
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
    [k.lock, k.fence, k.state, k.endedStart, k.wiped],
    [token, startId, above],
  );
  if (outcome !== 'claimed') return { type: outcome };
  return {
    type: 'claimed',
    epoch: Number(epoch),
    previous: readableStatus(previous),
    wipedEpoch: parseWipe(wiped) ?? 0,
  };
}

// KEYS lock fence state endedStart wiped | ARGV token startId above
// returns {'claimed', epoch, state, wiped} or {'not-ours'} or {'already-ended'}
const claimScript = luaScript<['claimed' | 'not-ours' | 'already-ended', string, string, string]>(
  'claim',
  5,
  `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'not-ours'} end
   if redis.call('GET', KEYS[4]) == ARGV[2] then return {'already-ended'} end
   local last = string.match(redis.call('GET', KEYS[2]) or '', '^%d+') or ''
   last = #last < 16 and tonumber(last) or 0
   local time = redis.call('TIME')
   local epoch = math.max(last + 1, tonumber(ARGV[3]) + 1, time[1] * 1000 + math.floor(time[2] / 1000))
   redis.call('SET', KEYS[2], string.format('%.0f.0', epoch))
   return {'claimed', string.format('%.0f', epoch), redis.call('GET', KEYS[3]) or '', redis.call('GET', KEYS[5]) or '0'}`,
);

export async function holdsLock(redis: Redis, session: string, token: string): Promise<boolean> {
  return (await holdsScript(redis, [sessionKeys(session).lock], [token])) === 1;
}

// KEYS lock | ARGV token | returns 1 or 0
const holdsScript = luaScript<number>(
  'holdsLock',
  1,
  "return redis.call('GET', KEYS[1]) == ARGV[1] and 1 or 0",
);

/**
 * Renews the lock of the run that holds it; false when it holds another's token. PEXPIRE, not SET: it works
 * in a Redis that refuses writes for want of memory.
 */
export async function renewLock(
  redis: Redis,
  session: string,
  token: string,
  lockMs: number,
): Promise<boolean> {
  const k = sessionKeys(session);
  return (await renewScript(redis, [k.lock, k.stalled], [token, lockMs, jobIdOf(k)])) === 1;
}

// KEYS lock stalled | ARGV token lockMs jobId | returns 1 or 0
const renewScript = luaScript<number>(
  'renew',
  2,
  `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
   redis.call('PEXPIRE', KEYS[1], ARGV[2])
   redis.call('SREM', KEYS[2], ARGV[3])
   return 1`,
);

export interface Publication {
  readonly session: string;
  /** The fence that must stand in Redis for the write to be accepted. */
  readonly expected: Fence;
  readonly status: Status;
  readonly qr?: StoredQr | null;
  /** A supervisor's write also says that it stands behind the state. */
  readonly heartbeatTtlMs?: number;
  readonly onBound?: OnBound | undefined;
  /** The account was logged out: what was its ends with this write. */
  readonly endsAccount?: boolean;
}

/**
 * Writes state, QR and events if the fence still is `expected`, and moves the fence to the status' own
 * `epoch.incarnation` (the same for a thread, one higher for a supervisor). False: refused, nothing changed. Where the
 * status is of another account than the one before, what was that one's ends.
 */
export function publishStatus(redis: Redis, p: Publication): Promise<boolean> {
  const k = sessionKeys(p.session);
  return writeWithEvents(redis, k, p, (status, before, eventWords) =>
    publishScript(
      redis,
      [k.fence, k.state, k.qrPng, k.qrBase64, k.heartbeat, k.events, ...accountEndKeys(p.session)],
      [
        formatFence(p.expected),
        formatFence(p.status),
        status,
        p.qr?.png ?? '',
        p.qr?.base64 ?? '',
        p.heartbeatTtlMs ?? 0,
        before,
        p.endsAccount ? 1 : 0,
        p.status.account?.wid ?? '',
        ...eventWords,
      ],
    ),
  );
}

/** Lua: where the events are of another type the script fails here, before it moves the fence, and can run again. */
function probeEventsLua(key: number): string {
  return `redis.call('XRANGE', KEYS[${key}], '0-0', '0-0')`;
}

// KEYS fence state qrPng qrBase64 heartbeat events, keys of the account's end
// ARGV expected next status png base64 heartbeatTtlMs before endsAccount wid, words of the events
// returns 0 when the fence is another's, 2 when the state is not `before` any more, else as the events say
const publishScript = luaScript<number>(
  'publish',
  6 + accountEndKeyCount,
  `${accountEndLua(7)}
   if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
   if (redis.call('GET', KEYS[2]) or '') ~= ARGV[7] then return 2 end
   ${probeEventsLua(6)}
   if ARGV[8] == '1' then endAccount() end
   beginAccount(ARGV[9])
   redis.call('SET', KEYS[1], ARGV[2])
   redis.call('SET', KEYS[2], ARGV[3])
   if ARGV[4] == '' then
     redis.call('DEL', KEYS[3], KEYS[4])
   else
     redis.call('SET', KEYS[3], ARGV[4])
     redis.call('SET', KEYS[4], ARGV[5])
   end
   if ARGV[6] ~= '0' then redis.call('SET', KEYS[5], 'live', 'PX', ARGV[6]) end
   ${addEventsLua(6, 10)}`,
);

/**
 * What changed depends on what stands in Redis, not on what this writer wrote last: thread, supervisor and
 * replicas take turns. So the events are composed from the state that is there, and the script is sent back
 * when somebody wrote in between.
 */
async function writeWithEvents(
  redis: Redis,
  keys: SessionKeys,
  { status, onBound = () => undefined }: Pick<Publication, 'status' | 'onBound'>,
  write: (status: string, before: Buffer, eventWords: (string | number)[]) => Promise<number>,
): Promise<boolean> {
  const told = storedStatus(status);
  if (told !== status) onBound('statusText');
  const json = JSON.stringify(told);
  for (;;) {
    const state = await settingAside(redis, [keys.state], () => redis.getBuffer(keys.state));
    const before = state ?? Buffer.alloc(0);
    const events = eventsOfChange(readableStatus(before.toString()), told);
    const written = await write(json, before, wordsOf(events, onBound));
    if (written !== 2) return areWritten(written, onBound);
  }
}

/** For those who replace what is there: a state that cannot be read is none. */
export function readableStatus(json: string): Status | null {
  return orNothing(parseStatus, json);
}

function orNothing<T>(parse: (json: string) => T | null, json: string): T | null {
  try {
    return parse(json);
  } catch {
    return null;
  }
}

export interface Beat {
  readonly session: string;
  readonly token: string;
  readonly epoch: number;
  readonly ttlMs: number;
  /** Also where Redis says that the run has ended. */
  readonly revives?: boolean;
}

export interface BeatAnswer {
  readonly isOurs: boolean;
  readonly intent: Intent | null;
  /** The state is gone, or nobody can read it. */
  readonly isStateLost: boolean;
  /** One of these keys holds what nobody can read. */
  readonly isOdd: boolean;
  /** The heartbeat says that the run has ended; it was left so. */
  readonly isEnded: boolean;
}

/**
 * Renews the heartbeat of a run that holds the lock and the fence, and looks whether somebody wants it to end and whether
 * its state still stands. A beat that waited for Redis longer than its run lives must not bring a dead run's state back.
 */
export async function beat(redis: Redis, b: Beat): Promise<BeatAnswer> {
  const k = sessionKeys(b.session);
  const [isOurs, intent, state, heartbeat] = await beatScript(
    redis,
    [k.lock, k.fence, k.heartbeat, k.intent, k.state],
    [b.token, b.epoch, b.ttlMs, b.revives ? 1 : 0],
  );
  const isEnded = heartbeat === 'ended';
  const isStateLost = state !== undefined && readableStatus(state) === null;
  const texts: [string | undefined, boolean][] = [
    [intent, parseIntent(intent) !== null],
    [state, !isStateLost],
    [heartbeat, heartbeat === 'live' || isEnded],
  ];
  const isOdd = texts.some(([text, isReadable]) => text && !isReadable);
  return { isOurs: isOurs === 1, intent: parseIntent(intent), isStateLost, isOdd, isEnded };
}

// KEYS lock fence heartbeat intent state | ARGV token epoch ttlMs, 1 to revive what has ended
// returns {1, intent or '', state or '', the heartbeat that was there or ''}, or {0, ''}
// A last beat that comes after the run's end must not take its `ended` away.
const beatScript = luaScript<[number, string, string?, string?]>(
  'beat',
  5,
  `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {0, ''} end
   if string.match(redis.call('GET', KEYS[2]) or '', '^%d+') ~= ARGV[2] then return {0, ''} end
   local heartbeat = redis.call('GET', KEYS[3])
   local isLeft = heartbeat == 'ended' and ARGV[4] ~= '1'
   if isLeft then return {1, '', redis.call('GET', KEYS[5]) or '', heartbeat} end
   if not heartbeat or heartbeat == 'ended' then redis.call('SET', KEYS[3], 'live', 'PX', ARGV[3])
   else redis.call('PEXPIRE', KEYS[3], ARGV[3]) end
   return {1, redis.call('GET', KEYS[4]) or '', redis.call('GET', KEYS[5]) or '', heartbeat or ''}`,
);

/** Takes the heartbeat away: the owner hands the run on, and nobody stands behind the state until then. */
export async function stepDown(redis: Redis, session: string, epoch: number): Promise<void> {
  const k = sessionKeys(session);
  await stepDownScript(redis, [k.fence, k.heartbeat, k.qrPng, k.qrBase64], [epoch]);
}

// KEYS fence heartbeat qrPng qrBase64 | ARGV epoch | returns 1 or 0
const stepDownScript = luaScript<number>(
  'stepDown',
  4,
  `if string.match(redis.call('GET', KEYS[1]) or '', '^%d+') ~= ARGV[1] then return 0 end
   redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
   return 1`,
);

export interface RunEnd {
  readonly session: string;
  /** null: there was no run yet. */
  readonly expected: Fence | null;
  readonly status: Status;
  /** `''` where there was no job. */
  readonly startId: string;
  /** The intent that this end carries out. */
  readonly intent: Intent | null;
  readonly unlinked: boolean;
  readonly onBound?: OnBound | undefined;
}

/** Publishes the last state of a run; it stands without a heartbeat until the next run. False: refused. */
export function endRun(redis: Redis, end: RunEnd): Promise<boolean> {
  const k = sessionKeys(end.session);
  const outcome: IntentOutcome | null = end.intent && { id: end.intent.id, unlinked: end.unlinked };
  const rest = [k.heartbeat, k.intent, k.outcome, k.endedStart, k.wiped, k.qrPng, k.qrBase64, k.events];
  const backup = [k.snapshot, k.previousSnapshot, k.backupSummary];
  return writeWithEvents(redis, k, end, (status, before, eventWords) =>
    endScript(
      redis,
      [k.fence, k.state, ...rest, ...backup, ...accountEndKeys(end.session)],
      [
        end.expected ? formatFence(end.expected) : '',
        formatFence(end.status),
        status,
        end.startId,
        end.intent ? JSON.stringify(end.intent) : '',
        outcome ? JSON.stringify(outcome) : '',
        end.intent?.kind === 'logout' ? end.status.epoch : 0,
        before,
        ...eventWords,
      ],
    ),
  );
}

// KEYS fence state heartbeat intent outcome endedStart wiped qrPng qrBase64 events snapshot previousSnapshot backupSummary,
// keys of the account's end
// ARGV expected ('' = no fence yet) next status startId intent outcome wipedEpoch before, words of the events
// returns 0 when the fence is another's, 2 when the state is not `before` any more, else as the events say
// An intent that came after the one carried out here stays: it is not done.
const endScript = luaScript<number>(
  'end',
  13 + accountEndKeyCount,
  `${accountEndLua(14)}
   if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
   if (redis.call('GET', KEYS[2]) or '') ~= ARGV[8] then return 2 end
   local standing = redis.call('GET', KEYS[4])
   local wiped = tonumber(redis.call('GET', KEYS[7]) or '') or 0
   ${probeEventsLua(10)}
   if tonumber(ARGV[7]) > 0 then
     redis.call('UNLINK', KEYS[11], KEYS[12], KEYS[13])
     endAccount()
   end
   redis.call('SET', KEYS[1], ARGV[2])
   redis.call('SET', KEYS[2], ARGV[3])
   redis.call('SET', KEYS[3], 'ended')
   redis.call('DEL', KEYS[8], KEYS[9])
   if ARGV[4] ~= '' then redis.call('SET', KEYS[6], ARGV[4]) end
   if ARGV[5] ~= '' then
     if standing == ARGV[5] then redis.call('DEL', KEYS[4]) end
     redis.call('SET', KEYS[5], ARGV[6], 'PX', 60000)
   end
   if tonumber(ARGV[7]) > wiped then redis.call('SET', KEYS[7], ARGV[7]) end
   ${addEventsLua(10, 9)}`,
);

/**
 * Voids every profile, snapshot, waiting send and QR link of before, prior to the deletion, and ends what was the account's
 * in Redis. Gives the number of this wipe, higher than any before it; null: the run is not ours.
 */
export async function markWiped(redis: Redis, session: string, epoch: number): Promise<number | null> {
  const k = sessionKeys(session);
  const keys = [
    k.fence,
    k.wiped,
    k.snapshot,
    k.previousSnapshot,
    k.backupSummary,
    ...accountEndKeys(session),
  ];
  const wiped = await markWipedScript(redis, keys, [epoch]);
  return wiped === '' ? null : Number(wiped);
}

// KEYS fence wiped snapshot previousSnapshot backupSummary, keys of the account's end
// ARGV epoch | returns the number of the wipe, or ''
const markWipedScript = luaScript<string>(
  'markWiped',
  5 + accountEndKeyCount,
  `${accountEndLua(6)}
   if string.match(redis.call('GET', KEYS[1]) or '', '^%d+') ~= ARGV[1] then return '' end
   local last = string.match(redis.call('GET', KEYS[2]) or '', '^%d+$') or ''
   last = #last < 16 and tonumber(last) or 0
   local wiped = string.format('%.0f', math.max(last + 1, tonumber(ARGV[1])))
   redis.call('SET', KEYS[2], wiped)
   redis.call('UNLINK', KEYS[3], KEYS[4], KEYS[5])
   endAccount()
   return wiped`,
);

/** Says how the run shall end; joins an intent that already covers it. Returns the id to look for. */
export async function requestEnd(redis: Redis, session: string, wish: Intent): Promise<Intent> {
  const k = sessionKeys(session);
  const standing = parseIntent(await requestEndScript(redis, [k.intent], [JSON.stringify(wish), wish.kind]));
  if (standing !== null) return standing;
  await setAsideText(redis, k.intent);
  return requestEnd(redis, session, wish);
}

// KEYS intent | ARGV wish kind | returns the intent that stands now
// One that nobody can read is overwritten.
const requestEndScript = luaScript<string>(
  'requestEnd',
  1,
  `local standing = redis.call('GET', KEYS[1])
   local isRead, former = pcall(cjson.decode, standing or '')
   if isRead and type(former) == 'table' and type(former.id) == 'string' then
     if former.kind == 'logout' or former.kind == ARGV[2] then return standing end
   end
   redis.call('SET', KEYS[1], ARGV[1])
   return ARGV[1]`,
);

export function parseStatus(json: string | null): Status | null {
  return json ? statusSchema.parse(JSON.parse(json)) : null;
}

/** The number of a wipe; null where there is none, or nobody can read it. */
export function parseWipe(text: string | null | undefined): number | null {
  return /^\d{1,15}$/.test(text ?? '') ? Number(text) : null;
}

/** One that cannot be read asks for nothing. */
export function parseIntent(json: string | null): Intent | null {
  return orNothing((text) => intentSchema.parse(JSON.parse(text)), json ?? '');
}

export function parseOutcome(json: string | null): IntentOutcome | null {
  return orNothing((text) => intentOutcomeSchema.parse(JSON.parse(text)), json ?? '');
}

export async function readFence(redis: Redis, session: string): Promise<Fence | null> {
  const { fence } = sessionKeys(session);
  return parseFence(await settingAside(redis, [fence], () => redis.get(fence)));
}

function jobIdOf(keys: SessionKeys): string {
  return keys.job.slice(keys.job.lastIndexOf(':') + 1);
}
