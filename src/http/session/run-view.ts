import { type Intent, type IntentOutcome, startJobSchema } from '../../contract/intent.js';
import { parseAs } from '../../contract/json.js';
import { sessionKeys, supervisorPlacesKey, supervisorsKey } from '../../contract/keys.js';
import { parsePlaces } from '../../contract/places.js';
import {
  type Fence,
  type Heartbeat,
  parseFence,
  parseHeartbeat,
  type Status,
} from '../../contract/status.js';
import type { Redis } from '../../platform/redis/connection.js';
import { luaScript } from '../../platform/redis/lua-script.js';
import { parseIntent, parseOutcome } from '../../platform/store/intent-store.js';
import { tryParseStatus } from '../../platform/store/state-store.js';
import { registrationMaxMs } from '../../platform/store/supervisor-registry.js';
import { quarantineUnusableKeys } from '../../platform/store/unusable-keys.js';
import { parseWipedEpoch } from '../../platform/store/wipe-store.js';
import { type ConfiguredSession, effectiveStatus } from './effective-status.js';

/** A session's run at one moment: everything on which starting and ending it depend. */
export interface RunView {
  readonly stored: Status | null;
  /** The effective status, the one that callers get. */
  readonly status: Status;
  readonly heartbeat: Heartbeat;
  readonly fence: Fence | null;
  readonly intent: Intent | null;
  readonly outcome: IntentOutcome | null;
  /**
   * `waiting`: no supervisor has the job. `held`: a supervisor has it. `over`: its run has ended, and the job is being removed. A
   * start that is added before the removal would be lost.
   */
  readonly job: 'none' | 'waiting' | 'held' | 'over';
  readonly isLocked: boolean;
  readonly supervisors: number;
  /** Epoch of the newest wipe of credentials; 0 before any. */
  readonly wipedEpoch: number;
  /** Time of Redis. */
  readonly nowMs: number;
}

export async function readRunView(redis: Redis, configured: ConfiguredSession): Promise<RunView> {
  const view = await readOnce(redis, configured);
  if (!view.hasUnreadable || view.heartbeat === 'live') return view;
  // Without an owner, this replica puts the unusable keys in quarantine.
  await quarantineUnusableKeys(redis, configured.session);
  return readOnce(redis, configured);
}

async function readOnce(
  redis: Redis,
  configured: ConfiguredSession,
): Promise<RunView & { readonly hasUnreadable: boolean }> {
  const k = sessionKeys(configured.session);
  const [
    state,
    beat,
    fence,
    intent,
    outcome,
    ended,
    lock,
    wiped,
    startJob,
    places,
    supervisors,
    nowMs,
    isEndless,
  ] = await readScript(
    redis,
    [
      k.state,
      k.heartbeat,
      k.fence,
      k.intent,
      k.outcome,
      k.endedStart,
      k.lock,
      k.wiped,
      k.job,
      supervisorPlacesKey,
      supervisorsKey,
    ],
    [],
  );
  const stored = tryParseStatus(state);
  // A live owner's heartbeat has a TTL. One without a TTL is no owner's.
  const heartbeat = beat === 'live' && isEndless === 1 ? null : parseHeartbeat(beat);
  const startId = startIdOf(startJob);
  const isLocked = lock !== '';
  const job =
    startId === null ? 'none' : startId === ended && ended !== '' ? 'over' : isLocked ? 'held' : 'waiting';
  const isToRun = (job === 'waiting' || job === 'held') && supervisors > 0;
  const parsed = {
    stored,
    heartbeat,
    fence: parseFence(fence),
    intent: parseIntent(intent),
    wiped: parseWipedEpoch(wiped),
  };
  const texts = { stored: state, heartbeat: beat, fence, intent, wiped };
  const names = Object.keys(texts) as (keyof typeof texts)[];
  return {
    ...parsed,
    hasUnreadable: names.some((name) => texts[name] !== '' && parsed[name] === null),
    status: effectiveStatus(stored, heartbeat, isToRun ? parsePlaces(places) : null, configured),
    outcome: parseOutcome(outcome),
    job,
    isLocked,
    supervisors,
    wipedEpoch: parsed.wiped ?? 0,
    nowMs: Number(nowMs),
  };
}

// KEYS state heartbeat fence intent outcome endedStart lock wiped job places supervisors
// returns the values of the first eight, '' for a missing one; the job's data, 'none' without a job; the places, ''
// without them; the number of live supervisors; Redis ms; 1 if the heartbeat has no TTL
const readScript = luaScript<
  [string, string, string, string, string, string, string, string, string, string, number, string, number]
>(
  'readRunView',
  11,
  `local view = {}
   for i = 1, 8 do view[i] = redis.call('GET', KEYS[i]) or '' end
   view[9] = redis.call('HGET', KEYS[9], 'data') or redis.call('EXISTS', KEYS[9]) == 0 and 'none' or ''
   local time = redis.call('TIME')
   local now = time[1] * 1000 + math.floor(time[2] / 1000)
   view[10] = redis.call('GET', KEYS[10]) or ''
   view[11] = redis.call('ZCOUNT', KEYS[11], now, now + ${registrationMaxMs})
   view[12] = string.format('%.0f', now)
   view[13] = redis.call('PTTL', KEYS[2]) == -1 and 1 or 0
   return view`,
);

/** null: there is no job; '': it cannot be read. */
function startIdOf(data: string): string | null {
  return data === 'none' ? null : (parseAs(startJobSchema, data)?.startId ?? '');
}

/** Whether an owner is alive or still holds the job. Then the owner carries out the end of the run. */
export function hasOwner(view: RunView): boolean {
  return view.heartbeat === 'live' || view.isLocked;
}
