import { Gauge, type Registry } from 'prom-client';
import { supervisorsKey } from '../../contract/keys.js';
import { type Capability, capabilityNames, type PageStatus } from '../../contract/page.js';
import { sessionStates } from '../../contract/status.js';
import { withDeadline } from '../deadline.js';
import type { Redis } from '../redis/connection.js';
import { readSupervisors } from '../store/supervisor-registry.js';
import { readSessionFacts, type SessionFacts } from './session-facts.js';

interface DeploymentParts {
  readonly registry: Registry;
  readonly redis: Redis;
  readonly sessions: () => Promise<readonly string[]>;
  readonly heartbeatTtlMs: number;
}

/** A scrape must be answered even while Redis is away. */
const redisTimeoutMs = 1_000;
/** Many sessions take longer than one. */
const factsTimeoutMs = 5_000;

/**
 * Metrics that are read from Redis. Every supervisor and replica exposes the same values, so queries take the maximum. Returns
 * the function that updates them. While Redis is away, `holdline_redis_up` is the only one that is exposed.
 */
export function createDeploymentMetrics(parts: DeploymentParts): () => Promise<void> {
  const { redis, sessions, heartbeatTtlMs } = parts;
  const gauges = createGauges(parts.registry);

  async function read() {
    if (redis.status !== 'ready') throw new Error('no connection');
    const startedAt = performance.now();
    // Not PING: any node of a cluster would answer that.
    await redis.exists(supervisorsKey);
    const pingMs = performance.now() - startedAt;
    return { pingMs, supervisors: await readSupervisors(redis) };
  }

  async function readFacts() {
    return Promise.all(
      (await sessions()).map(async (session) => ({
        session,
        ...(await readSessionFacts(redis, session, heartbeatTtlMs)),
      })),
    );
  }

  return async () => {
    const found = await withDeadline(read(), redisTimeoutMs, 'Redis').catch(() => null);
    for (const gauge of Object.values(gauges)) gauge.reset();
    gauges.redisUp.set(found === null ? 0 : 1);
    if (found === null) {
      // Without labels they would be 0 after the reset, but their value is not known.
      const { redisPing, withRoom, sessions: running, room } = gauges;
      for (const gauge of [redisPing, gauges.supervisors, withRoom, running, room]) gauge.remove();
      return;
    }
    const { pingMs, supervisors } = found;
    const facts = await withDeadline(readFacts(), factsTimeoutMs, 'Redis').catch(() => []);
    gauges.redisPing.set(pingMs / 1_000);
    gauges.supervisors.set(supervisors.length);
    gauges.withRoom.set(supervisors.filter(({ room }) => room > 0).length);
    gauges.sessions.set(supervisors.reduce((sum, { facts }) => sum + (facts?.sessions ?? 0), 0));
    gauges.room.set(supervisors.reduce((sum, { room }) => sum + room, 0));
    for (const { session, ...fact } of facts) setSessionGauges(gauges, session, fact);
  };
}

function setSessionGauges(gauges: Gauges, session: string, facts: SessionFacts): void {
  const { state, status, page, isOwned, heartbeatAgeMs, qrAgeMs, queued, backup } = facts;
  gauges.owned.set({ session }, isOwned ? 1 : 0);
  if (state !== null) {
    for (const each of sessionStates) gauges.state.set({ session, state: each }, each === state ? 1 : 0);
    gauges.epoch.set({ session }, status?.epoch ?? 0);
    gauges.incarnation.set({ session }, status?.incarnation ?? 0);
  }
  if (page !== null) setPageGauges(gauges, session, page);
  if (heartbeatAgeMs !== null) gauges.heartbeatAge.set({ session }, heartbeatAgeMs / 1_000);
  if (qrAgeMs !== null) gauges.qrAge.set({ session }, qrAgeMs / 1_000);
  if (backup !== null) {
    gauges.backupOk.set({ session }, backup.isWorking ? 1 : 0);
    if (backup.ageMs !== null) gauges.snapshotAge.set({ session }, backup.ageMs / 1_000);
    if (backup.bytes !== null) gauges.snapshotSize.set({ session }, backup.bytes);
  }
  for (const { count, ...labels } of queued) gauges.queued.set({ session, ...labels }, count);
}

const levels = { ok: 2, degraded: 1, broken: 0 } as const satisfies Record<Capability, number>;

/** Max characters of a label: names that the page reports may be of any length. */
const maxLabelLength = 64;

function setPageGauges(
  gauges: Gauges,
  session: string,
  { version, capabilities, repairs }: PageStatus,
): void {
  for (const capability of capabilityNames) {
    gauges.capability.set({ session, capability }, levels[capabilities[capability]]);
  }
  gauges.pageInfo.set({ session, version: (version ?? '').slice(0, maxLabelLength) }, 1);
  for (const repair of repairs) {
    gauges.pageRepair.set({ session, repair: repair.slice(0, maxLabelLength) }, 1);
  }
}

type Gauges = ReturnType<typeof createGauges>;

function createGauges(registry: Registry) {
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Gauge({ name: `holdline_${name}`, help, labelNames, registers: [registry] });
  return {
    redisUp: gauge('redis_up', '1 when Redis answered this scrape.', []),
    redisPing: gauge('redis_ping_seconds', 'Round trip to Redis at this scrape.', []),
    supervisors: gauge('supervisors', 'Supervisors that are alive.', []),
    withRoom: gauge('supervisors_with_room', 'Supervisors that are alive and could take a session.', []),
    sessions: gauge('supervisors_sessions', 'Sessions that all of them run together.', []),
    room: gauge('supervisors_room', 'Sessions that all of them could take besides.', []),
    state: gauge('session_state', '1 for the state of the session, as in /api/status.', ['session', 'state']),
    owned: gauge('session_owned', '1 while a supervisor owns the session.', ['session']),
    epoch: gauge('session_epoch', 'Epoch of the newest run; grows with every run.', ['session']),
    incarnation: gauge('session_incarnation', 'Incarnation within the run.', ['session']),
    heartbeatAge: gauge('session_heartbeat_age_seconds', 'Since the owner last renewed its heartbeat.', [
      'session',
    ]),
    qrAge: gauge('session_qr_age_seconds', 'Since the current QR was made.', ['session']),
    backupOk: gauge('session_backup_ok', '1 while the login is backed up and the newest attempt worked.', [
      'session',
    ]),
    snapshotAge: gauge('session_snapshot_age_seconds', 'Since the newest backup of the login was made.', [
      'session',
    ]),
    snapshotSize: gauge('session_snapshot_size_bytes', 'Size of that backup in Redis.', ['session']),
    capability: gauge(
      'page_capability',
      'What the page of WhatsApp Web can do: 2 works, 1 works in part, 0 is broken.',
      ['session', 'capability'],
    ),
    pageInfo: gauge('page_info', 'Always 1; the version of the page of WhatsApp Web, where known.', [
      'session',
      'version',
    ]),
    pageRepair: gauge('page_repair', 'Always 1; a page repair that was applied.', ['session', 'repair']),
    queued: gauge('commands_queued', 'Commands to the session that are not settled.', [
      'session',
      'queue',
      'status',
    ]),
  };
}
