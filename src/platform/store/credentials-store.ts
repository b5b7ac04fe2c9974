import {
  type BackupStatus,
  type SnapshotManifest,
  snapshotManifestSchema,
} from '../../contract/credentials.js';
import { sessionKeys, stagedSnapshotKey } from '../../contract/keys.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';
import { settingAside } from '../redis/set-aside.js';

/**
 * The sealed snapshots of a session's login in Redis: the newest and the one before. A new one is staged piece by
 * piece under a key of its own, which lapses by itself, and takes its place in one step or not at all.
 */

/** Life of a staged snapshot after its newest piece. */
export const stagedLifeMs = 60_000;

export type SnapshotSlot = 'newest' | 'previous';

/** The run that writes, as the fence knows it. */
export interface SnapshotWriter {
  readonly session: string;
  readonly epoch: number;
}

/** False: the session belongs to a newer run. */
export async function stagePiece(
  redis: Redis,
  { session, epoch }: SnapshotWriter,
  snapshotId: string,
  index: number,
  sealed: Buffer,
): Promise<boolean> {
  const keys = [sessionKeys(session).fence, stagedSnapshotKey(session, snapshotId)];
  return (await stageScript(redis, keys, [epoch, index, sealed, stagedLifeMs])) === 1;
}

// KEYS fence staged | ARGV epoch index piece lifeMs | returns 1 or 0
const stageScript = luaScript<number>(
  'stagePiece',
  2,
  `if string.match(redis.call('GET', KEYS[1]) or '', '^%d+') ~= ARGV[1] then return 0 end
   redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
   redis.call('PEXPIRE', KEYS[2], ARGV[4])
   return 1`,
);

/**
 * Makes a staged snapshot the newest and keeps the newest so far. `fenced`: the session belongs to a newer run;
 * `wiped`: the login was wiped since the snapshot was begun; `incomplete`: pieces have lapsed. Each changes nothing.
 */
export function commitSnapshot(
  redis: Redis,
  { session, epoch }: SnapshotWriter,
  manifest: SnapshotManifest,
): Promise<'committed' | 'fenced' | 'wiped' | 'incomplete'> {
  const k = sessionKeys(session);
  const { header, pieces, bytes } = manifest;
  return commitScript(
    redis,
    [
      k.fence,
      k.wiped,
      k.snapshot,
      k.previousSnapshot,
      stagedSnapshotKey(session, header.id),
      k.backupSummary,
    ],
    [
      epoch,
      header.wipedEpoch,
      pieces,
      JSON.stringify(manifest),
      JSON.stringify({ taken_at: header.takenAt, bytes }),
    ],
  );
}

// KEYS fence wiped snapshot previousSnapshot staged backupSummary
// ARGV epoch wipedEpoch pieces manifest summary | returns how it went
const commitScript = luaScript<'committed' | 'fenced' | 'wiped' | 'incomplete'>(
  'commitSnapshot',
  6,
  `if string.match(redis.call('GET', KEYS[1]) or '', '^%d+') ~= ARGV[1] then return 'fenced' end
   if (tonumber(redis.call('GET', KEYS[2]) or '') or 0) > tonumber(ARGV[2]) then return 'wiped' end
   if redis.call('HLEN', KEYS[5]) ~= tonumber(ARGV[3]) then return 'incomplete' end
   redis.call('HSET', KEYS[5], 'manifest', ARGV[4])
   redis.call('UNLINK', KEYS[4])
   if redis.call('EXISTS', KEYS[3]) == 1 then redis.call('RENAME', KEYS[3], KEYS[4]) end
   redis.call('RENAME', KEYS[5], KEYS[3])
   redis.call('PERSIST', KEYS[3])
   redis.call('SET', KEYS[6], ARGV[5])
   return 'committed'`,
);

export async function discardStaged(redis: Redis, session: string, snapshotId: string): Promise<void> {
  await redis.unlink(stagedSnapshotKey(session, snapshotId));
}

/** null: there is none; `damaged`: there is something else. */
export async function readManifest(
  redis: Redis,
  session: string,
  slot: SnapshotSlot,
): Promise<SnapshotManifest | 'damaged' | null> {
  const key = keyOf(session, slot);
  const text = await settingAside(redis, [key], () => redis.hget(key, 'manifest'));
  if (text === null) return (await redis.exists(key)) === 0 ? null : 'damaged';
  try {
    return snapshotManifestSchema.parse(JSON.parse(text));
  } catch {
    return 'damaged';
  }
}

/** null where it is missing. */
export function readPiece(
  redis: Redis,
  session: string,
  slot: SnapshotSlot,
  index: number,
): Promise<Buffer | null> {
  const key = keyOf(session, slot);
  return settingAside(redis, [key], () => redis.hgetBuffer(key, String(index)));
}

/** Says whether the session's owner takes snapshots. */
export async function publishBackupStatus(
  redis: Redis,
  { session, epoch }: SnapshotWriter,
  standing: BackupStatus,
): Promise<void> {
  const k = sessionKeys(session);
  await standingScript(redis, [k.fence, k.backupStatus], [epoch, JSON.stringify(standing)]);
}

// KEYS fence backupStatus | ARGV epoch standing | returns 1 or 0
const standingScript = luaScript<number>(
  'publishBackupStatus',
  2,
  `if string.match(redis.call('GET', KEYS[1]) or '', '^%d+') ~= ARGV[1] then return 0 end
   redis.call('SET', KEYS[2], ARGV[2])
   return 1`,
);

function keyOf(session: string, slot: SnapshotSlot): string {
  const { snapshot, previousSnapshot } = sessionKeys(session);
  return slot === 'newest' ? snapshot : previousSnapshot;
}
