import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import type { SnapshotManifest } from '../../../../src/contract/credentials.js';
import { sessionKeys } from '../../../../src/contract/keys.js';
import { makeKeyText } from '../../../support/credentials.js';
import { eventually } from '../../../support/eventually.js';
import { assertNothingLeft } from '../../../support/leftovers.js';
import { startRedis } from '../../../support/redis-server.js';
import { SupervisedSession } from '../../../support/supervised-session.js';

/** When a run backs up its login and when it restores it. Browser and threads are scripted; the login is a file. */
const redis = await startRedis();
/** Long enough for a busy machine: these tests check what happens, not how fast. */
const patience = { timeoutMs: 60_000 };
/** Time for the last backup of a run on a busy machine. */
const lastBackup = { backupStopMs: 20_000, shutdownMs: 40_000 };
const loginFile = 'Default/IndexedDB/https_web.whatsapp.com_0.indexeddb.leveldb/000003.log';

after(async () => {
  await redis.stop();
  await assertNothingLeft();
});

function withSession(
  body: (session: SupervisedSession) => Promise<void>,
  options: ConstructorParameters<typeof SupervisedSession>[1] = {},
): Promise<void> {
  const session = new SupervisedSession(redis, {
    environment: { WHATSAPP_CREDENTIALS_KEY: makeKeyText() },
    ...options,
    timing: { ...lastBackup, ...options.timing },
  });
  writeLogin(session, 'login');
  return session.during(body);
}

function writeLogin({ profileDir }: SupervisedSession, text: string): void {
  mkdirSync(dirname(join(profileDir, loginFile)), { recursive: true });
  writeFileSync(join(profileDir, loginFile), text);
}

const readLogin = ({ profileDir }: SupervisedSession) => readFileSync(join(profileDir, loginFile), 'utf8');

async function newest({ observer }: SupervisedSession): Promise<SnapshotManifest | null> {
  const text = await observer.redis.hget(sessionKeys(observer.session).snapshot, 'manifest');
  return text === null ? null : (JSON.parse(text) as SnapshotManifest);
}

/** Waits for another newest snapshot than `than`. */
function anotherThan(session: SupervisedSession, than: SnapshotManifest | null): Promise<SnapshotManifest> {
  return eventually(async () => {
    const found = await newest(session);
    return found !== null && found.header.id !== than?.header.id ? found : null;
  }, patience) as Promise<SnapshotManifest>;
}

const timesBackedUp = ({ logLines }: SupervisedSession) =>
  logLines.filter(({ msg }) => msg === 'login backed up').length;

const leftovers = ({ authDir }: SupervisedSession) =>
  readdirSync(authDir).filter((name) => /snapshot-|restore-|set-aside/.test(name));

test('a login is backed up once it has settled, and again only when it has changed', () =>
  withSession(async (session) => {
    await session.run('ready');
    const { epoch } = await session.observer.untilReady('ready', 60_000);
    const first = await anotherThan(session, null);
    assert.equal(first.header.epoch, epoch);

    const redisCalls = async () => Number(/calls=(\d+)/.exec((await callsOf(session, 'hget')) ?? '')?.[1]);
    // Several checks, each of which asks Redis for its newest snapshot.
    const before = await redisCalls();
    await eventually(async () => (await redisCalls()) > before + 6, patience);
    assert.equal(timesBackedUp(session), 1);
    assert.equal((await newest(session))?.header.id, first.header.id);

    appendFileSync(join(session.profileDir, loginFile), ' more');
    await anotherThan(session, first);
    await eventually(() => leftovers(session).length === 0, patience);
  }));

test('a login whose files are gone replaces no snapshot, and the log says so once', () =>
  withSession(async (session) => {
    const owner = await session.run('ready');
    await session.observer.untilReady('ready', 60_000);
    const first = await anotherThan(session, null);
    rmSync(session.profileDir, { recursive: true });
    const failures = () =>
      session.logLines.filter(({ msg }) => msg === 'the login could not be backed up; trying again');
    await eventually(() => failures().length > 0, patience);
    assert.match(String(failures()[0]?.reason), /^the files of the login are gone from \S+session-/);
    await session.closeSupervisor(owner);
    assert.equal((await newest(session))?.header.id, first.header.id);
    assert.equal(failures().length, 1);
  }));

test('a snapshot that Redis has lost is taken again', () =>
  withSession(async (session) => {
    await session.run('ready');
    await session.observer.untilReady('ready', 60_000);
    const first = await anotherThan(session, null);
    await session.observer.redis.del(sessionKeys(session.observer.session).snapshot);
    await anotherThan(session, first);
  }));

