import { keyPrefix, type SessionKeys, sessionKeys } from './keys.js';

/**
 * Which type each key has. What stands under one of these names and is of another type can be used by nobody, and whoever
 * meets it sets it aside (platform/set-aside.ts): a key that changes its type needs a new name.
 */
export type KeyType = 'string' | 'hash' | 'list' | 'set' | 'zset' | 'stream';

const sessionKeyTypes = {
  fence: 'string',
  state: 'string',
  qrPng: 'string',
  qrBase64: 'string',
  heartbeat: 'string',
  intent: 'string',
  outcome: 'string',
  endedStart: 'string',
  wiped: 'string',
  snapshot: 'hash',
  previousSnapshot: 'hash',
  backupSummary: 'string',
  backupStatus: 'string',
  lids: 'hash',
  account: 'string',
  events: 'stream',
  aside: 'hash',
  lock: 'string',
  job: 'hash',
  stalled: 'set',
} as const satisfies Record<keyof SessionKeys, KeyType>;

/** BullMQ's keys of a queue, without those that only its features have which are not used here. */
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
  return Object.keys(queueKeyTypes).map((name) => `${keyPrefix}:${queue}:${name}`);
}

const otherTypes: readonly (readonly [RegExp, KeyType])[] = [
  [/^s:[^:]*:(?:attempt|answer):/, 'string'],
  [/^s:[^:]*:(?:answers$|coming:|credentials:staged:)/, 'hash'],
  [/^(?:login|qr-link|qr-visit|limit):/, 'string'],
  [/^(?:visits:|supervisors$|absent$)/, 'zset'],
  [/^(?:supervisors:room|aside)$/, 'hash'],
  [/^(?:sessions|reads-[^:]+|sends-[^:]+):.+:lock$/, 'string'],
];

const queueKey = /^(?:sessions|reads-[^:]+|sends-[^:]+):(.+)$/;

const typesOfSession = new Map<string, KeyType>(
  Object.entries(sessionKeys('')).map(([name, key]) => [key, sessionKeyTypes[name as keyof SessionKeys]]),
);

/** null: no key of ours is named so. */
export function typeOfKey(key: string): KeyType | null {
  if (!key.startsWith(`${keyPrefix}:`)) return null;
  const name = key.slice(keyPrefix.length + 1);
  const ofSession = typesOfSession.get(key.replace(/^(\{wa\}:s:)[^:]*/, '$1'));
  if (ofSession !== undefined && name.startsWith('s:')) return ofSession;
  const other = otherTypes.find(([pattern]) => pattern.test(name));
  if (other !== undefined) return other[1];
  const inQueue = queueKey.exec(name)?.[1];
  if (inQueue === undefined) return null;
  return Object.hasOwn(queueKeyTypes, inQueue)
    ? queueKeyTypes[inQueue as keyof typeof queueKeyTypes]
    : 'hash';
}

/** The session that a key is of; null: of the whole deployment. */
export function sessionOfKey(key: string): string | null {
  return /^\{wa\}:(?:s:|reads-|sends-|sessions:s-)([a-z0-9-]{1,64})(?::|$)/.exec(key)?.[1] ?? null;
}
