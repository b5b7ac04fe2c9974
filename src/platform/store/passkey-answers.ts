import { randomUUID } from 'node:crypto';
import { parseAs } from '../../contract/json.js';
import { passkeyAnswerKey } from '../../contract/keys.js';
import {
  type PasskeyCredential,
  passkeyAnswerTtlMs,
  passkeyCredentialSchema,
} from '../../contract/passkey.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';
import { withQuarantine } from '../redis/quarantine.js';
import type { StoreConnection } from '../redis/store-connection.js';

/**
 * The owner's answers to WhatsApp's requests for a passkey, on their way from a replica to the session worker. An answer is a secret:
 * it is in no job, is read once, and expires within seconds. The command has only its token.
 */

/** Returns the token. */
export async function putPasskeyAnswer(
  redis: Redis,
  session: string,
  credential: PasskeyCredential,
): Promise<string> {
  const token = randomUUID();
  await redis.set(passkeyAnswerKey(session, token), JSON.stringify(credential), 'PX', passkeyAnswerTtlMs);
  return token;
}

/** null: there is none, it has expired, or it cannot be read. */
export async function takePasskeyAnswer(
  redis: StoreConnection,
  session: string,
  token: string,
): Promise<PasskeyCredential | null> {
  const key = passkeyAnswerKey(session, token);
  const json = await withQuarantine(redis, [key], () => takeScript(redis, [key], []));
  return parseAs(passkeyCredentialSchema, json);
}

// KEYS answer
// returns it, '' for none
const takeScript = luaScript<string>(
  'takePasskeyAnswer',
  1,
  `local answer = redis.call('GET', KEYS[1]) or ''
   redis.call('DEL', KEYS[1])
   return answer`,
);
