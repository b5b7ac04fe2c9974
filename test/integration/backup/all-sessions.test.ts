import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { type MadeBackup, makeBackup } from '../../../src/backup/make-backup.js';
import { type Restored, restoreBackup } from '../../../src/backup/restore-backup.js';
import { restoreReport } from '../../../src/backup/restore-report.js';
import { readSealed, writeSealed } from '../../../src/backup/sealed-file.js';
import type { Scope } from '../../../src/contract/access.js';
import { apiKeysKey, registerKey, sessionKeys, supervisorsKey } from '../../../src/contract/keys.js';
import { createMadeKeys } from '../../../src/http/auth/made-keys.js';
import { randomKey } from '../../../src/platform/api-key.js';
import { loadConfig } from '../../../src/platform/config/config.js';
import { sha256Hex } from '../../../src/platform/digest.js';
import { openProxyLogin, sealProxyLogin } from '../../../src/platform/proxy-login.js';
import { rememberNumbers } from '../../../src/platform/store/lid-map.js';
import { addMadeKey } from '../../../src/platform/store/made-keys.js';
import { findSessions, putSession, sessionNames } from '../../../src/platform/store/session-register.js';
import { packFolder, unpackFolder } from '../../../src/supervisor/credentials/archive.js';
import { SnapshotStore } from '../../../src/supervisor/credentials/snapshot-store.js';
import { makeKeyText } from '../../support/credentials.js';
import { claimToWrite } from '../../support/event-writer.js';
import { assertNothingLeft, scratchDir } from '../../support/leftovers.js';
import { onBound } from '../../support/on-bound.js';
import { type RedisNode, startRedisNode } from '../../support/redis-fleet.js';

/** A backup of all sessions: `default` and `shop` are linked, `spare` never was. */
const passphrase = 'four words of a test';
const never = new AbortController().signal;
const server = 'http://proxy.example:3128';
const proxyLogin = { username: 'me', password: 'proxy password' };

interface Machine {
  readonly redis: Redis;
  readonly authDir: string;
  readonly url: string;
  readonly keyText: string;
  readonly config: ReturnType<typeof loadConfig>;
}

