import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { writeSealed } from '../../../src/backup/sealed-file.js';
import { apiKeysKey, sessionKeys, supervisorsKey } from '../../../src/contract/keys.js';
import { createMadeKeys } from '../../../src/http/auth/made-keys.js';
import { openProxyLogin } from '../../../src/platform/proxy-login.js';
import { findSessions, sessionNames } from '../../../src/platform/store/session-register.js';
import { packFolder } from '../../../src/supervisor/credentials/archive.js';
import { loginOn, machineOn, never, passphrase } from '../../support/backup-machines.js';
import { problemsOf, proxyLogin, reportOf, server, startStageOfAll } from '../../support/backup-of-all.js';

const stage = await startStageOfAll();
const { file, backUp, restore } = stage;

describe('a backup of all sessions', () => {
  beforeEach(stage.reset);
  after(stage.close);

  it('restores every login, configuration and key', async () => {
    const made = await backUp();
    assert.deepEqual(problemsOf(made), { default: true, shop: true, spare: false });
    assert.equal(made.keys, 1);

    const report = reportOf(await restore());
    assert.match(report, /session {2}default\n {2}login {4}as of .*in Redis, for every supervisor/);
    assert.match(report, /session {2}shop\n {2}login {4}as of .*in Redis, for every supervisor/);
    assert.match(report, /session {2}spare\n {2}login {4}none in the backup: the session was not linked/);
    assert.match(report, /keys {5}1\n.*A_B/s);
    assert.match(
      report,
      /the start of each session\.\nThis .* a scan on \/sessions\/spare\/qr: spare\. No other/,
    );
    assert.doesNotMatch(report, /PUT the proxy again/);
    assert.deepEqual(await sessionNames(stage.there.redis), ['default', 'shop', 'spare']);
    assert.equal(await loginOn(stage.there, 'default'), 'the login of default');
    assert.equal(await loginOn(stage.there, 'shop'), 'the login of shop');
    assert.equal(await loginOn(stage.there, 'spare'), null);
    const [shop, spare] = await findSessions(stage.there.redis, ['shop', 'spare']);
    assert.deepEqual(spare?.metadata, { team: 'later' });
    const sealed = shop?.proxy?.login;
    assert.ok(sealed);
    const identity = { session: 'shop', server };
    assert.deepEqual(openProxyLogin(sealed, stage.there.config.credentialsKeys, identity), proxyLogin);
    const key = await createMadeKeys(stage.there.redis).find(stage.keyText);
    assert.deepEqual([key?.name, key?.scope, key?.sessions], ['shop-key', 'send', ['shop']]);
    assert.equal(
      await stage.there.redis.get(sessionKeys('shop').heartbeat),
      'ended',
      'nothing starts by itself',
    );
    assert.equal(await stage.there.redis.hget(sessionKeys('shop').lids, '77'), '491511234567');
    assert.deepEqual(readdirSync(stage.there.authDir), []);
    for (const secret of [stage.keyText, proxyLogin.password, 'the login of'])
      assert.doesNotMatch(readFileSync(file, 'latin1'), new RegExp(secret));
  });

  it('restores one session if told, and no keys with it', async () => {
    await backUp();
    const { keys } = await restore('shop');
    assert.equal(keys, null);
    assert.deepEqual(await sessionNames(stage.there.redis), ['default', 'shop']);
    assert.equal(await loginOn(stage.there, 'default'), null);
    assert.equal(await loginOn(stage.there, 'shop'), 'the login of shop');
    assert.equal(await stage.there.redis.exists(apiKeysKey), 0);
    assert.match(
      reportOf(await restore('spare')),
      /There was no login to restore\.\nThis session .*: spare\.\n/,
    );
    await assert.rejects(restore('nope'), /the backup has no session nope, only default, shop, spare/);
  });

  it('changes nothing if one session has a login already, unless told to replace it', async () => {
    await backUp();
    await stage.link(stage.there, 'shop', 'another login');
    await stage.there.redis.unlink(sessionKeys('shop').lock, sessionKeys('shop').heartbeat);
    const before = (await stage.there.redis.keys('*')).sort();
    await assert.rejects(
      restore(),
      /there is a login already \(in Redis\) of the session shop: add --replace/,
    );
    assert.deepEqual((await stage.there.redis.keys('*')).sort(), before);
    await stage.there.redis.zadd(supervisorsKey, Date.now() + 6_000, 'host-a:1');
    await assert.rejects(restore(null, true), /the supervisor host-a:1 is running: stop every supervisor/);
    await stage.there.redis.unlink(supervisorsKey);
    await restore(null, true);
    assert.equal(await loginOn(stage.there, 'shop'), 'the login of shop');
  });

  it('keeps the keys that are stage.here, and says which it left out', async () => {
    await backUp();
    const other = await stage.makeKey(stage.there, 'read', null);
    const report = reportOf(await restore());
    assert.match(report, /keys {5}0; left out, because the name is in use here: shop-key/);
    const keys = createMadeKeys(stage.there.redis);
    assert.equal(await keys.find(stage.keyText), null);
    assert.equal((await keys.find(other))?.scope, 'read');
    await keys.remove('shop-key');
    assert.match(reportOf(await restore(null, true)), /keys {5}1\n/);
    assert.match(reportOf(await restore(null, true)), /keys {5}1\n/, 'a second time it is here already');
    assert.equal((await keys.find(stage.keyText))?.scope, 'send');
  });

  it('tells of a proxy whose password no key here decrypts', async () => {
    await backUp();
    stage.there = machineOn(stage.target);
    assert.match(
      reportOf(await restore()),
      /session {2}shop\n.*proxy {4}its password is encrypted with another.*PUT/s,
    );
  });

  it('is another file than one of one session, which stays as earlier versions make and read it', async () => {
    await backUp('shop');
    const dir = await stage.unpacked();
    const { version, ...manifest } = JSON.parse(readFileSync(join(dir, 'manifest.json'), 'utf8'));
    assert.equal(version, 1);
    assert.deepEqual(readdirSync(dir).sort(), [
      ...['events.jsonl', 'login', 'manifest.json', 'numbers.json', 'sends.jsonl'],
    ]);
    // As the first version made it.
    for (const name of ['record', 'problem']) delete manifest[name];
    writeFileSync(join(dir, 'manifest.json'), JSON.stringify({ version, ...manifest }));
    await writeSealed(file, passphrase, (encrypt) => packFolder(dir, encrypt, never), never);
    await assert.rejects(restore(), /the backup is of the session shop, not of default: .*--session shop/);
    const { sessions, keys } = await restore('shop');
    assert.deepEqual([sessions.length, keys], [1, null]);
    assert.equal(await loginOn(stage.there, 'shop'), 'the login of shop');
  });

  it('changes nothing if anything in it is not as expected, or a later version made it', async () => {
    for (const [name, content, sentence] of [
      ['keys.json', '{"x":"y"}', /content that this version of Holdline does not know/],
      ['sessions/shop/session.json', '{}', /content that this version of Holdline does not know/],
      ['sessions/shop/sends.jsonl', 'x', /content that this version of Holdline does not know/],
      ['sessions/shop/other.json', '{}', /content that this version of Holdline does not know/],
      [
        'manifest.json',
        '{"version":3,"holdline":"9.9.9"}',
        /made by Holdline 9\.9\.9 in version 3.*versions 1 and 2/,
      ],
    ] as const) {
      await backUp();
      const dir = await stage.unpacked();
      writeFileSync(join(dir, name), content);
      await writeSealed(file, passphrase, (encrypt) => packFolder(dir, encrypt, never), never);
      await assert.rejects(restore(), sentence, name);
    }
    assert.deepEqual(await stage.there.redis.keys('*'), []);
  });
});
