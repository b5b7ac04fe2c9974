import { type BoundName, bounds, type OnBound } from '../../contract/bounds.js';
import { guestLoginKey, loginIndexKey, loginKey, qrLinkKey } from '../../contract/keys.js';
import { sha256Hex } from '../../platform/digest.js';
import type { Redis } from '../../platform/redis/connection.js';
import { luaScript } from '../../platform/redis/lua-script.js';
import { viaRedis } from '../core/redis-errors.js';
import { type BrowserLogins, guestLoginTtlS, loginTtlS } from './browser-logins.js';

/**
 * Limits the number of logins and links of each API key, and the number of all guest logins. At the limit, a new one deletes the
 * one that would expire first.
 */
export function withLoginLimits(logins: BrowserLogins, redis: Redis, onBound: OnBound): BrowserLogins {
  async function enforceLoginLimit(bound: BoundName, list: string, key: string, ttlS: number): Promise<void> {
    const deleted = await viaRedis(() =>
      enforceLoginLimitScript(redis, [loginIndexKey(list), key], [key, ttlS * 1_000, bounds[bound]]),
    );
    if (deleted > 0) onBound(bound);
  }

  return {
    ...logins,

    async openLogin(key) {
      const id = await logins.openLogin(key);
      await enforceLoginLimit('logins', `logins:${key.name}`, loginKey(sha256Hex(id)), loginTtlS);
      return id;
    },

    async makeQrLink(session, maker, ttlS) {
      const token = await logins.makeQrLink(session, maker, ttlS);
      await enforceLoginLimit('qrLinks', `qr-links:${maker.keyName}`, qrLinkKey(sha256Hex(token)), ttlS);
      return token;
    },

    async openGuestLogin(session, token, usesUp) {
      const id = await logins.openGuestLogin(session, token, usesUp);
      if (id !== null)
        await enforceLoginLimit('qrVisits', 'qr-visits', guestLoginKey(sha256Hex(id)), guestLoginTtlS);
      return id;
    },
  };
}

// KEYS list key | ARGV key ttlMs max | returns how many other keys were deleted
// Removes entries whose key is gone first, so that they do not cause the deletion of another key.
const enforceLoginLimitScript = luaScript<number>(
  'enforceLoginLimit',
  2,
  `local time = redis.call('TIME')
   local now = time[1] * 1000 + math.floor(time[2] / 1000)
   redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
   redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), ARGV[1])
   local function excess() return redis.call('ZCARD', KEYS[1]) - ARGV[3] end
   if excess() > 0 then
     for _, key in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
       if redis.call('EXISTS', key) == 0 then redis.call('ZREM', KEYS[1], key) end
     end
   end
   local surplus, deleted = excess(), 0
   for _, key in ipairs(surplus > 0 and redis.call('ZRANGE', KEYS[1], 0, surplus) or {}) do
     if key ~= ARGV[1] and deleted < surplus then
       deleted = deleted + redis.call('ZREM', KEYS[1], key)
       redis.call('UNLINK', key)
     end
   end
   if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
   return deleted`,
);
