import { sessionKeys } from '../../contract/keys.js';
import { type Fence, parseFence } from '../../contract/status.js';
import type { Redis } from '../redis/connection.js';
import { withQuarantine } from '../redis/quarantine.js';

/** The fence of a session, `epoch.incarnation`: a write that carries another one is refused. */

/** null: there is none, or it is unreadable. */
export async function readFence(redis: Redis, session: string): Promise<Fence | null> {
  const { fence } = sessionKeys(session);
  return parseFence(await withQuarantine(redis, [fence], () => redis.get(fence)));
}

/** Lua condition: the fence KEYS[key] is missing, or of another epoch than ARGV[arg]. */
export function isOtherEpochLua(key: number, arg: number): string {
  return `string.match(redis.call('GET', KEYS[${key}]) or '', '^%d+') ~= ARGV[${arg}]`;
}
