import {
  type BackupStatus,
  type SnapshotManifest,
  snapshotManifestSchema,
} from '../../contract/credentials.js';
import { parseAs } from '../../contract/json.js';
import { sessionKeys, stagedSnapshotKey } from '../../contract/keys.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';
import { withQuarantine } from '../redis/quarantine.js';
import { isOtherEpochLua } from './fence.js';

/**
 * The encrypted snapshots of a session's login in Redis: the newest and the previous one. A new snapshot is staged piece by
 * piece under its own key, which expires by itself. It becomes the newest in one step, or not at all.
 */

/** A staged snapshot expires this long after its newest piece. */
export const stagedLifeMs = 60_000;

export type SnapshotSlot = 'newest' | 'previous';

/** The run that writes. Its writes are refused if the fence has another epoch. */
export interface SnapshotWriter {
  readonly session: string;
  readonly epoch: number;
}

/** `encrypted`: the piece. False: refused, because the session belongs to a newer run. */
export async function stagePiece(
  redis: Redis,
  { session, epoch }: SnapshotWriter,
  snapshotId: string,
  index: number,
  encrypted: Buffer,
): Promise<boolean> {
  const keys = [sessionKeys(session).fence, stagedSnapshotKey(session, snapshotId)];
  return (await stageScript(redis, keys, [epoch, index, encrypted, stagedLifeMs])) === 1;
}

// KEYS fence staged
// ARGV epoch index piece lifeMs
// returns 1, or 0 if the fence is of another epoch
const stageScript = luaScript<number>(
  'stagePiece',
  2,
  `if ${isOtherEpochLua(1, 1)} then return 0 end
   redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
   redis.call('PEXPIRE', KEYS[2], ARGV[4])
   return 1`,
);

/**
 * Makes the staged snapshot the newest, and the newest the previous one. Other results than `committed` change nothing.
 * `fenced`: the session belongs to a newer run. `wiped`: the login was wiped after the snapshot was begun. `incomplete`: pieces
 * are missing.
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
// ARGV epoch wipedEpoch, number of pieces, manifest summary
// returns the result
const commitScript = luaScript<'committed' | 'fenced' | 'wiped' | 'incomplete'>(
  'commitSnapshot',
  6,
  `if ${isOtherEpochLua(1, 1)} then return 'fenced' end
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

/** null: there is no snapshot; `damaged`: its manifest is missing or unreadable. */
export async function readManifest(
  redis: Redis,
  session: string,
  slot: SnapshotSlot,
): Promise<SnapshotManifest | 'damaged' | null> {
  const key = keyOf(session, slot);
  const text = await withQuarantine(redis, [key], () => redis.hget(key, 'manifest'));
  if (text === null) return (await redis.exists(key)) === 0 ? null : 'damaged';
  return parseAs(snapshotManifestSchema, text) ?? 'damaged';
}

/** null: it is missing. */
export function readPiece(
  redis: Redis,
  session: string,
  slot: SnapshotSlot,
  index: number,
): Promise<Buffer | null> {
  const key = keyOf(session, slot);
  return withQuarantine(redis, [key], () => redis.hgetBuffer(key, String(index)));
}

/** Stores whether the session's owner takes snapshots. Does nothing if the session belongs to a newer run. */
export async function publishBackupStatus(
  redis: Redis,
  { session, epoch }: SnapshotWriter,
  status: BackupStatus,
): Promise<void> {
  const k = sessionKeys(session);
  await publishBackupStatusScript(redis, [k.fence, k.backupStatus], [epoch, JSON.stringify(status)]);
}

// KEYS fence backupStatus
// ARGV epoch status
// returns 1, or 0 if the fence is of another epoch
const publishBackupStatusScript = luaScript<number>(
  'publishBackupStatus',
  2,
  `if ${isOtherEpochLua(1, 1)} then return 0 end
   redis.call('SET', KEYS[2], ARGV[2])
   return 1`,
);

function keyOf(session: string, slot: SnapshotSlot): string {
  const { snapshot, previousSnapshot } = sessionKeys(session);
  return slot === 'newest' ? snapshot : previousSnapshot;
}
