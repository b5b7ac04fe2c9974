import { credentialsBackupParts } from '../../contract/credentials.js';
import { queueKeys } from '../../contract/key-types.js';
import {
  answersKey,
  commandRoomKey,
  eventIndexKey,
  type SessionKeys,
  sessionKeys,
} from '../../contract/keys.js';
import { readsQueue, sendsQueue } from '../../contract/names.js';
import { parseFence, parseHeartbeat } from '../../contract/status.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';
import { type Defect, quarantine, quarantineWrongTypes } from '../redis/quarantine.js';
import { isAccountText } from './account-cleanup.js';
import { parseIntent, parseOutcome } from './intent-store.js';
import { tryParseStatus } from './state-store.js';
import { parseWipedEpoch } from './wipe-store.js';

/**
 * Quarantines the keys of a session that cannot be used. The session's owner calls it before the claim and then repeatedly,
 * because some of these keys have no other reader that would notice. If the session has no owner, a replica calls it.
 */
export async function quarantineUnusableKeys(redis: Redis, session: string): Promise<void> {
  await quarantineWrongTypes(redis, allKeys(session));
  const k = sessionKeys(session);
  const names = Object.keys(isReadable) as (keyof typeof isReadable)[];
  const streams = [k.events, eventIndexKey];
  const found = await readKeysScript(redis, [...names.map((name) => k[name]), ...streams], []);
  const defects = names.map((name, i): [string, Defect | null] => {
    const [text = '', digest = '', hasNoTtl = '0'] = found[i] ?? [];
    if (digest === '') return [k[name], null];
    if (!isReadable[name](text)) return [k[name], { type: 'unreadable', digest }];
    const mustExpire = name === 'lock' || (name === 'heartbeat' && text === 'live');
    return [k[name], mustExpire && hasNoTtl === '1' ? { type: 'no expiry' } : null];
  });
  streams.forEach((key, i) => {
    const [lastId = ''] = found[names.length + i] ?? [];
    if (lastId !== '' && !/^\d{1,15}-\d{1,15}$/.test(lastId)) defects.push([key, { type: 'last id' }]);
  });
  for (const [key, defect] of defects) if (defect !== null) await quarantine(redis, key, defect);
}

/** Whether a text is valid for its key. In the session's other keys every text is valid. */
const isReadable = {
  fence: (text) => parseFence(text) !== null,
  state: (text) => tryParseStatus(text) !== null,
  heartbeat: (text) => parseHeartbeat(text) !== null,
  intent: (text) => parseIntent(text) !== null,
  outcome: (text) => parseOutcome(text) !== null,
  start: isStartId,
  endedStart: isStartId,
  wiped: (text) => parseWipedEpoch(text) !== null,
  backupSummary: (text) => credentialsBackupParts.summary(text) !== null,
  backupStatus: (text) => credentialsBackupParts.status(text) !== null,
  account: isAccountText,
  lock: () => true,
} satisfies Partial<Record<keyof SessionKeys, (text: string) => boolean>>;

function isStartId(text: string): boolean {
  return /^[\x21-\x7e]{1,100}$/.test(text);
}

function allKeys(session: string): string[] {
  const queues = [readsQueue(session), sendsQueue(session)];
  return [
    ...Object.values(sessionKeys(session)),
    ...[answersKey(session), commandRoomKey(session, 'reads'), commandRoomKey(session, 'sends')],
    ...queues.flatMap((queue) => queueKeys(queue)),
    eventIndexKey,
  ];
}

// KEYS strings, then events and index
// returns for each string {text, its sha1, '1' if it has no TTL}, or {} if there is none; for each stream {last id}
const readKeysScript = luaScript<string[][]>(
  'readSessionKeys',
  Object.keys(isReadable).length + 2,
  `local found = {}
   for i = 1, #KEYS - 2 do
     local text = redis.call('GET', KEYS[i])
     found[i] = text and {text, redis.sha1hex(text), redis.call('PTTL', KEYS[i]) == -1 and '1' or '0'} or {}
   end
   for i = #KEYS - 1, #KEYS do
     local last = redis.call('XREVRANGE', KEYS[i], '+', '-', 'COUNT', 1)[1]
     found[i] = last and {last[1]} or {}
   end
   return found`,
);
