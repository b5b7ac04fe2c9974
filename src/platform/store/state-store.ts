import { bounds, type OnBound } from '../../contract/bounds.js';
import { eventsOfChange } from '../../contract/events.js';
import type { Intent, IntentOutcome } from '../../contract/intent.js';
import { parseAs } from '../../contract/json.js';
import { cutText } from '../../contract/json-size.js';
import { eventIndexKey, sessionKeys } from '../../contract/keys.js';
import type { PairingCode } from '../../contract/pairing-code.js';
import type { OpenPasskey } from '../../contract/passkey.js';
import {
  type Fence,
  formatFence,
  isLinkedState,
  type Status,
  statusSchema,
  storedStatus,
} from '../../contract/status.js';
import { luaScript } from '../redis/lua-script.js';
import { withQuarantine } from '../redis/quarantine.js';
import type { StoreConnection } from '../redis/store-connection.js';
import { accountCleanupKeyCount, accountCleanupKeys, accountCleanupLua } from './account-cleanup.js';
import { addEventsLua, eventArgs, wereEventsAdded } from './event-writer.js';

/** Writes the state of a session. Each write carries a fence, and changes nothing if Redis has another one. */

export interface StoredQr {
  readonly png: Buffer;
  readonly base64: string;
}

export interface StatusWrite {
  readonly session: string;
  /** The fence that Redis must have for the write to be accepted. */
  readonly expected: Fence;
  readonly status: Status;
  readonly qr?: StoredQr | null;
  readonly pairingCode?: PairingCode | null;
  /** Kept until `status.passkey.expires_at`. */
  readonly passkey?: OpenPasskey | null;
  /** Why the login was lost. Kept until a phone is linked. */
  readonly loginLost?: string | null;
  /** For a supervisor's writes: also sets the heartbeat to `live`, for this time. */
  readonly heartbeatTtlMs?: number;
  readonly onBound: OnBound;
  /** The account was logged out: this write also deletes its data. */
  readonly deletesAccountData?: boolean;
}

/**
 * Writes state, codes and events if the fence is `expected`. Moves the fence to the `epoch.incarnation` of the status: the same for
 * a thread, one higher for a supervisor. If the status has another account than before, deletes the data of the former
 * one. False: refused, nothing has changed.
 */
export function publishStatus(redis: StoreConnection, write: StatusWrite): Promise<boolean> {
  const { session, expected, status, qr, pairingCode = null, passkey = null, heartbeatTtlMs = 0 } = write;
  const k = sessionKeys(session);
  return writeWithEvents(redis, write, (json, before, events) =>
    publishScript(
      redis,
      [
        ...[k.fence, k.state, k.qrPng, k.qrBase64, k.heartbeat, k.events, k.pairingCode, k.loginLost],
        ...[k.passkey, eventIndexKey],
        ...accountCleanupKeys(session),
      ],
      [
        formatFence(expected),
        formatFence(status),
        json,
        qr?.png ?? '',
        qr?.base64 ?? '',
        heartbeatTtlMs,
        before,
        write.deletesAccountData ? 1 : 0,
        status.account?.wid ?? '',
        pairingCode === null ? '' : JSON.stringify(pairingCode),
        pairingCode === null ? 0 : msUntil(pairingCode.expires_at),
        cutText(write.loginLost ?? '', bounds.statusText),
        isLinkedState(status.state) ? 1 : 0,
        passkey === null ? '' : JSON.stringify(passkey),
        passkey === null ? 0 : msUntil(status.passkey?.expires_at ?? null),
        ...events,
      ],
    ),
  );
}

/** At least 1 ms: the time of a TTL. */
function msUntil(expiresAt: string | null): number {
  return Math.max(1, Date.parse(expiresAt ?? '') - Date.now() || 0);
}

/** Lua: fails if one of these keys is no stream. Runs before the fence moves, so that the script can run again. */
function requireStreamsLua(key: number, indexKey: number): string {
  return `for _, key in ipairs({KEYS[${key}], KEYS[${indexKey}]}) do redis.call('XRANGE', key, '0-0', '0-0') end`;
}

// KEYS fence state qrPng qrBase64 heartbeat events pairingCode loginLost passkey index, accountCleanupKeys
// ARGV expected next status png base64 heartbeatTtlMs before, 1 to delete the account's data, wid, pairingCode ('': none), its ms,
// loginLost ('': unchanged), 1 if a phone is linked, passkey ('': none), its ms, eventArgs
// returns 0 if the fence is not `expected`, 2 if the state is not `before`, else as addEventsLua
const publishScript = luaScript<number>(
  'publishStatus',
  10 + accountCleanupKeyCount,
  `${accountCleanupLua(11)}
   if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
   if (redis.call('GET', KEYS[2]) or '') ~= ARGV[7] then return 2 end
   ${requireStreamsLua(6, 10)}
   if ARGV[8] == '1' then deleteAccountData() end
   switchAccount(ARGV[9])
   redis.call('SET', KEYS[1], ARGV[2])
   redis.call('SET', KEYS[2], ARGV[3])
   if ARGV[4] == '' then
     redis.call('DEL', KEYS[3], KEYS[4])
   else
     redis.call('SET', KEYS[3], ARGV[4])
     redis.call('SET', KEYS[4], ARGV[5])
   end
   if ARGV[10] == '' then redis.call('DEL', KEYS[7])
   else redis.call('SET', KEYS[7], ARGV[10], 'PX', ARGV[11]) end
   if ARGV[14] == '' then redis.call('DEL', KEYS[9])
   else redis.call('SET', KEYS[9], ARGV[14], 'PX', ARGV[15]) end
   if ARGV[13] == '1' then redis.call('DEL', KEYS[8])
   elseif ARGV[12] ~= '' then redis.call('SET', KEYS[8], ARGV[12]) end
   if ARGV[6] ~= '0' then redis.call('SET', KEYS[5], 'live', 'PX', ARGV[6]) end
   ${addEventsLua(6, 10, 16)}`,
);

