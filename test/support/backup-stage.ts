import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { SavedSession } from '../../src/backup/contents.js';
import { makeBackup } from '../../src/backup/make-backup.js';
import { restoreBackup } from '../../src/backup/restore-backup.js';
import type { RestoredSession } from '../../src/backup/restore-one.js';
import { Profile } from '../../src/supervisor/browser/profile.js';
import {
  linkOn,
  loginOn,
  type Machine,
  machineOn,
  never,
  passphrase,
  writeLogin,
} from './backup-machines.js';
import { assertNothingLeft, scratchDir } from './leftovers.js';
import { startRedisNode } from './redis-fleet.js';

/** The session of {@link startBackupStage}, and its account. */
export const session = 'default';
export const wid = '491517654321@c.us';
export const account = { wid, pushname: 'Me', platform: 'android' };

/** Two Redis, and a file for the backup of a session from one to the other. */
export async function startBackupStage() {
  const [source, target] = await Promise.all([startRedisNode(), startRedisNode()]);
  const file = join(scratchDir(), 'backup.age');

  async function linkedMachine(): Promise<Machine> {
    const made = machineOn(source);
    await linkOn(made, session, 'the login', account);
    return made;
  }

  /** A profile with the login `the profile`, of a run that was newer than every snapshot. */
  async function linkProfile({ authDir }: Machine): Promise<Profile> {
    const profile = new Profile(authDir, session);
    await profile.prepare(0, Date.now() + 10_000);
    const note = await profile.readNote();
    assert.ok(note);
    await profile.writeNote({ ...note, isLinked: true });
    writeLogin(profile.dir, 'the profile');
    return profile;
  }

  async function backUp({ config }: Machine, settings = {}): Promise<SavedSession> {
    const { sessions } = await makeBackup({ config, session, target: file, passphrase, settings }, never);
    assert.equal(sessions.length, 1);
    return sessions[0] as SavedSession;
  }

  async function restore({ config }: Machine, isReplacing = false, signal = never): Promise<RestoredSession> {
    const options = { config, session: null, source: file, passphrase, isReplacing };
    const { sessions } = await restoreBackup(options, signal);
    assert.equal(sessions.length, 1);
    return sessions[0] as RestoredSession;
  }

  return {
    ...{ source, target, file, linkedMachine, linkProfile, backUp, restore },
    loginIn: (machine: Machine) => loginOn(machine, session),
    /** Before each test. */
    async reset(): Promise<void> {
      await Promise.all([source.redis.flushall(), target.redis.flushall(), rm(file, { force: true })]);
    },
    async close(): Promise<void> {
      await Promise.all([source.close(), target.close()]);
      await assertNothingLeft();
    },
  };
}
