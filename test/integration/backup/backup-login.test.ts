import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, symlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { makeBackup } from '../../../src/backup/make-backup.js';
import { saveLogin } from '../../../src/backup/save-login.js';
import { sessionKeys } from '../../../src/contract/keys.js';
import { putSession } from '../../../src/platform/store/session-register.js';
import { machineOn, never, passphrase, readLogin, snapshotsOf } from '../../support/backup-machines.js';
import { session, startBackupStage, wid } from '../../support/backup-stage.js';
import { claimToWrite } from '../../support/event-writer.js';
import { scratchDir } from '../../support/leftovers.js';

const stage = await startBackupStage();
const { source, target, file, linkedMachine, linkProfile, backUp, restore, loginIn } = stage;
const k = sessionKeys(session);

describe('the login in a backup', () => {
  beforeEach(stage.reset);
  after(stage.close);

  it('restores the login under the key of the target, and a later run owns it', async () => {
    await backUp(await linkedMachine());
    const there = machineOn(target);
    assert.equal((await restore(there)).profileDir, null);
    assert.equal(await loginIn(there), 'the login');
    const [found] = await snapshotsOf(there, session).find(0);
    assert.ok(found?.type === 'readable');
    const { header } = found.manifest;
    assert.equal(await target.redis.get(k.wiped), String(header.wipedEpoch), 'no older profile is better');
    const { fence } = await claimToWrite(target.redis);
    assert.ok(fence.epoch > header.epoch);
  });

  it('is refused without a login that can be read', async () => {
    const made = await linkedMachine();
    await assert.rejects(backUp(machineOn(source)), /encrypted with another key.*\(key id [\da-f]{16}\)/);
    await source.redis.hset(k.snapshot, '0', 'garbage');
    await assert.rejects(backUp(made), /copies of the login in Redis are damaged/);
    await source.redis.unlink(k.snapshot);
    await assert.rejects(backUp(made), /there is no login to back up/);
    await assert.rejects(backUp(machineOn(source, '')), /WHATSAPP_CREDENTIALS_KEY.*make the backup there/);
    assert.deepEqual(readdirSync(join(file, '..')), []);
    assert.deepEqual(readdirSync(made.authDir), [], 'no copy of a login is left');
  });

  it('is refused if the only copy has a wrong type, and says what to do, each time', async () => {
    const made = await linkedMachine();
    await source.redis.set(k.account, `1 ${wid}`);
    await source.redis.unlink(k.snapshot);
    await source.redis.set(k.snapshot, 'x');
    const sentence =
      /copies of the login in Redis .* cannot be read, and there is no other here: stop the session/;
    for (const _ of ['once', 'again']) await assert.rejects(backUp(made), sentence);
    await linkProfile(made);
    await source.redis.set(k.heartbeat, 'live');
    await assert.rejects(
      backUp(made),
      /the session runs, and the copies .* cannot be read: stop it and make/,
    );
    await source.redis.unlink(k.lock, k.heartbeat);
    await backUp(made);
    const there = machineOn(target);
    await restore(there);
    assert.equal(await loginIn(there), 'the profile');
  });

  it('takes the profile here if its run was newer than the snapshot, unless the session runs', async () => {
    const made = await linkedMachine();
    await linkProfile(made);
    await backUp(made);
    const there = machineOn(target);
    await restore(there);
    assert.equal(await loginIn(there), 'the login', 'the session runs');
    await source.redis.unlink(k.lock, k.heartbeat);
    await backUp(made);
    await restore(there, true);
    assert.equal(await loginIn(there), 'the profile');
    await source.redis.set(k.heartbeat, 'live');
    await source.redis.unlink(k.snapshot);
    await assert.rejects(backUp(made), /the session runs, and Redis has no copy of its login: stop it/);
  });

  it('takes the snapshot if the session is started while its profile is copied', async (t) => {
    const made = await linkedMachine();
    await linkProfile(made);
    await source.redis.unlink(k.lock, k.heartbeat);
    const mget = source.redis.mget.bind(source.redis);
    let reads = 0;
    // Its second call is the one after the copy.
    t.mock.method(source.redis, 'mget', async (...keys: string[]) => {
      if (++reads === 2) await source.redis.set(k.heartbeat, 'live');
      return mget(keys);
    });
    const { authDir } = made;
    const dir = join(scratchDir(), 'login');
    const places = { redis: source.redis, session, authDir, snapshots: snapshotsOf(made, session) };
    await saveLogin(places, dir, never);
    assert.equal(reads, 3);
    assert.equal(readLogin(dir), 'the login');

    // It starts again and again.
    await source.redis.unlink(k.heartbeat);
    t.mock.method(source.redis, 'mget', async (...keys: string[]) => {
      await source.redis.incr('{wa}:starts');
      return [null, null, `${await source.redis.get('{wa}:starts')}`, ...keys.slice(3).map(() => null)];
    });
    await assert.rejects(
      saveLogin(places, join(scratchDir(), 'login'), never),
      /the session was started during the backup: make the backup again/,
    );
    assert.equal(await source.redis.get('{wa}:starts'), '4');
  });

  it('is refused, and not called unlinked, if a browser uses the only login', async () => {
    const made = await linkedMachine();
    const { dir } = await linkProfile(made);
    await source.redis.unlink(k.lock, k.heartbeat, k.snapshot, k.account);
    const browser = spawn('sh', ['-c', 'read _', 'sh', `--user-data-dir=${dir}`]);
    try {
      symlinkSync(`${hostname()}-${browser.pid}`, join(dir, 'SingletonLock'));
      const sentence =
        /the login in \S+session-default cannot be read while a browser uses it.*stop the Holdline that runs it/;
      await assert.rejects(backUp(made), sentence);
      const { config } = made;
      const all = { config, session: null, target: file, passphrase, settings: {} };
      await putSession(source.redis, session, {});
      const { sessions } = await makeBackup(all, never);
      assert.match(sessions[0]?.problem ?? '', sentence);
    } finally {
      browser.stdin.end();
      await once(browser, 'close');
    }
  });
});