export interface RunEnd {
  readonly session: string;
  /** null: there was no run yet. */
  readonly expected: Fence | null;
  readonly status: Status;
  /** `''`: there was no job. */
  readonly startId: string;
  /** The intent that this end carries out. */
  readonly intent: Intent | null;
  /** What a logout achieved. */
  readonly unlinked?: boolean;
  readonly reason?: string | null;
  readonly onBound: OnBound;
}

/**
 * Writes the last state of a run. It stays valid without a heartbeat until the next run. A logout also deletes the snapshots and
 * the account's data. False: refused, nothing has changed.
 */
export function endRun(redis: StoreConnection, end: RunEnd): Promise<boolean> {
  const { session, expected, status, startId, intent, unlinked = false, reason = null } = end;
  const k = sessionKeys(session);
  const outcome: IntentOutcome | null = intent && { id: intent.id, unlinked, reason };
  const rest = [k.heartbeat, k.intent, k.outcome, k.endedStart, k.wiped, k.qrPng, k.qrBase64, k.events];
  const login = [k.snapshot, k.previousSnapshot, k.backupSummary, k.pairingCode, k.loginLost, k.passkey];
  return writeWithEvents(redis, end, (json, before, events) =>
    endScript(
      redis,
      [k.fence, k.state, ...rest, ...login, k.start, k.job, eventIndexKey, ...accountCleanupKeys(session)],
      [
        expected ? formatFence(expected) : '',
        formatFence(status),
        json,
        startId,
        intent ? JSON.stringify(intent) : '',
        outcome ? JSON.stringify(outcome) : '',
        intent?.kind === 'logout' ? status.epoch : 0,
        before,
        ...events,
      ],
    ),
  );
}

// KEYS fence state heartbeat intent outcome endedStart wiped qrPng qrBase64 events snapshot previousSnapshot backupSummary
// pairingCode loginLost passkey start job index, accountCleanupKeys
// ARGV expected ('': no fence yet) next status startId intent outcome, wipedEpoch (0: no logout), before, eventArgs
// returns 0 if the fence is not `expected`, 2 if the state is not `before`, else as addEventsLua
// Only the intent that was carried out is deleted: a later one stays.
const endScript = luaScript<number>(
  'endRun',
  19 + accountCleanupKeyCount,
  `${accountCleanupLua(20)}
   if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
   if (redis.call('GET', KEYS[2]) or '') ~= ARGV[8] then return 2 end
   local intent = redis.call('GET', KEYS[4])
   local wiped = tonumber(redis.call('GET', KEYS[7]) or '') or 0
   ${requireStreamsLua(10, 19)}
   if tonumber(ARGV[7]) > 0 then
     redis.call('UNLINK', KEYS[11], KEYS[12], KEYS[13], KEYS[15])
     deleteAccountData()
   end
   redis.call('SET', KEYS[1], ARGV[2])
   redis.call('SET', KEYS[2], ARGV[3])
   redis.call('SET', KEYS[3], 'ended')
   redis.call('DEL', KEYS[8], KEYS[9], KEYS[14], KEYS[16])
   if ARGV[4] ~= '' then redis.call('SET', KEYS[6], ARGV[4])
   elseif redis.call('EXISTS', KEYS[18]) == 0 then redis.call('DEL', KEYS[17]) end
   if ARGV[5] ~= '' then
     if intent == ARGV[5] then redis.call('DEL', KEYS[4]) end
     redis.call('SET', KEYS[5], ARGV[6], 'PX', 60000)
   end
   if tonumber(ARGV[7]) > wiped then redis.call('SET', KEYS[7], ARGV[7]) end
   ${addEventsLua(10, 19, 9)}`,
);

/**
 * Composes the events from the state that is in Redis, not from what this writer wrote last: thread, supervisor and replicas
 * take turns. Starts over if another writer has changed the state in between.
 */
async function writeWithEvents(
  redis: StoreConnection,
  { session, status, onBound }: Pick<StatusWrite, 'session' | 'status' | 'onBound'>,
  write: (json: string, before: Buffer, events: (string | number)[]) => Promise<number>,
): Promise<boolean> {
  const keys = sessionKeys(session);
  const stored = storedStatus(status);
  if (stored !== status) onBound('statusText');
  const json = JSON.stringify(stored);
  for (;;) {
    const state = await withQuarantine(redis, [keys.state], () => redis.getBuffer(keys.state));
    const before = state ?? Buffer.alloc(0);
    const events = eventsOfChange(tryParseStatus(before.toString()), stored);
    const reply = await write(json, before, eventArgs(session, events, onBound));
    if (reply !== 2) return wereEventsAdded(reply, onBound);
  }
}

/** null: there is none. Throws a SyntaxError or ZodError if it is unreadable. */
export function parseStatus(json: string | null): Status | null {
  return json ? statusSchema.parse(JSON.parse(json)) : null;
}

/** For callers that replace an unreadable state. null: there is none, or it is unreadable. */
export function tryParseStatus(json: string): Status | null {
  return parseAs(statusSchema, json);
}
