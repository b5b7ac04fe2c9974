import { type BoundName, bounds, type OnBound } from '../../contract/bounds.js';
import { loginKey, qrLinkKey, qrVisitKey, visitsKey } from '../../contract/keys.js';
import type { Redis } from '../../platform/redis/connection.js';
import { luaScript } from '../../platform/redis/lua-script.js';
import { viaRedis } from '../session/redis-errors.js';
import { digestOf, loginAgeS, qrVisitAgeS, type Visits } from './browser-logins.js';

/** The same visits, so many of each kind at once: a further one ends the one that would have ended first. */
export function withRoom(visits: Visits, redis: Redis, onBound: OnBound): Visits {
  async function keep(bound: BoundName, list: string, key: string, ageS: number): Promise<void> {
    const dropped = await viaRedis(() =>
      keepScript(redis, [visitsKey(list), key], [key, ageS * 1_000, bounds[bound]]),
    );
    if (dropped > 0) onBound(bound);
  }

  return {
    ...visits,

    async openLogin(key) {
      const id = await visits.openLogin(key);
      await keep('logins', `logins:${key.name}`, loginKey(digestOf(id)), loginAgeS);
      return id;
    },

    async makeQrLink(maker, ttlS) {
      const token = await visits.makeQrLink(maker, ttlS);
      await keep('qrLinks', `qr-links:${maker}`, qrLinkKey(digestOf(token)), ttlS);
      return token;
    },

    async openQrVisit(token) {
      const id = await visits.openQrVisit(token);
      if (id !== null) await keep('qrVisits', 'qr-visits', qrVisitKey(digestOf(id)), qrVisitAgeS);
      return id;
    },
  };
}

// KEYS list visit | ARGV visit ageMs most | returns how many were dropped for it
// What was opened or closed since is in the list for its time, and no reason to drop another.
const keepScript = luaScript<number>(
  'keepVisit',
  2,
  `local time = redis.call('TIME')
   local now = time[1] * 1000 + math.floor(time[2] / 1000)
   redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
   redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), ARGV[1])
   local function countBeyond() return redis.call('ZCARD', KEYS[1]) - ARGV[3] end
   if countBeyond() > 0 then
     for _, visit in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
       if redis.call('EXISTS', visit) == 0 then redis.call('ZREM', KEYS[1], visit) end
     end
   end
   local beyond, dropped = countBeyond(), 0
   for _, visit in ipairs(beyond > 0 and redis.call('ZRANGE', KEYS[1], 0, beyond) or {}) do
     if visit ~= ARGV[1] and dropped < beyond then
       dropped = dropped + redis.call('ZREM', KEYS[1], visit)
       redis.call('UNLINK', visit)
     end
   end
   if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
   return dropped`,
);
