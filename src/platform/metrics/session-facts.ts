import { keyPrefix, sessionKeys } from '../../contract/keys.js';
import { readsQueue, sendsQueue } from '../../contract/names.js';
import { isCurrent, parseHeartbeat, type SessionState, type Status } from '../../contract/status.js';
import { luaScript } from '../lua-script.js';
import type { Redis } from '../redis.js';
import { parseStatus } from '../session-store.js';

/** What stands in Redis of a session at one moment, as its metrics tell it. */
export interface SessionFacts {
  /** As a reader is told it. */
  readonly state: SessionState;
  readonly status: Status | null;
  /** Somebody stands behind the state. */
  readonly isOwned: boolean;
  /** null: nobody's heart beats. */
  readonly heartbeatAgeMs: number | null;
  /** null: there is no code to scan. */
  readonly qrAgeMs: number | null;
  readonly queued: readonly QueuedCommands[];
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
  const sends = `${keyPrefix}:${sendsQueue(session)}`;
  const reads = `${keyPrefix}:${readsQueue(session)}`;
  const [nowMs, state, beat, beatTtlMs, ...counts] = await factsScript(
    redis,
    [k.state, k.heartbeat, `${sends}:wait`, `${sends}:active`, `${reads}:wait`, `${reads}:active`],
    [],
  );
  const status = parseStatus(state);
  const heartbeat = parseHeartbeat(beat);
  const issuedAt = heartbeat === 'live' && status?.has_qr ? (status.qr?.issued_at ?? null) : null;
  return {
    state: status === null ? 'stopped' : isCurrent(status, heartbeat) ? status.state : 'disconnected',
    status,
    isOwned: heartbeat === 'live',
    heartbeatAgeMs: heartbeat === 'live' ? Math.max(0, heartbeatTtlMs - beatTtlMs) : null,
    qrAgeMs: issuedAt === null ? null : Math.max(0, nowMs - Date.parse(issuedAt)),
    queued: [
      { queue: 'sends', status: 'waiting', count: counts[0] },
      { queue: 'sends', status: 'active', count: counts[1] },
      { queue: 'reads', status: 'waiting', count: counts[2] },
      { queue: 'reads', status: 'active', count: counts[3] },
    ],
  };
}

type Reply = readonly [number, string, string, number, number, number, number, number];

// KEYS state heartbeat, lists of waiting and active sends, of waiting and active reads
// returns {time in ms, state, heartbeat, its TTL in ms, lengths of the lists}; '' where there is nothing
const factsScript = luaScript<Reply>(
  'sessionFacts',
  6,
  `local time = redis.call('TIME')
   return {
     time[1] * 1000 + math.floor(time[2] / 1000),
     redis.call('GET', KEYS[1]) or '',
     redis.call('GET', KEYS[2]) or '',
     redis.call('PTTL', KEYS[2]),
     redis.call('LLEN', KEYS[3]),
     redis.call('LLEN', KEYS[4]),
     redis.call('LLEN', KEYS[5]),
     redis.call('LLEN', KEYS[6]),
   }`,
);
