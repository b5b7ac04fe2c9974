import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Redis } from 'ioredis';
import type { SavedSession } from '../../../src/backup/contents.js';
import { makeBackup } from '../../../src/backup/make-backup.js';
import { readSettings, restoreBackup } from '../../../src/backup/restore-backup.js';
import { withRestoreLock } from '../../../src/backup/restore-lock.js';
import type { RestoredSession } from '../../../src/backup/restore-one.js';
import { saveLogin } from '../../../src/backup/save-login.js';
import type { SendJob } from '../../../src/contract/command-jobs.js';
import {
  answerKey,
  attemptKey,
  commandRoomKey,
  eventIndexKey,
  limitsPrefix,
  loginKey,
  qrLinkKey,
  sessionKeys,
  supervisorsKey,
} from '../../../src/contract/keys.js';
import { createCommandQueues } from '../../../src/http/commands/command-queues.js';
import { createJobReader } from '../../../src/http/commands/job-reader.js';
import { findJobView } from '../../../src/http/commands/send-status.js';
import { loadConfig } from '../../../src/platform/config/config.js';
import { parseCredentialsKey } from '../../../src/platform/credentials-keys.js';
import { readNumbers, rememberNumbers } from '../../../src/platform/store/lid-map.js';
import { recordOutcome } from '../../../src/platform/store/send-attempts.js';
import { findSessions, putSession } from '../../../src/platform/store/session-register.js';
import { Profile } from '../../../src/supervisor/browser/profile.js';
import { SnapshotStore } from '../../../src/supervisor/credentials/snapshot-store.js';
import { accessList } from '../../docs/access-list.js';
import { makeKeyText } from '../../support/credentials.js';
import { claimToWrite } from '../../support/event-writer.js';
import { eventually } from '../../support/eventually.js';
import { assertNothingLeft, scratchDir } from '../../support/leftovers.js';
import { onBound } from '../../support/on-bound.js';
import { type RedisNode, startRedisCluster, startRedisNode } from '../../support/redis-fleet.js';

const session = 'default';
const passphrase = 'four words of a test';
const wid = '491517654321@c.us';
const k = sessionKeys(session);
const never = new AbortController().signal;

/** A machine: its Redis, its key and its directory of profiles. */
interface Machine {
  readonly redis: Redis;
  readonly authDir: string;
  readonly config: ReturnType<typeof loadConfig>;
  readonly snapshots: SnapshotStore;
}

