import { keyPrefix, queueKey, type SessionKeys, sessionKeys } from './keys.js';

/**
 * The Redis type of each key. A key of another type is unusable, and its reader puts it in quarantine
 * (platform/redis/quarantine.ts). So the type behind a name never changes: another type needs a new name.
 */
export type KeyType = 'string' | 'hash' | 'list' | 'set' | 'zset' | 'stream';

const sessionKeyTypes = {
  fence: 'string',
  state: 'string',
  qrPng: 'string',
  qrBase64: 'string',
  pairingCode: 'string',
  passkey: 'string',
  loginLost: 'string',
  heartbeat: 'string',
  intent: 'string',
  outcome: 'string',
  start: 'string',
  endedStart: 'string',
  wiped: 'string',
  snapshot: 'hash',
  previousSnapshot: 'hash',
  backupSummary: 'string',
  backupStatus: 'string',
  lids: 'hash',
  account: 'string',
  events: 'stream',
  quarantineIndex: 'hash',
  lock: 'string',
  job: 'hash',
  stalled: 'set',
} as const satisfies Record<keyof SessionKeys, KeyType>;

/** BullMQ's keys of a queue, without those of BullMQ features that are not used here. */
const queueKeyTypes = {
  wait: 'list',
  active: 'list',
  paused: 'list',
  delayed: 'zset',
  prioritized: 'zset',
  completed: 'zset',
  failed: 'zset',
  marker: 'zset',
  stalled: 'set',
  'stalled-check': 'string',
  meta: 'hash',
  events: 'stream',
  id: 'string',
  pc: 'string',
  limiter: 'string',
} as const satisfies Record<string, KeyType>;

/** BullMQ's own keys of a queue. */
export function queueKeys(queue: string): string[] {
  return Object.keys(queueKeyTypes).map((name) => queueKey(queue, name));
}

const otherTypes: readonly (readonly [RegExp, KeyType])[] = [
  [/^s:[^:]*:(?:attempt|answer|passkey-answer):/, 'string'],
  [/^s:[^:]*:(?:answers$|coming:|credentials:staged:)/, 'hash'],
  [/^(?:login|qr-link|qr-link-used|qr-visit|limit):/, 'string'],
  [/^(?:visits:|supervisors$|supervisors:wake:|register:names$|absent$)/, 'zset'],
  [/^(?:supervisors:(?:room|facts)|register|aside|api-keys)$/, 'hash'],
  [/^(?:supervisors:places|register:checked)$/, 'string'],
  [/^events$/, 'stream'],
  [/^(?:sessions|reads-[^:]+|sends-[^:]+):.+:lock$/, 'string'],
];

const queueKeyPattern = /^(?:sessions|reads-[^:]+|sends-[^:]+):(.+)$/;

const typesOfSession = new Map<string, KeyType>(
  Object.entries(sessionKeys('')).map(([name, key]) => [key, sessionKeyTypes[name as keyof SessionKeys]]),
);

/** null: it is not a key of this product. */
export function typeOfKey(key: string): KeyType | null {
  if (!key.startsWith(`${keyPrefix}:`)) return null;
  const name = key.slice(keyPrefix.length + 1);
  const ofSession = typesOfSession.get(key.replace(/^(\{wa\}:s:)[^:]*/, '$1'));
  if (ofSession !== undefined && name.startsWith('s:')) return ofSession;
  const other = otherTypes.find(([pattern]) => pattern.test(name));
  if (other !== undefined) return other[1];
  const inQueue = queueKeyPattern.exec(name)?.[1];
  if (inQueue === undefined) return null;
  return Object.hasOwn(queueKeyTypes, inQueue)
    ? queueKeyTypes[inQueue as keyof typeof queueKeyTypes]
    : 'hash';
}

/** The session that a key belongs to; null: the whole deployment. */
export function sessionOfKey(key: string): string | null {
  return /^\{wa\}:(?:s:|reads-|sends-|sessions:s-)([a-z0-9-]{1,64})(?::|$)/.exec(key)?.[1] ?? null;
}
