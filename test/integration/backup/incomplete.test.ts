import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { makeBackup } from '../../../src/backup/make-backup.js';
import { registerKey, sessionKeys } from '../../../src/contract/keys.js';
import { createMadeKeys } from '../../../src/http/auth/made-keys.js';
import { findSessions, sessionNames } from '../../../src/platform/store/session-register.js';
import { loginOn, never, passphrase } from '../../support/backup-machines.js';
import { problemsOf, reportOf, server, startStageOfAll } from '../../support/backup-of-all.js';

const stage = await startStageOfAll();
const { file, backUp, restore } = stage;

describe('a backup of all sessions that is not complete', () => {
  beforeEach(stage.reset);
  after(stage.close);

  it('does without what is damaged of one session, and says so', async () => {
    await stage.here.redis.hset(sessionKeys('shop').snapshot, '0', 'garbage');
    await stage.here.redis.hset(registerKey, 'spare', 'no JSON');
    const problems = problemsOf(await backUp());
    assert.equal(problems.default, true);
    assert.match(String(problems.shop), /copies of the login in Redis are damaged/);
    assert.match(String(problems.spare), /what is configured of it cannot be read: PUT the session again/);

    const report = reportOf(await restore());
    assert.match(
      report,
      /session {2}shop\n {2}login {4}none in the backup: the copies of the login .* damaged/,
    );
    assert.match(report, /These sessions have no login, .*: shop, spare\. No other session needs a scan\.\n/);
    assert.equal(await loginOn(stage.there, 'default'), 'the login of default');
    const [shop, spare] = await findSessions(stage.there.redis, ['shop', 'spare']);
    assert.equal(shop?.proxy?.server, server);
    assert.equal(spare?.proxy?.server, '', 'it must not run without the proxy that it may have had');
  });

  it('keeps the login of a session whose events cannot be read, and says so', async (t) => {
    const { xrange } = Redis.prototype;
    const broken = Object.assign(new Error('ERR damaged'), { name: 'ReplyError' });
    t.mock.method(Redis.prototype, 'xrange', function (this: Redis, ...words: Parameters<Redis['xrange']>) {
      return words[0] === sessionKeys('shop').events ? Promise.reject(broken) : xrange.apply(this, words);
    });
    const { default: whole, shop } = problemsOf(await backUp());
    assert.equal(whole, true);
    assert.match(String(shop), /^its sends, events and numbers cannot be read: ERR damaged$/);

    const report = reportOf(await restore());
    assert.match(
      report,
      /session {2}shop\n {2}login {4}as of .*\n {11}its sends, events .*\n {2}sends {4}0 /,
    );
    assert.equal(await loginOn(stage.there, 'shop'), 'the login of shop');
    assert.equal(await loginOn(stage.there, 'default'), 'the login of default');
  });

  it('keeps what else there is of a session whose events have a wrong type, and says so', async () => {
    await stage.here.redis.unlink(sessionKeys('shop').events);
    await stage.here.redis.set(sessionKeys('shop').events, 'x');
    const { default: whole, shop } = problemsOf(await backUp());
    assert.equal(whole, true);
    assert.equal(shop, 'its events cannot be read: the key {wa}:s:shop:events in Redis has a wrong type');
    assert.match(reportOf(await restore()), /session {2}shop\n {2}login {4}as of .*\n {11}its events cannot/);
    assert.equal(await stage.there.redis.hget(sessionKeys('shop').lids, '77'), '491511234567');
  });

  it('says that no scan is needed if every session has a login, also one that was here before', async () => {
    await stage.here.redis.hset(sessionKeys('shop').snapshot, '0', 'garbage');
    await backUp();
    for (const session of ['shop', 'spare']) {
      await stage.link(stage.there, session, 'a login from before');
      await stage.there.redis.unlink(sessionKeys(session).lock, sessionKeys(session).heartbeat);
    }
    assert.match(reportOf(await restore()), /POST \/api\/auth\/start\.\nNo scan is needed\.\n/);
    assert.equal(await loginOn(stage.there, 'shop'), 'a login from before');
  });

  it('says which sessions are restored, and which has no login now, if one fails; keys come first', async () => {
    await backUp();
    // A directory in the place of a file, which no restore removes.
    const obstacle = (session: string) => join(stage.there.authDir, `session-${session}.json`);
    mkdirSync(obstacle('default'), { recursive: true });
    await assert.rejects(
      restore(),
      /no session is restored; default has no login now \(.*session-default\.json.*\), and what comes after it is as it was: restore again$/,
    );
    assert.equal((await createMadeKeys(stage.there.redis).find(stage.keyText))?.name, 'shop-key');
    assert.deepEqual(await sessionNames(stage.there.redis), ['default']);

    rmdirSync(obstacle('default'));
    mkdirSync(obstacle('shop'));
    await assert.rejects(
      restore(),
      /only default is restored; shop has no login now \(.*\), and what comes .*: restore again with --replace$/,
    );
    assert.equal(await loginOn(stage.there, 'default'), 'the login of default');
    await assert.rejects(restore('shop'), /the session shop has no login now \(.*\): restore again$/);

    rmdirSync(obstacle('shop'));
    await restore(null, true);
    assert.equal(await loginOn(stage.there, 'shop'), 'the login of shop');
  });

  it('takes a login that only another machine has, or that this user cannot read, for missing', async () => {
    const without = { ...stage.here.config, credentialsKeys: [] };
    await stage.here.redis.unlink(sessionKeys('shop').snapshot);
    const made = await makeBackup(
      { config: without, session: null, target: file, passphrase, settings: {} },
      never,
    );
    const problems = problemsOf(made);
    assert.match(String(problems.default), /encrypted with another key/);
    assert.match(String(problems.shop), /without WHATSAPP_CREDENTIALS_KEY its login is only on the machine/);
    assert.equal(problems.spare, false);
  });

  it('ends with its exit code if the file is not complete, and 64 for --all with --session', async () => {
    await stage.here.redis.hset(sessionKeys('shop').snapshot, '0', 'garbage');
    const entry = fileURLToPath(new URL('../../../src/backup.js', import.meta.url));
    const env = {
      ...{ PATH: process.env.PATH, REDIS_URL: stage.here.url, WHATSAPP_AUTH_DIR: stage.here.authDir },
      ...{ WHATSAPP_CREDENTIALS_KEY: stage.here.keyText, WHATSAPP_BACKUP_PASSPHRASE: passphrase },
    };
    const run = (...words: string[]) =>
      new Promise<[unknown, string]>((settle) => {
        execFile(process.execPath, [entry, ...words], { env }, (error, out, err) =>
          settle([error?.code ?? 0, out + err]),
        );
      });
    const [code, output] = await run('--all', file);
    assert.equal(code, 65, output);
    assert.match(output, /login {4}of 1 of 3 sessions, the oldest as of .*keys {5}1/s);
    assert.match(output, /the backup is not complete: 1 of 3 .*\nholdline: the session shop: the copies/);
    assert.ok(existsSync(file));
    const [wrong, why] = await run('--all', '--session', 'shop', file);
    assert.deepEqual([wrong, /either --session or --all/.test(why)], [64, true]);
    assert.equal((await run('--all', file, '--session'))[0], 64);
  });
});
