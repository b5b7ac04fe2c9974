import { type Intent, type IntentOutcome, intentOutcomeSchema, intentSchema } from '../../contract/intent.js';
import { parseAs } from '../../contract/json.js';
import { sessionKeys } from '../../contract/keys.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';
import { quarantineUnreadable } from '../redis/quarantine.js';

/**
 * Stores how the run must end. A stored intent stays if it covers this one: a logout covers a stop. Returns the intent that is
 * stored now; the outcome will have its id.
 */
export async function requestEnd(redis: Redis, session: string, intent: Intent): Promise<Intent> {
  const { intent: key } = sessionKeys(session);
  const stored = parseIntent(await requestEndScript(redis, [key], [JSON.stringify(intent), intent.kind]));
  if (stored !== null) return stored;
  await quarantineUnreadable(redis, key);
  return requestEnd(redis, session, intent);
}

// KEYS intent
// ARGV intent, its kind
// returns the intent that is stored now
// Overwrites a text that is not an intent.
const requestEndScript = luaScript<string>(
  'requestEnd',
  1,
  `local json = redis.call('GET', KEYS[1])
   local isRead, stored = pcall(cjson.decode, json or '')
   if isRead and type(stored) == 'table' and type(stored.id) == 'string' then
     if stored.kind == 'logout' or stored.kind == ARGV[2] then return json end
   end
   redis.call('SET', KEYS[1], ARGV[1])
   return ARGV[1]`,
);

/** null: there is none, or it is unreadable. */
export function parseIntent(json: string | null): Intent | null {
  return parseAs(intentSchema, json);
}

/** null: there is none, or it is unreadable. */
export function parseOutcome(json: string | null): IntentOutcome | null {
  return parseAs(intentOutcomeSchema, json);
}