test('a handover takes a snapshot only if the login has changed', () =>
  withSession(
    async (session) => {
      const owner = await session.run('ready');
      await session.observer.untilReady('ready', 60_000);
      const first = await anotherThan(session, null);
      await eventually(() => timesBackedUp(session) === 1, patience);
      appendFileSync(join(session.profileDir, loginFile), ' more');
      await session.closeSupervisor(owner);
      const last = await newest(session);
      assert.notEqual(last?.header.id, first.header.id);

      const next = await session.startSupervisor();
      await session.observer.untilReady('ready again', 60_000);
      const ofNext = await anotherThan(session, last);
      // Waits until the supervisor knows of this snapshot: before, its end would take another.
      await eventually(() => timesBackedUp(session) === 3, patience);
      await session.closeSupervisor(next);
      assert.equal((await newest(session))?.header.id, ofNext.header.id);
    },
    { timing: { backupIntervalMs: 60_000 } },
  ));

test('a session that was never ready is not backed up', () =>
  withSession(async (session) => {
    const owner = await session.run('shows a qr');
    await session.observer.until(({ state }) => state === 'qr', 'a QR', 60_000);
    await session.closeSupervisor(owner);
    assert.equal(await newest(session), null);
  }));

test('a lost profile is restored before the browser starts, with a new profile id', () =>
  withSession(async (session) => {
    const owner = await session.run('ready');
    await session.observer.untilReady('ready', 60_000);
    await anotherThan(session, null);
    await session.closeSupervisor(owner);
    const { profileId } = session.readNote();
    rmSync(session.authDir, { recursive: true });

    await session.startSupervisor();
    await session.observer.untilReady('ready on the restored login', 60_000);
    assert.equal(readLogin(session), 'login');
    assert.notEqual(session.readNote().profileId, profileId);
    assert.equal(session.readNote().account?.pushname, 'Ada');
  }));

test('a newer snapshot replaces an older profile, and a newer profile is kept', () =>
  withSession(async (session) => {
    const first = await session.run('ready');
    await session.observer.untilReady('ready', 60_000);
    await anotherThan(session, null);
    await session.closeSupervisor(first);

    writeLogin(session, 'newer, never backed up');
    const ofFirst = await newest(session);
    const second = await session.startSupervisor();
    await session.observer.untilReady('ready on the newer', 60_000);
    assert.equal(readLogin(session), 'newer, never backed up');
    await anotherThan(session, ofFirst);
    await session.closeSupervisor(second);

    writeLogin(session, 'older');
    await session.amendNote({ epoch: 5 });
    await session.startSupervisor();
    await session.observer.untilReady('ready on the snapshot', 60_000);
    assert.equal(readLogin(session), 'newer, never backed up');
    await eventually(() => leftovers(session).length === 0, patience);
  }));

test('a missing login is restored from each snapshot once, and wiped only after that', () =>
  withSession(async (session) => {
    const { observer, scripted } = session;
    const owner = await session.run('ready');
    await observer.untilReady('ready', 60_000);
    const first = await anotherThan(session, null);
    appendFileSync(join(session.profileDir, loginFile), ' and more');
    await anotherThan(session, first);
    await session.closeSupervisor(owner);

    scripted.setThreads('fails: login_missing', 'fails: login_missing', 'fails: login_missing', 'shows a qr');
    await session.startSupervisor();
    await observer.until(({ state }) => state === 'qr', 'a QR in the end', 60_000);
    const restored = session.logLines.filter(({ msg }) => msg === 'login restored from its backup');
    assert.deepEqual(
      restored.map(({ slot }) => slot),
      ['newest', 'previous'],
    );
    assert.equal(await newest(session), null, 'wiped');
    await eventually(() => leftovers(session).length === 0, patience);
  }));

test('a login that returns from a snapshot is ready, and nothing is wiped', () =>
  withSession(async (session) => {
    const owner = await session.run('ready');
    await session.observer.untilReady('ready', 60_000);
    await anotherThan(session, null);
    await session.closeSupervisor(owner);
    writeLogin(session, 'emptied');
    session.scripted.setThreads('fails: login_missing', 'ready');
    await session.startSupervisor();
    await session.observer.untilReady('ready from the snapshot', 60_000);
    assert.equal(readLogin(session), 'login');
    assert.equal(await session.observer.redis.get(sessionKeys(session.observer.session).wiped), null);
  }));