describe('a backup of all sessions', () => {
  let source: RedisNode;
  let target: RedisNode;
  let here: Machine;
  let there: Machine;
  let file: string;
  /** The text of a made key. */
  let keyText: string;

  before(async () => {
    [source, target] = await Promise.all([startRedisNode(), startRedisNode()]);
  });
  beforeEach(async () => {
    await Promise.all([source.redis.flushall(), target.redis.flushall()]);
    file = join(scratchDir(), 'all.age');
    here = machine(source);
    // With the same key, as a deployment that moves has it: the password of a proxy is encrypted with it.
    there = machine(target, here.keyText);
    await link(here, 'default', 'the login of default');
    await putSession(here.redis, 'spare', { metadata: { team: 'later' } });
    const [key] = here.config.credentialsKeys;
    assert.ok(key);
    const login = sealProxyLogin(proxyLogin, key, { session: 'shop', server });
    await putSession(here.redis, 'shop', { proxy: { server, login } });
    await link(here, 'shop', 'the login of shop');
    keyText = await makeKey(here, 'send', ['shop']);
  });
  after(async () => {
    await Promise.all([source.close(), target.close()]);
    await assertNothingLeft();
  });

  function machine({ redis, port }: RedisNode, credentialsKey = makeKeyText()): Machine {
    const authDir = join(scratchDir(), 'auth');
    const url = `redis://127.0.0.1:${port}`;
    const config = loadConfig('supervisor', {
      ...{ REDIS_URL: url, WHATSAPP_AUTH_DIR: authDir, WHATSAPP_CREDENTIALS_KEY: credentialsKey },
    });
    return { redis, authDir, url, keyText: credentialsKey, config };
  }

  function snapshotsOf({ redis, config: { credentialsKeys } }: Machine, session: string): SnapshotStore {
    return new SnapshotStore({ redis, session, keys: credentialsKeys, onBound });
  }

  /** A login with these bytes, as the snapshot of a run, and an event. */
  async function link(of: Machine, session: string, text: string): Promise<void> {
    const writer = await claimToWrite(of.redis, session);
    const dir = scratchDir();
    mkdirSync(join(dir, 'Default/IndexedDB/x.leveldb'), { recursive: true });
    writeFileSync(join(dir, 'Default/IndexedDB/x.leveldb/000003.log'), text);
    const account = { wid: `49${session.length}@c.us`, pushname: session, platform: 'android' };
    writeFileSync(join(dir, 'account.json'), JSON.stringify(account));
    await writer.publish({ account });
    await rememberNumbers(of.redis, session, account.wid, [{ lid: '77@lid', phone: '491511234567' }]);
    const facts = { epoch: writer.fence.epoch, wipedEpoch: 0 };
    await snapshotsOf(of, session).store(dir, facts, never);
  }

  /** Returns the text of a key named `shop-key`. */
  async function makeKey(of: Machine, scope: Scope, sessions: string[] | null): Promise<string> {
    const text = randomKey();
    const key = { name: 'shop-key', scope, sha256: sha256Hex(text), sessions };
    const times = { created_at: new Date().toISOString(), expires_at: null };
    assert.equal(await addMadeKey(of.redis, { ...key, ...times }), 'added');
    return text;
  }

  async function loginOf(of: Machine, session: string): Promise<string | null> {
    const [found] = await snapshotsOf(of, session).find(0);
    if (found?.type !== 'readable') return null;
    const dir = scratchDir();
    await snapshotsOf(of, session).fetch(found, dir, () => true, never);
    return readFileSync(join(dir, 'Default/IndexedDB/x.leveldb/000003.log'), 'utf8');
  }

  const backUp = (session: string | null = null): Promise<MadeBackup> =>
    makeBackup({ config: here.config, session, target: file, passphrase, settings: { A_B: 'c' } }, never);

  const restore = (session: string | null = null, isReplacing = false): Promise<Restored> =>
    restoreBackup({ config: there.config, session, source: file, passphrase, isReplacing }, never);

  /** Of each session, what is missing in the backup; and the whole of what was restored, in the operator's words. */
  const problemsOf = ({ sessions }: MadeBackup) =>
    Object.fromEntries(
      sessions.map(({ session, loginAt, problem }) => [session, problem ?? loginAt !== null]),
    );
  const reportOf = (restored: Restored) => restoreReport(restored, {});

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
    assert.deepEqual(await sessionNames(there.redis), ['default', 'shop', 'spare']);
    assert.equal(await loginOf(there, 'default'), 'the login of default');
    assert.equal(await loginOf(there, 'shop'), 'the login of shop');
    assert.equal(await loginOf(there, 'spare'), null);
    const [shop, spare] = await findSessions(there.redis, ['shop', 'spare']);
    assert.deepEqual(spare?.metadata, { team: 'later' });
    const sealed = shop?.proxy?.login;
    assert.ok(sealed);
    const identity = { session: 'shop', server };
    assert.deepEqual(openProxyLogin(sealed, there.config.credentialsKeys, identity), proxyLogin);
    const key = await createMadeKeys(there.redis).find(keyText);
    assert.deepEqual([key?.name, key?.scope, key?.sessions], ['shop-key', 'send', ['shop']]);
    assert.equal(await there.redis.get(sessionKeys('shop').heartbeat), 'ended', 'nothing starts by itself');
    assert.equal(await there.redis.hget(sessionKeys('shop').lids, '77'), '491511234567');
    assert.deepEqual(readdirSync(there.authDir), []);
    for (const secret of [keyText, proxyLogin.password, 'the login of'])
      assert.doesNotMatch(readFileSync(file, 'latin1'), new RegExp(secret));
  });

  it('restores one session if told, and no keys with it', async () => {
    await backUp();
    const { keys } = await restore('shop');
    assert.equal(keys, null);
    assert.deepEqual(await sessionNames(there.redis), ['default', 'shop']);
    assert.equal(await loginOf(there, 'default'), null);
    assert.equal(await loginOf(there, 'shop'), 'the login of shop');
    assert.equal(await there.redis.exists(apiKeysKey), 0);
    assert.match(
      reportOf(await restore('spare')),
      /There was no login to restore\.\nThis session .*: spare\.\n/,
    );
    await assert.rejects(restore('nope'), /the backup has no session nope, only default, shop, spare/);
  });

  it('changes nothing if one session has a login already, unless told to replace it', async () => {
    await backUp();
    await link(there, 'shop', 'another login');
    await there.redis.unlink(sessionKeys('shop').lock, sessionKeys('shop').heartbeat);
    const before = (await there.redis.keys('*')).sort();
    await assert.rejects(
      restore(),
      /there is a login already \(in Redis\) of the session shop: add --replace/,
    );
    assert.deepEqual((await there.redis.keys('*')).sort(), before);
    await there.redis.zadd(supervisorsKey, Date.now() + 6_000, 'host-a:1');
    await assert.rejects(restore(null, true), /the supervisor host-a:1 is running: stop every supervisor/);
    await there.redis.unlink(supervisorsKey);
    await restore(null, true);
    assert.equal(await loginOf(there, 'shop'), 'the login of shop');
  });

  it('keeps the keys that are here, and says which it left out', async () => {
    await backUp();
    const other = await makeKey(there, 'read', null);
    const report = reportOf(await restore());
    assert.match(report, /keys {5}0; left out, because the name is in use here: shop-key/);
    const keys = createMadeKeys(there.redis);
    assert.equal(await keys.find(keyText), null);
    assert.equal((await keys.find(other))?.scope, 'read');
    await keys.remove('shop-key');
    assert.match(reportOf(await restore(null, true)), /keys {5}1\n/);
    assert.match(reportOf(await restore(null, true)), /keys {5}1\n/, 'a second time it is here already');
    assert.equal((await keys.find(keyText))?.scope, 'send');
  });

  it('does without what is damaged of one session, and says so', async () => {
    await here.redis.hset(sessionKeys('shop').snapshot, '0', 'garbage');
    await here.redis.hset(registerKey, 'spare', 'no JSON');
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
    assert.equal(await loginOf(there, 'default'), 'the login of default');
    const [shop, spare] = await findSessions(there.redis, ['shop', 'spare']);
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
    assert.equal(await loginOf(there, 'shop'), 'the login of shop');
    assert.equal(await loginOf(there, 'default'), 'the login of default');
  });

  it('keeps what else there is of a session whose events have a wrong type, and says so', async () => {
    await here.redis.unlink(sessionKeys('shop').events);
    await here.redis.set(sessionKeys('shop').events, 'x');
    const { default: whole, shop } = problemsOf(await backUp());
    assert.equal(whole, true);
    assert.equal(shop, 'its events cannot be read: the key {wa}:s:shop:events in Redis has a wrong type');
    assert.match(reportOf(await restore()), /session {2}shop\n {2}login {4}as of .*\n {11}its events cannot/);
    assert.equal(await there.redis.hget(sessionKeys('shop').lids, '77'), '491511234567');
  });

  it('says that no scan is needed if every session has a login, also one that was here before', async () => {
    await here.redis.hset(sessionKeys('shop').snapshot, '0', 'garbage');
    await backUp();
    for (const session of ['shop', 'spare']) {
      await link(there, session, 'a login from before');
      await there.redis.unlink(sessionKeys(session).lock, sessionKeys(session).heartbeat);
    }
    assert.match(reportOf(await restore()), /POST \/api\/auth\/start\.\nNo scan is needed\.\n/);
    assert.equal(await loginOf(there, 'shop'), 'a login from before');
  });

  it('says which sessions are restored, and which has no login now, if one fails; keys come first', async () => {
    await backUp();
    // A directory in the place of a file, which no restore removes.
    const obstacle = (session: string) => join(there.authDir, `session-${session}.json`);
    mkdirSync(obstacle('default'), { recursive: true });
    await assert.rejects(
      restore(),
      /no session is restored; default has no login now \(.*session-default\.json.*\), and what comes after it is as it was: restore again$/,
    );
    assert.equal((await createMadeKeys(there.redis).find(keyText))?.name, 'shop-key');
    assert.deepEqual(await sessionNames(there.redis), ['default']);

    rmdirSync(obstacle('default'));
    mkdirSync(obstacle('shop'));
    await assert.rejects(
      restore(),
      /only default is restored; shop has no login now \(.*\), and what comes .*: restore again with --replace$/,
    );
    assert.equal(await loginOf(there, 'default'), 'the login of default');
    await assert.rejects(restore('shop'), /the session shop has no login now \(.*\): restore again$/);

    rmdirSync(obstacle('shop'));
    await restore(null, true);
    assert.equal(await loginOf(there, 'shop'), 'the login of shop');
  });

  it('takes a login that only another machine has, or that this user cannot read, for missing', async () => {
    const without = { ...here.config, credentialsKeys: [] };
    await here.redis.unlink(sessionKeys('shop').snapshot);
    const made = await makeBackup(
      { config: without, session: null, target: file, passphrase, settings: {} },
      never,
    );
    const problems = problemsOf(made);
    assert.match(String(problems.default), /encrypted with another key/);
    assert.match(String(problems.shop), /without WHATSAPP_CREDENTIALS_KEY its login is only on the machine/);
    assert.equal(problems.spare, false);
  });

  it('tells of a proxy whose password no key here decrypts', async () => {
    await backUp();
    there = machine(target);
    assert.match(
      reportOf(await restore()),
      /session {2}shop\n.*proxy {4}its password is encrypted with another.*PUT/s,
    );
  });

  it('ends with its exit code if the file is not complete, and 64 for --all with --session', async () => {
    await here.redis.hset(sessionKeys('shop').snapshot, '0', 'garbage');
    const entry = fileURLToPath(new URL('../../../src/backup.js', import.meta.url));
    const env = {
      ...{ PATH: process.env.PATH, REDIS_URL: here.url, WHATSAPP_AUTH_DIR: here.authDir },
      ...{ WHATSAPP_CREDENTIALS_KEY: here.keyText, WHATSAPP_BACKUP_PASSPHRASE: passphrase },
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

  it('is another file than one of one session, which stays as earlier versions make and read it', async () => {
    await backUp('shop');
    const dir = await unpacked();
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
    assert.equal(await loginOf(there, 'shop'), 'the login of shop');
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
      const dir = await unpacked();
      writeFileSync(join(dir, name), content);
      await writeSealed(file, passphrase, (encrypt) => packFolder(dir, encrypt, never), never);
      await assert.rejects(restore(), sentence, name);
    }
    assert.deepEqual(await there.redis.keys('*'), []);
  });

  /** The files of the backup. */
  async function unpacked(): Promise<string> {
    const dir = scratchDir();
    await unpackFolder(readSealed(file, passphrase, never), dir, () => true, never);
    return dir;
  }
});
