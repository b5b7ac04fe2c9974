import { credentialsBackupParts } from '../../contract/credentials.js';
import { queueKeys } from '../../contract/key-types.js';
import { answersKey, commandRoomKey, type SessionKeys, sessionKeys } from '../../contract/keys.js';
import { readsQueue, sendsQueue } from '../../contract/names.js';
import { parseFence, parseHeartbeat } from '../../contract/status.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';
import { type Oddity, setAside, setAsideOddTypes } from '../redis/set-aside.js';
import { isAccountNote } from './account-end.js';
import { parseIntent, parseOutcome, parseWipe, readableStatus } from './state-store.js';

/**
 * Sets aside what stands under the keys of a session and cannot be used. For its owner: it looks before it takes the session and
 * once in a while, for what nobody meets who would say so.
 */
export async function inspectSession(redis: Redis, session: string): Promise<void> {
  await setAsideOddTypes(redis, allKeys(session));
  const k = sessionKeys(session);
  const names = Object.keys(judges) as (keyof typeof judges)[];
  const looks = await textsScript(redis, [...names.map((name) => k[name]), k.events], []);
  const found = names.map((name, i): [string, Oddity | null] => {
    const [text = '', digest = '', isEndless = '0'] = looks[i] ?? [];
    if (digest === '') return [k[name], null];
    if (!judges[name](text)) return [k[name], { type: 'text', digest }];
    const mustLapse = name === 'lock' || (name === 'heartbeat' && text === 'live');
    return [k[name], mustLapse && isEndless === '1' ? { type: 'endless' } : null];
  });
  const [lastId = ''] = looks[names.length] ?? [];
  if (lastId !== '' && !/^\d{1,15}-\d{1,15}$/.test(lastId)) found.push([k.events, { type: 'last id' }]);
  for (const [key, oddity] of found) if (oddity !== null) await setAside(redis, key, oddity);
}

/** Whether a text is one that its key may have; of the rest any is as good as another. */
const judges = {
  fence: (text) => parseFence(text) !== null,
  state: (text) => readableStatus(text) !== null,
  heartbeat: (text) => parseHeartbeat(text) !== null,
  intent: (text) => parseIntent(text) !== null,
  outcome: (text) => parseOutcome(text) !== null,
  endedStart: (text) => /^[\x21-\x7e]{1,100}$/.test(text),
  wiped: (text) => parseWipe(text) !== null,
  backupSummary: (text) => credentialsBackupParts.summary(text) !== null,
  backupStatus: (text) => credentialsBackupParts.status(text) !== null,
  account: isAccountNote,
  lock: () => true,
} satisfies Partial<Record<keyof SessionKeys, (text: string) => boolean>>;

function allKeys(session: string): string[] {
  const queues = [readsQueue(session), sendsQueue(session)];
  return [
    ...Object.values(sessionKeys(session)),
    ...[answersKey(session), commandRoomKey(session, 'reads'), commandRoomKey(session, 'sends')],
    ...queues.flatMap((queue) => queueKeys(queue)),
  ];
}

// KEYS texts, then events
// returns of each text {it, its sha1, '1' where it never lapses}, {} where there is none; of the events {last id}
const textsScript = luaScript<string[][]>(
  'textsOf',
  Object.keys(judges).length + 1,
  `local looks = {}
   for i = 1, #KEYS - 1 do
     local text = redis.call('GET', KEYS[i])
     looks[i] = text and {text, redis.sha1hex(text), redis.call('PTTL', KEYS[i]) == -1 and '1' or '0'} or {}
   end
   local last = redis.call('XREVRANGE', KEYS[#KEYS], '+', '-', 'COUNT', 1)[1]
   looks[#KEYS] = last and {last[1]} or {}
   return looks`,
);