test('without a backup a missing login is looked for a second time before it is wiped', () =>
  withSession(
    async (session) => {
      const { observer, scripted, profileDir } = session;
      await session.run('ready');
      await observer.untilReady('ready', 60_000);
      const nextBrowser = (...threads: Parameters<typeof scripted.setThreads>) => {
        scripted.setThreads(...threads);
        for (const pid of scripted.browsersAlive()) process.kill(pid, 'SIGKILL');
      };
      nextBrowser('fails: login_missing', 'ready');
      await observer.until(({ ready, restarts }) => ready && restarts === 2, 'the login is there', 60_000);
      assert.equal(readLogin(session), 'login');

      nextBrowser('fails: login_missing', 'fails: login_missing', 'shows a qr');
      await observer.until(({ state }) => state === 'qr', 'a QR in the end', 60_000);
      assert.ok(!existsSync(join(profileDir, loginFile)), 'wiped');
    },
    { environment: {} },
  ));

test('a browser that fails twice on its profile gets the snapshot, and its profile back if that fails too', () =>
  withSession(async (session) => {
    const owner = await session.run('ready');
    await session.observer.untilReady('ready', 60_000);
    await anotherThan(session, null);
    await session.closeSupervisor(owner);
    writeLogin(session, 'newest');
    session.scripted.setBrowsers('fails to start');
    await session.startSupervisor();
    const restores = () =>
      session.logLines.filter(({ msg }) => msg === 'login restored from its backup').length;
    await eventually(() => restores() === 1 && readLogin(session) === 'login', patience);
    await eventually(() => readLogin(session) === 'newest', patience);
    session.scripted.setBrowsers('normal');
    await session.observer.untilReady('ready with a browser that starts', 60_000);
    assert.equal(readLogin(session), 'newest');
  }));

test('the snapshot replaces an unusable profile', () =>
  withSession(async (session) => {
    const owner = await session.run('ready');
    await session.observer.untilReady('ready', 60_000);
    await anotherThan(session, null);
    await session.closeSupervisor(owner);
    rmSync(session.profileDir, { recursive: true });
    writeFileSync(session.profileDir, 'a file where the folder should be');
    await session.startSupervisor();
    await session.observer.untilReady('ready from the snapshot', 60_000);
    assert.equal(readLogin(session), 'login');
  }));

test('a failed backup is logged once, ends no run and is made up for later', () =>
  withSession(
    async (session) => {
      const { observer } = session;
      const used = Number(/used_memory:(\d+)/.exec(await observer.redis.info('memory'))?.[1]);
      writeFileSync(join(session.profileDir, dirname(loginFile), '000004.log'), randomNoise(8_000_000));
      await observer.redis.config('SET', 'maxmemory', String(used + 4_000_000));
      try {
        await session.run('ready');
        await observer.untilReady('ready', 60_000);
        const failures = () =>
          session.logLines.filter(({ msg }) => /could not be backed up/.test(String(msg)));
        const backupStatus = async () =>
          (await observer.redis.get(sessionKeys(observer.session).backupStatus)) ?? '';
        await eventually(async () => /the newest attempt failed: OOM/.test(await backupStatus()), patience);
        rmSync(join(session.profileDir, dirname(loginFile), '000004.log'));
        const taken = await anotherThan(session, null);
        assert.ok(taken.bytes < 100_000);
        assert.equal(failures().length, 1);
        assert.equal((await observer.read()).status?.restarts, 0);
        await eventually(async () => /"reason":null/.test(await backupStatus()), patience);
        await eventually(() => leftovers(session).length === 0, patience);
      } finally {
        await observer.redis.config('SET', 'maxmemory', '0');
      }
    },
    { timing: { backupIntervalMs: 300 } },
  ));

test('the next start removes temporary folders of a killed supervisor', () =>
  withSession(async (session) => {
    for (const name of ['snapshot-a1b2c3', 'restore-d4e5f6']) {
      mkdirSync(join(`${session.profileDir}.${name}`, 'Default'), { recursive: true });
    }
    const stranger = join(session.authDir, 'session-another.snapshot-a1b2c3');
    mkdirSync(stranger);
    await session.run('ready');
    await session.observer.untilReady('ready', 60_000);
    assert.equal(existsSync(`${session.profileDir}.restore-d4e5f6`), false);
    assert.equal(existsSync(`${session.profileDir}.snapshot-a1b2c3`), false);
    assert.equal(existsSync(stranger), true);
  }));

function randomNoise(bytes: number): Buffer {
  return Buffer.from(
    Array.from({ length: bytes / 8 }, () => Math.random().toString(36).slice(2, 10)).join(''),
  );
}

async function callsOf({ observer }: SupervisedSession, command: string): Promise<string | undefined> {
  const stats = await observer.redis.info('commandstats');
  return new RegExp(`cmdstat_${command}:([^\\r]+)`).exec(stats)?.[1];
}