describe('a backup of a session', () => {
  let source: RedisNode;
  let target: RedisNode;
  let file: string;

  before(async () => {
    [source, target] = await Promise.all([startRedisNode(), startRedisNode()]);
  });
  beforeEach(async () => {
    await Promise.all([source.redis.flushall(), target.redis.flushall()]);
    file = join(scratchDir(), 'backup.age');
  });
  after(async () => {
    await Promise.all([source.close(), target.close()]);
    await assertNothingLeft();
  });

  function machine({ redis }: RedisNode, url: string, keyText = makeKeyText()): Machine {
    const authDir = join(scratchDir(), 'auth');
    const config = loadConfig('supervisor', {
      ...{ REDIS_URL: url, WHATSAPP_AUTH_DIR: authDir, WHATSAPP_CREDENTIALS_KEY: keyText },
    });
    const key = parseCredentialsKey(keyText);
    const keys = key === null ? [] : [key];
    return { redis, authDir, config, snapshots: new SnapshotStore({ redis, session, keys, onBound }) };
  }
  const urlOf = ({ port }: RedisNode) => `redis://127.0.0.1:${port}`;
  const on = (node: RedisNode, keyText?: string) => machine(node, urlOf(node), keyText);

  /** A login with these bytes, stored as the snapshot of a run. */
  async function linkedMachine(text = 'the login'): Promise<Machine> {
    const made = on(source);
    const { fence } = await claimToWrite(source.redis);
    const dir = scratchDir();
    mkdirSync(join(dir, 'Default/IndexedDB/x.leveldb'), { recursive: true });
    writeFileSync(join(dir, 'Default/IndexedDB/x.leveldb/000003.log'), text);
    writeFileSync(join(dir, 'account.json'), JSON.stringify({ wid, pushname: 'Me', platform: 'android' }));
    await made.snapshots.store(dir, { epoch: fence.epoch, wipedEpoch: 0 }, never);
    return made;
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

  /** The content of the newest snapshot. */
  async function loginIn({ snapshots }: Machine): Promise<string> {
    const [found] = await snapshots.find(0);
    assert.ok(found?.type === 'readable', 'there is a snapshot that this machine can read');
    const dir = scratchDir();
    await snapshots.fetch(found, dir, () => true, never);
    return readFileSync(join(dir, 'Default/IndexedDB/x.leveldb/000003.log'), 'utf8');
  }

  const job: SendJob = {
    ...{ phoneNumber: '15551234567', chatId: null, linkPreview: true, markSeen: true, message: 'a secret' },
    ...{ requestHash: 'f'.repeat(64), notAfter: Date.now() + 600_000, wipedEpoch: 0, wid, requestId: 'r' },
  };
  const sent = {
    status: 'sent' as const,
    result: {
      ...{ ok: true as const, to: '15551234567', chat_id: '15551234567@c.us', message_id: 'x' },
      timestamp: new Date().toISOString(),
    },
  };

  /** Sends in every state: waiting, being sent, sent but not completed, completed, and completed two days ago. */
  async function addSends(redis: Redis): Promise<Record<string, string>> {
    const queues = createCommandQueues({ redis, session, sendQueueMax: 1_000 });
    const id = () => `m-${randomUUID()}`;
    const ids = { waiting: id(), active: id(), recorded: id(), done: id(), old: id() };
    for (const each of Object.values(ids)) await queues.addSend(each, job);
    await queues.close();
    const queue = '{wa}:sends-default';
    for (const each of [ids.active, ids.recorded]) {
      await redis.lrem(`${queue}:wait`, 0, each);
      await redis.lpush(`${queue}:active`, each);
    }
    await recordOutcome(redis, session, ids.recorded, sent);
    for (const [each, at] of [
      [ids.done, Date.now() - 1_000],
      [ids.old, Date.now() - 2 * 86_400_000],
    ] as const) {
      await redis.lrem(`${queue}:wait`, 0, each);
      const settled = { data: JSON.stringify({ ...job, message: null }), returnvalue: JSON.stringify(sent) };
      await redis.hset(`${queue}:${each}`, { ...settled, finishedOn: at, processedOn: at, ats: 1 });
      await redis.zadd(`${queue}:completed`, at, each);
    }
    return ids;
  }

  it('restores the login under the key of the target, and a later run owns it', async () => {
    await backUp(await linkedMachine());
    const there = on(target);
    assert.equal((await restore(there)).profileDir, null);
    assert.equal(await loginIn(there), 'the login');
    const [found] = await there.snapshots.find(0);
    assert.ok(found?.type === 'readable');
    const { header } = found.manifest;
    assert.equal(await target.redis.get(k.wiped), String(header.wipedEpoch), 'no older profile is better');
    const { fence } = await claimToWrite(target.redis);
    assert.ok(fence.epoch > header.epoch);
  });

  it('never has a send sent again: what had not settled is unknown, the rest keeps its outcome', async () => {
    const made = await linkedMachine();
    const ids = await addSends(source.redis);
    const { counts } = await backUp(made);
    assert.deepEqual(counts, { settledSends: 3, unsettledSends: 2, events: 0 });
    assert.doesNotMatch(readFileSync(file, 'latin1'), /a secret/);

    await restore(on(target));
    const jobs = createJobReader(target.redis, session);
    const views = await Promise.all(
      ['waiting', 'active', 'recorded', 'done'].map((name) => findJobView(jobs, ids[name] ?? '')),
    );
    assert.deepEqual(
      views.map(({ status, error }) => [status, error?.code]),
      [
        ['unknown', 'interrupted'],
        ['unknown', 'interrupted'],
        ['sent', undefined],
        ['sent', undefined],
      ],
    );
    await assert.rejects(findJobView(jobs, ids.old ?? ''), /no job/);
    assert.deepEqual(await target.redis.keys('{wa}:sends-default:{wait,active}'), []);
    const stored = await Promise.all(
      (await target.redis.keys('{wa}:sends-default:m-*')).map((key) => target.redis.hget(key, 'data')),
    );
    assert.equal(stored.length, 4);
    assert.ok(stored.every((data) => JSON.parse(data ?? '').message === null));
  });

  it('keeps what the target knows of a send since the backup', async () => {
    const made = await linkedMachine();
    const { waiting = '' } = await addSends(source.redis);
    await backUp(made);
    const settled = { timestamp: 1, data: JSON.stringify(job), returnvalue: JSON.stringify(sent) };
    await target.redis.hset(`{wa}:sends-default:${waiting}`, { ...settled, finishedOn: Date.now() });
    await restore(on(target));
    const view = await findJobView(createJobReader(target.redis, session), waiting);
    assert.equal(view.status, 'sent');
  });

  it('restores events under their ids, and the numbers behind hidden ids', async () => {
    const made = await linkedMachine();
    const writer = await claimToWrite(source.redis);
    await source.redis.set(k.account, `4 ${wid}`);
    for (let n = 0; n < 3; n++) await writer.messages(...Array.from({ length: 150 }, (_, i) => `${n} ${i}`));
    await rememberNumbers(source.redis, session, wid, [{ lid: '77@lid', phone: '491511234567' }]);
    const before = await source.redis.xrange(k.events, '-', '+');
    await backUp(made);
    assert.equal((await restore(on(target))).events, 450);
    assert.deepEqual(await target.redis.xrange(k.events, '-', '+'), before);
    assert.deepEqual(await readNumbers(target.redis, session, wid, ['77@lid']), ['491511234567']);
    assert.equal(await target.redis.get(k.account), `1 ${wid}`);
    // The account goes on where it was: its next event comes after them, and a link of it deletes nothing.
    const next = await claimToWrite(target.redis);
    await next.publish({ account: { wid, pushname: null, platform: null } });
    assert.ok((await target.redis.xlen(k.events)) > 450);
    await next.publish({ account: { wid: '1@c.us', pushname: null, platform: null } });
    assert.ok((await target.redis.xlen(k.events)) < 10, 'the link of another account deletes them');
  });

  it('leaves out what is volatile or secret, and starts nothing', async () => {
    const made = await linkedMachine();
    await addSends(source.redis);
    const volatile = [loginKey('a'), qrLinkKey('b'), `${limitsPrefix}:login:c`, answerKey(session, 'r')];
    for (const key of [...volatile, k.intent, k.qrPng, k.endedStart]) await source.redis.set(key, '{}');
    await source.redis.hset(commandRoomKey(session, 'sends'), 'x', '1:1');
    await source.redis.hset(k.quarantineIndex, '{wa}:x', '{}');
    await backUp(made);
    await restore(on(target));
    const names = (await target.redis.keys('*')).map((key) => key.replace(/m-[\da-f-]{36}$/, 'm-'));
    assert.deepEqual(
      [...new Set(names)].sort(),
      [
        k.account,
        k.snapshot,
        k.backupSummary,
        k.events,
        k.fence,
        k.heartbeat,
        k.outcome,
        k.state,
        k.wiped,
        eventIndexKey,
        '{wa}:sends-default:completed',
        '{wa}:sends-default:m-',
        '{wa}:sessions:meta',
      ].sort(),
    );
    assert.equal(await target.redis.get(k.heartbeat), 'ended', 'no supervisor starts it by itself');
  });

  it('backs up what it can read of a session with unusable keys', async () => {
    const made = await linkedMachine();
    const ids = await addSends(source.redis);
    await source.redis.hset(`{wa}:sends-default:${ids.waiting}`, 'data', 'no JSON');
    await source.redis.set(attemptKey(session, ids.active ?? ''), 'no JSON');
    await source.redis.del(`{wa}:sends-default:${ids.done}`);
    await source.redis.set(`{wa}:sends-default:${ids.done}`, 'no hash');
    for (const key of [k.lids, k.wiped, k.heartbeat]) await source.redis.lpush(key, 'x');
    await source.redis.lpush('{wa}:sends-default:wait', 'no id: of ours');
    await source.redis.hset('{wa}:sends-default:no id: of ours', 'timestamp', '1');
    await source.redis.xadd(k.events, '9999999999999999-1', 'type', 'x');
    const { counts, problem } = await backUp(made);
    assert.deepEqual(counts, { settledSends: 2, unsettledSends: 2, events: 0 });
    assert.equal(problem, `its numbers cannot be read: the key ${k.lids} in Redis has a wrong type`);
    await restore(on(target));
    assert.equal(
      JSON.parse((await target.redis.hget(`{wa}:sends-default:${ids.active}`, 'returnvalue')) ?? '').status,
      'unknown',
    );
  });

  it('says which of its keys have a wrong type, each time, and leaves them as they are', async () => {
    const made = await linkedMachine();
    await addSends(source.redis);
    const keys = [k.account, '{wa}:sends-default:paused', k.events, k.lids];
    for (const key of keys) {
      await source.redis.unlink(key);
      await source.redis.hset(key, 'x', 'x');
    }
    await source.redis.unlink(k.lids);
    await source.redis.set(k.lids, 'x');
    const wrong = (what: string, key = '') =>
      `${what} cannot be read: the key ${key} in Redis has a wrong type`;
    const whats = ['its account', 'some of its sends', 'its events', 'its numbers'];
    for (const _ of ['once', 'again']) {
      const { counts, problem } = await backUp(made);
      assert.deepEqual(
        problem?.split('; '),
        whats.map((what, n) => wrong(what, keys[n])),
      );
      assert.deepEqual(counts, { settledSends: 3, unsettledSends: 2, events: 0 });
    }
    assert.equal(await source.redis.exists(...keys), keys.length);
    assert.deepEqual(await source.redis.keys('{wa}:aside*'), []);
    const there = on(target);
    await restore(there);
    assert.equal(await loginIn(there), 'the login');
  });

  it('is refused without a login that can be read', async () => {
    const made = await linkedMachine();
    await assert.rejects(backUp(on(source)), /encrypted with another key.*\(key id [\da-f]{16}\)/);
    await source.redis.hset(k.snapshot, '0', 'garbage');
    await assert.rejects(backUp(made), /copies of the login in Redis are damaged/);
    await source.redis.unlink(k.snapshot);
    await assert.rejects(backUp(made), /there is no login to back up/);
    await assert.rejects(backUp(on(source, '')), /WHATSAPP_CREDENTIALS_KEY.*make the backup there/);
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
    const there = on(target);
    await restore(there);
    assert.equal(await loginIn(there), 'the profile');
  });

  /** A profile with a login, of a run that was newer than every snapshot. */
  async function linkProfile({ authDir }: Machine): Promise<Profile> {
    const profile = new Profile(authDir, session);
    await profile.prepare(0, Date.now() + 10_000);
    const note = await profile.readNote();
    assert.ok(note);
    await profile.writeNote({ ...note, isLinked: true });
    mkdirSync(join(profile.dir, 'Default/IndexedDB/x.leveldb'), { recursive: true });
    writeFileSync(join(profile.dir, 'Default/IndexedDB/x.leveldb/000003.log'), 'the profile');
    return profile;
  }

  it('takes the profile here if its run was newer than the snapshot, unless the session runs', async () => {
    const made = await linkedMachine();
    await linkProfile(made);
    await backUp(made);
    const there = on(target);
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
    const { authDir, snapshots } = made;
    const dir = join(scratchDir(), 'login');
    const places = { redis: source.redis, session, authDir, snapshots };
    await saveLogin(places, dir, never);
    assert.equal(reads, 3);
    assert.equal(readFileSync(join(dir, 'Default/IndexedDB/x.leveldb/000003.log'), 'utf8'), 'the login');

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

  it('replaces a login only if told, and only while nothing runs', async () => {
    await backUp(await linkedMachine());
    const there = on(target);
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
    const there = on(target);
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
    const there = on(target);
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
    await source.redis.set(k.account, `1 ${wid}`);
    await rememberNumbers(source.redis, session, wid, [{ lid: '77@lid', phone: '491511234567' }]);
    await backUp(made);
    const strings = ['{wa}:sends-default:completed', `{wa}:sends-default:${done}`, k.lids];
    for (const key of strings) await target.redis.set(key, 'x');
    for (const key of [k.lock, k.account, k.fence, k.state]) await target.redis.lpush(key, 'x');
    assert.equal((await restore(on(target))).sends, 4);
    assert.equal((await findJobView(createJobReader(target.redis, session), done)).status, 'sent');
    assert.deepEqual(await readNumbers(target.redis, session, wid, ['77@lid']), ['491511234567']);
    assert.ok((await target.redis.keys('{wa}:aside:sends-default:*')).length >= 2);
  });

  it('ends at SIGTERM while it waits for its input', async () => {
    const { authDir } = on(target);
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
      await assert.rejects(restore(on(target)), sentence);
    }
    writeFileSync(file, whole);
    const { config } = on(target);
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
    const made = on(source);
    await assert.rejects(
      makeBackup({ ...options, config: made.config, target: file, settings: {} }, never),
      /there is no session shop/,
    );
    await putSession(source.redis, name, { metadata: { team: 'sales' } });
    const { fence } = await claimToWrite(source.redis, name);
    const dir = scratchDir();
    mkdirSync(join(dir, 'Default/IndexedDB/x.leveldb'), { recursive: true });
    writeFileSync(join(dir, 'Default/IndexedDB/x.leveldb/000003.log'), 'the login of the shop');
    writeFileSync(join(dir, 'account.json'), JSON.stringify({ wid, pushname: 'Me', platform: 'android' }));
    const snapshotsOf = ({ config: { credentialsKeys } }: Machine, { redis }: RedisNode) =>
      new SnapshotStore({ redis, session: name, keys: credentialsKeys, onBound });
    await snapshotsOf(made, source).store(dir, { epoch: fence.epoch, wipedEpoch: 0 }, never);
    await makeBackup({ ...options, config: made.config, target: file, settings: {} }, never);

    const there = on(target);
    const restoring = { ...options, config: there.config, source: file };
    await restoreBackup({ ...restoring, isReplacing: false }, never);
    const [record] = await findSessions(target.redis, [name]);
    assert.deepEqual(record?.metadata, { team: 'sales' });
    assert.equal(await loginIn({ ...there, snapshots: snapshotsOf(there, target) }), 'the login of the shop');

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
    const there = on(target);
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

  it('needs no other rights than the product, and runs on a cluster', async () => {
    const acl = join(scratchDir(), 'users.acl');
    writeFileSync(acl, `${accessList()}user admin on >admin ~* &* +@all\n`);
    const connection = { username: 'admin', password: 'admin' };
    const limited = await startRedisNode({ settings: [`aclfile ${acl}`], connection });
    const cluster = await startRedisCluster();
    try {
      const made = await linkedMachine();
      await addSends(source.redis);
      await source.redis.set(k.account, `1 ${wid}`);
      await (await claimToWrite(source.redis)).messages('one', 'two');
      await rememberNumbers(source.redis, session, wid, [{ lid: '77@lid', phone: '491511234567' }]);
      await backUp(made);
      const first = machine(limited, `redis://holdline:change-me@127.0.0.1:${limited.port}`);
      await restore(first);
      assert.equal(await loginIn(first), 'the login');
      await backUp(first);
      const second = machine(cluster.nodes[0] as RedisNode, cluster.url);
      assert.deepEqual((await restore(second)).events, 2);
      await backUp(second);
      const third = on(target);
      assert.deepEqual((await restore(third)).sends, 4);
      assert.equal(await loginIn(third), 'the login');
    } finally {
      await Promise.all([limited.close(), cluster.close()]);
    }
  });
});
