import {
  type CredentialsBackupInfo,
  credentialsBackupParts,
  describeBackup,
} from '../../contract/credentials.js';
import { commandLists, sessionKeys, supervisorPlacesKey } from '../../contract/keys.js';
import type { PageStatus } from '../../contract/page.js';
import { type Places, placesForStart } from '../../contract/places.js';
import {
  type Heartbeat,
  parseHeartbeat,
  reportedStatus,
  type SessionState,
  type Status,
} from '../../contract/status.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';
import { tryParseStatus } from '../store/state-store.js';

/** What Redis holds about a session at one moment, for its metrics. */
export interface SessionFacts {
  /** The effective state, as in /api/status; null: the stored one is unreadable. */
  readonly state: SessionState | null;
  /** null: there was no run yet, or it is unreadable. */
  readonly status: Status | null;
  /** null: the session has no owner, or its page is not known yet. */
  readonly page: PageStatus | null;
  /** A supervisor owns the session: its heartbeat is live. */
  readonly isOwned: boolean;
  /** null: there is no live heartbeat. */
  readonly heartbeatAgeMs: number | null;
  /** null: there is no QR that can be scanned. */
  readonly qrAgeMs: number | null;
  readonly queued: readonly QueuedCommands[];
  /** The backup of the login; null: no owner has reported one. */
  readonly backup: {
    readonly isWorking: boolean;
    readonly ageMs: number | null;
    readonly bytes: number | null;
  } | null;
}

interface QueuedCommands {
  readonly queue: 'sends' | 'reads';
  readonly status: 'waiting' | 'active';
  readonly count: number;
}

export async function readSessionFacts(
  redis: Redis,
  session: string,
  heartbeatTtlMs: number,
): Promise<SessionFacts> {
  const k = sessionKeys(session);
  const [nowMs, state, heartbeatText, backupStatus, summary, start, ended, places, ttlMs, ...counts] =
    await factsScript(
      redis,
      [
        ...[
          k.state,
          k.heartbeat,
          k.backupStatus,
          k.backupSummary,
          k.start,
          k.endedStart,
          supervisorPlacesKey,
        ],
        ...commandLists(session),
      ],
      [],
    );
  // An unreadable value affects only its own metrics: metrics matter most when data is broken.
  const status = tryParseStatus(state);
  const isReadable = status !== null || state === '';
  const hasBackupStatus = credentialsBackupParts.status(backupStatus) !== null;
  const heartbeat = parseHeartbeat(heartbeatText);
  const issuedAt = heartbeat === 'live' && status?.has_qr ? (status.qr?.issued_at ?? null) : null;
  return {
    state: isReadable ? stateOf(status, heartbeat, placesForStart(start || null, ended, places)) : null,
    status,
    page: heartbeat === 'live' ? (status?.page ?? null) : null,
    isOwned: heartbeat === 'live',
    heartbeatAgeMs: heartbeat === 'live' ? Math.max(0, heartbeatTtlMs - ttlMs) : null,
    qrAgeMs: issuedAt === null ? null : Math.max(0, nowMs - Date.parse(issuedAt)),
    queued: [
      { queue: 'sends', status: 'waiting', count: counts[0] },
      { queue: 'sends', status: 'active', count: counts[1] },
      { queue: 'reads', status: 'waiting', count: counts[2] },
      { queue: 'reads', status: 'active', count: counts[3] },
    ],
    backup: hasBackupStatus ? backupOf(describeBackup(backupStatus, summary), nowMs) : null,
  };
}

function stateOf(status: Status | null, heartbeat: Heartbeat, waiting: Places | null): SessionState {
  if (status === null) return waiting === null ? 'stopped' : 'starting';
  return reportedStatus(status, heartbeat, waiting).state;
}

function backupOf({ enabled, reason, taken_at, bytes }: CredentialsBackupInfo, nowMs: number) {
  const ageMs = taken_at === null ? null : Math.max(0, nowMs - Date.parse(taken_at));
  return { isWorking: enabled && reason === null, ageMs, bytes };
}

type Strings = readonly [string, string, string, string, string, string, string];
type Reply = readonly [number, ...Strings, number, number, number, number, number];

// KEYS state heartbeat backupStatus backupSummary start endedStart places, commandLists
// returns {time in ms, the seven strings, TTL of the heartbeat in ms, lengths of the lists}; '' for a missing string
const factsScript = luaScript<Reply>(
  'readSessionFacts',
  11,
  `local time = redis.call('TIME')
   local facts = {time[1] * 1000 + math.floor(time[2] / 1000)}
   for i = 1, 7 do facts[i + 1] = redis.call('GET', KEYS[i]) or '' end
   facts[9] = redis.call('PTTL', KEYS[2])
   for i = 8, 11 do facts[i + 2] = redis.call('LLEN', KEYS[i]) end
   return facts`,
);
