import type { OutputOf } from '../../contract/operations.js';
import type { Redis } from '../../platform/redis/connection.js';
import { readSupervisors } from '../../platform/store/supervisor-registry.js';
import { viaRedis } from '../core/redis-errors.js';

/** The supervisors that are alive, by their ids. */
export async function listSupervisors(redis: Redis): Promise<OutputOf<'supervisors'>> {
  const found = await viaRedis(() => readSupervisors(redis));
  const supervisors = found
    .map(({ supervisor: id, room, facts }) => ({
      id,
      host: facts?.host ?? null,
      sessions: facts?.sessions ?? null,
      room,
      version: facts?.version ?? null,
      since: facts?.since ?? null,
    }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  return { ok: true, count: supervisors.length, supervisors };
}
