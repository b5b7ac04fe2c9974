import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { registerCheckedKey, sessionKeys } from '../../../src/contract/keys.js';
import { sessionsQueue } from '../../../src/contract/names.js';
import { unconfigured } from '../../../src/contract/session-record.js';
import { pause } from '../../../src/platform/deadline.js';
import { openQueue } from '../../../src/platform/queues/job-queue.js';
import {
  findSessions,
  isRegisterChecked,
  putSession,
  registerIfMissing,
} from '../../../src/platform/store/session-register.js';
import { Profile } from '../../../src/supervisor/browser/profile.js';
import { noteFileOf, readNote, writeNote } from '../../../src/supervisor/browser/profile-note.js';
import { LostSessions } from '../../../src/supervisor/recover-lost-sessions.js';
import { startRedis } from '../../support/redis-server.js';

/** A session that Redis has lost. Its profile is on this machine, and its browser may live at another supervisor. */
describe('the check for lost sessions', () => {
  const session = 'lost';
  const { heartbeat, job, wiped } = sessionKeys(session);
  const record = { ...unconfigured, metadata: { team: 'sales' }, created_at: '2026-01-01T00:00:00.000Z' };
  let server: Awaited<ReturnType<typeof startRedis>>;
  let redis: Redis;
  let queue: ReturnType<typeof openQueue>;
  let authDir: string;

  before(async () => {
    server = await startRedis();
    redis = new Redis(server.url, { maxRetriesPerRequest: null });
    queue = openQueue(sessionsQueue, redis);
    authDir = await mkdtemp(join(tmpdir(), 'holdline-lost-'));
  });
  beforeEach(async () => {
    await redis.flushall();
    await note({ isWanted: true });
  });
  after(async () => {
    await queue.close();
    redis.disconnect();
    await server.stop();
    await rm(authDir, { recursive: true });
  });

  const note = ({ isWanted }: { isWanted: boolean }) =>
    writeNote(noteFileOf(authDir, session), {
      ...{ session, epoch: 5, isWanted, wipedEpoch: 0, profileId: 'p', isLinked: true },
      ...{ account: null, record },
    });

  const checkWith = (noticeMs: number, mayRun: boolean) =>
    new LostSessions({
      ...{ redis, queue, authDir, noticeMs, log: pino({ level: 'silent' }) },
      closing: new AbortController().signal,
    }).check({ mayRun });

  it('starts it, after the time in which its run elsewhere ends', async () => {
    assert.equal(await checkWith(20, true), true);
    assert.equal(await redis.exists(job), 1);
  });

  it('leaves it to the supervisor that has started it again meanwhile', async (t) => {
    // So that the connection has the script as a method.
    await redis.set(heartbeat, 'live');
    await checkWith(20, true);
    await redis.del(heartbeat);
    const scripts = redis as unknown as { holdline_readStanding(): Promise<[number, string]> };
    const read = t.mock.method(scripts, 'holdline_readStanding', async (): Promise<[number, string]> => {
      read.mock.restore();
      await redis.set(heartbeat, 'live');
      return [0, ''];
    });
    assert.equal(await checkWith(20, true), true);
    assert.equal(read.mock.callCount(), 1);
    assert.equal(await redis.exists(job), 0);
  });

  it('starts it at once where nothing can run it', async () => {
    assert.equal(await checkWith(60_000, false), true);
    assert.equal(await redis.exists(job), 1);
  });

  it('registers it again, as it was configured', async () => {
    await checkWith(20, true);
    assert.deepEqual(await findSessions(redis, [session]), [record]);
    await redis.del(job);
    await putSession(redis, session, { metadata: { team: 'support' } });
    await checkWith(20, true);
    const [kept] = await findSessions(redis, [session]);
    assert.deepEqual(kept?.metadata, { team: 'support' }, 'what is registered is newer');
  });

  it('keeps the newer of two configurations, whichever machine registers first', async () => {
    await registerIfMissing(redis, session, { ...record, metadata: { team: 'old' }, revision: 2 });
    await registerIfMissing(redis, session, { ...record, metadata: { team: 'new' }, revision: 3 });
    await registerIfMissing(redis, session, { ...record, metadata: { team: 'older' }, revision: 1 });
    const [kept] = await findSessions(redis, [session]);
    assert.deepEqual(kept?.metadata, { team: 'new' });
  });

  it('notes that the register is checked, after the time in which others register what they ran', async () => {
    await rm(noteFileOf(authDir, session));
    const checking = checkWith(200, true);
    await pause(20);
    assert.equal(await isRegisterChecked(redis), false);
    assert.equal(await checking, true);
    assert.equal(await isRegisterChecked(redis), true);
    // Where it is noted, nothing is waited for.
    assert.equal(await checkWith(60_000, true), true);
    await redis.del(registerCheckedKey);
    assert.equal(await checkWith(60_000, false), true);
    assert.equal(await isRegisterChecked(redis), true);
  });

  it('registers one that is stopped, and does not start it', async () => {
    await note({ isWanted: false });
    await checkWith(20, true);
    assert.deepEqual(await findSessions(redis, [session]), [record]);
    assert.equal(await isRegisterChecked(redis), true);
    assert.equal(await redis.exists(job), 0);
  });

  it('forgets that one was to run whose login was wiped elsewhere', async () => {
    await putSession(redis, session, {});
    await redis.set(wiped, '5');
    await checkWith(20, true);
    assert.equal((await readNote(noteFileOf(authDir, session)))?.isWanted, false);
  });

  it('removes the profile of one that was deleted elsewhere: the name may be used again', async () => {
    const profile = new Profile(authDir, session);
    await mkdir(profile.dir);
    await redis.set(wiped, '5');
    assert.equal(await checkWith(20, true), true);
    assert.deepEqual(await readdir(authDir), []);
    await redis.flushall();
    assert.equal(await checkWith(20, true), true);
    assert.equal(await redis.exists(job), 0);
    assert.deepEqual(await findSessions(redis, [session]), [null]);
  });
});
