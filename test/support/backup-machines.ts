import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import type { Account } from '../../src/contract/status.js';
import { type Config, loadConfig } from '../../src/platform/config/config.js';
import { SnapshotStore } from '../../src/supervisor/credentials/snapshot-store.js';
import { makeKeyText } from './credentials.js';
import { claimToWrite, type EventWriter } from './event-writer.js';
import { scratchDir } from './leftovers.js';
import { onBound } from './on-bound.js';
import type { RedisNode } from './redis-fleet.js';

/** A machine of a test of backups: its Redis, its key and its directory of profiles. */
export interface Machine {
  readonly redis: Redis;
  readonly authDir: string;
  readonly url: string;
  readonly keyText: string;
  readonly config: Config;
}

export const passphrase = 'four words of a test';
export const never = new AbortController().signal;

export const urlOf = ({ port }: RedisNode) => `redis://127.0.0.1:${port}`;

/** `keyText` of `''`: it has no key. */
export function machineOn(node: RedisNode, keyText = makeKeyText(), url = urlOf(node)): Machine {
  const authDir = join(scratchDir(), 'auth');
  const config = loadConfig('supervisor', {
    ...{ REDIS_URL: url, WHATSAPP_AUTH_DIR: authDir, WHATSAPP_CREDENTIALS_KEY: keyText },
  });
  return { redis: node.redis, authDir, url, keyText, config };
}

export function snapshotsOf({ redis, config: { credentialsKeys } }: Machine, session: string): SnapshotStore {
  return new SnapshotStore({ redis, session, keys: credentialsKeys, onBound });
}

const loginFile = 'Default/IndexedDB/x.leveldb/000003.log';

/** Writes a login with these bytes into a profile. */
export function writeLogin(dir: string, text: string): void {
  mkdirSync(join(dir, loginFile, '..'), { recursive: true });
  writeFileSync(join(dir, loginFile), text);
}

export const readLogin = (dir: string): string => readFileSync(join(dir, loginFile), 'utf8');

/** A run of the session that stores a login with these bytes as its snapshot. It goes on, with the writer that is returned. */
export async function linkOn(
  machine: Machine,
  session: string,
  text: string,
  account: Account,
): Promise<EventWriter> {
  const writer = await claimToWrite(machine.redis, session);
  const dir = scratchDir();
  writeLogin(dir, text);
  writeFileSync(join(dir, 'account.json'), JSON.stringify(account));
  const facts = { epoch: writer.fence.epoch, wipedEpoch: 0 };
  await snapshotsOf(machine, session).store(dir, facts, never);
  return writer;
}

/** The login in the newest snapshot. null: there is none that this machine can read. */
export async function loginOn(machine: Machine, session: string): Promise<string | null> {
  const snapshots = snapshotsOf(machine, session);
  const [found] = await snapshots.find(0);
  if (found?.type !== 'readable') return null;
  const dir = scratchDir();
  await snapshots.fetch(found, dir, () => true, never);
  return readLogin(dir);
}
