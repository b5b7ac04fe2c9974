import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { makeBackup } from '../../../src/backup/make-backup.js';
import { readSettings, restoreBackup } from '../../../src/backup/restore-backup.js';
import { withRestoreLock } from '../../../src/backup/restore-lock.js';
import { sessionKeys, supervisorsKey } from '../../../src/contract/keys.js';
import { createJobReader } from '../../../src/http/commands/job-reader.js';
import { findJobView } from '../../../src/http/commands/send-status.js';
import { readNumbers, rememberNumbers } from '../../../src/platform/store/lid-map.js';
import { findSessions, putSession } from '../../../src/platform/store/session-register.js';
import { Profile } from '../../../src/supervisor/browser/profile.js';
import { linkOn, loginOn, machineOn, never, passphrase, urlOf } from '../../support/backup-machines.js';
import { addSends } from '../../support/backup-sends.js';
import { account, session, startBackupStage, wid } from '../../support/backup-stage.js';
import { claimToWrite } from '../../support/event-writer.js';
import { eventually } from '../../support/eventually.js';
import { scratchDir } from '../../support/leftovers.js';

const stage = await startBackupStage();
const { source, target, file, linkedMachine, backUp, restore, loginIn } = stage;
const k = sessionKeys(session);

describe('a restore', () => {
  beforeEach(stage.reset);
  after(stage.close);

  it('replaces a login only if told, and only while nothing runs', async () => {
    await backUp(await linkedMachine());
    const there = machineOn(target);
    await restore(there);
    await assert.rejects(
      restore(there),
      /there is a login already \(in Redis\) of the session: add --replace/,
    );
    await target.redis.set(k.lock, 'a run');
    await assert.rejects(restore(there, true), /the session runs, or its supervisor was killed/);
    await target.redis.unlink(k.lock);
    await target.redis.zadd(supervisorsKey, Date.now() + 6_000, 'host-a:1');
    await assert.rejects(restore(there, true), /the supervisor host-a:1 is running: stop every supervisor/);
    await target.redis.unlink(supervisorsKey);
    await restore(there, true);
    assert.equal(await loginIn(there), 'the login');
  });

  it('is refused while a browser uses the profile here, which another Redis may have started', async () => {
    await backUp(await linkedMachine());
    const there = machineOn(target);
    const { dir } = new Profile(there.authDir, session);
    mkdirSync(dir, { recursive: true });
    const link = join(scratchDir(), 'auth');
    symlinkSync(there.authDir, link);
    const otherName = join(link, basename(dir));
    const browser = spawn('sh', ['-c', 'read _', 'sh', `--user-data-dir=${otherName}`]);
    try {
      symlinkSync(`${hostname()}-${browser.pid}`, join(dir, 'SingletonLock'));
      const sentence = /a browser uses the profile \S+session-default: stop the Holdline that runs it/;
      await assert.rejects(restore(there, true), sentence);
      await assert.rejects(restore(there), sentence);
      assert.deepEqual(await target.redis.keys('*'), []);
      assert.deepEqual(readdirSync(dir), ['SingletonLock']);
    } finally {
      browser.stdin.end();
      await once(browser, 'close');
    }
    await restore(there);
    assert.equal(await loginIn(there), 'the login');
  });

  it('is refused while another restore runs on that Redis, which then has the session to itself', async () => {
    await backUp(await linkedMachine());
    const there = machineOn(target);
    const sentence = /another restore or a run has the session.*wait until it has ended, or 15 s/;
    await withRestoreLock(target.redis, session, never, async () => {
      await assert.rejects(restore(there, true), sentence);
      // Both had found the target free.
      await assert.rejects(
        withRestoreLock(target.redis, session, never, async () => assert.fail('two restores')),
        sentence,
      );
    });
    assert.deepEqual(await target.redis.keys('*'), [], 'the second one has changed nothing');
    await restore(there);
    assert.equal(await target.redis.exists(k.lock), 0);
  });

  it('stops if a run takes the lock of the restore', async () => {
    await withRestoreLock(target.redis, session, never, async (held) => {
      await target.redis.set(k.lock, 'a run');
      await once(held, 'abort');
      assert.match(String(held.reason), /another restore or a run has the session/);
    });
    assert.equal(await target.redis.get(k.lock), 'a run');
  });

  it('restores over keys of a wrong type, which it puts in quarantine', async () => {
    const made = await linkedMachine();
    const { done = '' } = await addSends(source.redis);
    const { fence } = await claimToWrite(source.redis);
    await source.redis.set(k.account, `1 ${wid}`);
    await rememberNumbers(source.redis, session, fence, wid, [{ lid: '77@lid', phone: '491511234567' }]);
    await backUp(made);
    const strings = ['{wa}:sends-default:completed', `{wa}:sends-default:${done}`, k.lids];
    for (const key of strings) await target.redis.set(key, 'x');
    for (const key of [k.lock, k.account, k.fence, k.state]) await target.redis.lpush(key, 'x');
    assert.equal((await restore(machineOn(target))).sends, 4);
    assert.equal((await findJobView(createJobReader(target.redis, session), done)).status, 'sent');
    assert.deepEqual(await readNumbers(target.redis, session, wid, ['77@lid']), ['491511234567']);
    assert.ok((await target.redis.keys('{wa}:aside:sends-default:*')).length >= 2);
  });

  it('ends at SIGTERM while it waits for its input', async () => {
    const { authDir } = machineOn(target);
    const entry = fileURLToPath(new URL('../../../src/restore.js', import.meta.url));
    const environment = { REDIS_URL: urlOf(target), WHATSAPP_AUTH_DIR: authDir };
    const child = spawn(process.execPath, [entry, '-'], {
      env: { PATH: process.env.PATH, ...environment, WHATSAPP_BACKUP_PASSPHRASE: passphrase },
    });
    const ended = once(child, 'close', { signal: AbortSignal.timeout(60_000) });
    try {
      await eventually(() => existsSync(authDir) && readdirSync(authDir).length > 0, { timeoutMs: 60_000 });
      child.kill('SIGTERM');
      assert.deepEqual(await ended, [130, null]);
      assert.deepEqual(readdirSync(authDir), []);
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('changes nothing if anything in it is not as expected', async () => {
    await backUp(await linkedMachine());
    const whole = readFileSync(file);
    for (const [damage, sentence] of [
      [whole.subarray(0, -20), /damaged or cut off/],
      [whole.subarray(0, 300), /damaged or cut off/],
      [Buffer.concat([whole, Buffer.from('x')]), /damaged or cut off/],
      [Buffer.concat([whole.subarray(0, -40), randomBytes(40)]), /damaged or cut off/],
      [whole.subarray(0, 100), /is not a backup of Holdline/],
      [Buffer.alloc(0), /is not a backup of Holdline/],
    ] as const) {
      writeFileSync(file, damage);
      await assert.rejects(restore(machineOn(target)), sentence);
    }
    writeFileSync(file, whole);
    const { config } = machineOn(target);
    const wrong = { config, session, source: file, passphrase: 'another passphrase', isReplacing: false };
    await assert.rejects(restoreBackup(wrong, never), /the passphrase does not open/);
    await assert.rejects(
      restoreBackup({ ...wrong, passphrase, session: 'shop' }, never),
      /is of the session default, not of shop/,
    );
    assert.deepEqual(await target.redis.keys('*'), []);
  });

  it('of a named session restores its configuration too, and keeps what is configured here', async () => {
    const name = 'shop';
    const options = { session: name, passphrase };
    const made = machineOn(source);
    await assert.rejects(
      makeBackup({ ...options, config: made.config, target: file, settings: {} }, never),
      /there is no session shop/,
    );
    await putSession(source.redis, name, { metadata: { team: 'sales' } });
    await linkOn(made, name, 'the login of the shop', account);
    await makeBackup({ ...options, config: made.config, target: file, settings: {} }, never);

    const there = machineOn(target);
    const restoring = { ...options, config: there.config, source: file };
    await restoreBackup({ ...restoring, isReplacing: false }, never);
    const [record] = await findSessions(target.redis, [name]);
    assert.deepEqual(record?.metadata, { team: 'sales' });
    assert.equal(await loginOn(there, name), 'the login of the shop');

    await putSession(target.redis, name, { metadata: { team: 'support' } });
    await restoreBackup({ ...restoring, isReplacing: true }, never);
    const [kept] = await findSessions(target.redis, [name]);
    assert.deepEqual(kept?.metadata, { team: 'support' });
  });

  it('is finished by a second restore if the first one died in the middle', async () => {
    const made = await linkedMachine();
    await addSends(source.redis);
    const writer = await claimToWrite(source.redis);
    for (let n = 0; n < 5; n++) await writer.messages(...Array.from({ length: 200 }, (_, i) => `${n} ${i}`));
    await source.redis.set(k.account, `1 ${wid}`);
    await backUp(made);
    const there = machineOn(target);
    // Redis refuses every further write as soon as it has the first events.
    const dying = new AbortController();
    const died = restore(there, false, dying.signal);
    while ((await target.redis.exists('{wa}:sends-default:completed')) === 0) {
      await Promise.race([died.catch(() => undefined), new Promise((next) => setImmediate(next))]);
    }
    dying.abort();
    await assert.rejects(died);
    assert.equal(await target.redis.exists(k.snapshot), 0, 'there is no login yet');
    assert.deepEqual(readdirSync(there.authDir), []);
    const { events } = await restore(there);
    assert.equal(events, 1_000);
    assert.equal(await loginIn(there), 'the login');
  });

  it('gives its settings as an environment file', async () => {
    const settings = {
      WHATSAPP_DEVICE_NAME: 'My gateway',
      WHATSAPP_MCP_PORT: '80',
      WHATSAPP_TIMING: '{"a":1}',
    };
    const made = await linkedMachine();
    await backUp(made, settings);
    assert.equal(
      await readSettings({ config: made.config, session, source: file, passphrase }, never),
      `WHATSAPP_DEVICE_NAME='My gateway'\nWHATSAPP_MCP_PORT=80\nWHATSAPP_TIMING='{"a":1}'\n`,
    );
  });
});
