import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { sessionKeys } from '../../src/contract/keys.js';
import { sessionsQueue } from '../../src/contract/names.js';
import { unconfigured } from '../../src/contract/session-record.js';
import type { Status } from '../../src/contract/status.js';
import { openQueue } from '../../src/platform/queues/job-queue.js';
import { addStart } from '../../src/platform/queues/start-queue.js';
import { registerIfMissing } from '../../src/platform/store/session-register.js';
import { tryParseStatus } from '../../src/platform/store/state-store.js';
import { eventually } from '../support/eventually.js';
import { assertNothingLeft, scratchDir } from '../support/leftovers.js';
import { startRedis } from '../support/redis-server.js';
import { scaledTiming } from '../support/scaled-timing.js';
import { ScriptedProcesses } from '../support/scripted-processes.js';
import { SessionObserver } from '../support/session-observer.js';
import { type SupervisorProcess, startSupervisorProcess } from '../support/supervisor-process.js';

/** Supervisors with ten sessions each, as processes; only browsers and threads are scripted. */
const perSupervisor = 10;
/** A machine that starts so many browsers at once stands still for some seconds, which is not the fault. */
const timing = {
  ...scaledTiming,
  ...{ lockDurationMs: 15_000, giveUpMs: 9_000, guardTimeoutMs: 10_000, loopHungAfterMs: 60_000 },
  ...{ heartbeatTtlMs: 6_000, renewIntervalMs: 2_000, socketTimeoutMs: 5_000, startDeadlineMs: 120_000 },
  ...{ browserStartMs: 60_000, pageCloseMs: 20_000 },
};

const redis = await startRedis();
const dir = scratchDir();
const scripted = new ScriptedProcesses(dir);
const observer = new SessionObserver(redis.url);
const queue = openQueue(sessionsQueue, observer.redis);
const sessions = Array.from({ length: 3 * perSupervisor }, (_, i) => `t-${i + 1}`);
const supervisors: SupervisorProcess[] = [];

after(async () => {
  for (const { signal } of supervisors) signal('SIGTERM');
  await Promise.all(supervisors.map(({ exited }) => exited));
  await queue.close();
  await observer.close();
  await redis.stop();
  await assertNothingLeft();
});

async function statuses(): Promise<(Status | null)[]> {
  const texts = await observer.redis.mget(sessions.map((session) => sessionKeys(session).state));
  return texts.map((text) => tryParseStatus(text ?? ''));
}

/** The sessions of each supervisor, by its id, once all are ready and run at one of these. */
function untilAllReady(ids: readonly string[], timeoutMs: number): Promise<Map<string, Status[]>> {
  return eventually(
    async () => {
      const all = (await statuses()).filter((status) => status !== null);
      const ready = all.filter((status) => status.ready && ids.includes(status.supervisor ?? ''));
      assert.equal(ready.length, sessions.length);
      return new Map(ids.map((id) => [id, ready.filter(({ supervisor }) => supervisor === id)]));
    },
    { timeoutMs },
  );
}

test('a killed supervisor loses all its sessions to the others, spread over them', async () => {
  scripted.setThreads('ready');
  for (const name of ['one', 'two', 'three']) {
    const environment = { WHATSAPP_MAX_SESSIONS: '20', WHATSAPP_MAX_STARTS: '2' };
    const redisPort = redis.port;
    supervisors.push(await startSupervisorProcess({ name, dir, redisPort, scripted, timing, environment }));
  }
  for (const session of sessions) {
    await registerIfMissing(observer.redis, session, unconfigured);
    await addStart(observer.redis, queue, session);
  }
  const before = await untilAllReady(
    supervisors.map(({ id }) => id),
    150_000,
  );
  for (const [id, own] of before) assert.ok(own.length >= 5, `${id} has ${own.length}`);

  const [killed, ...others] = supervisors;
  assert.ok(killed);
  killed.signal('SIGKILL');
  const afterwards = await untilAllReady(
    others.map(({ id }) => id),
    120_000,
  );
  const lost = before.get(killed.id) ?? [];
  const epochsBefore = new Map([...before.values()].flat().map(({ session, epoch }) => [session, epoch]));
  const moved = [...afterwards.values()]
    .flat()
    .filter(({ session, epoch }) => epoch !== epochsBefore.get(session));
  assert.deepEqual(moved.map(({ session }) => session).sort(), lost.map(({ session }) => session).sort());
  const gained = others.map(({ id }) => moved.filter(({ supervisor }) => supervisor === id).length);
  for (const gain of gained) assert.ok(gain >= lost.length / 4, `unevenly: ${gained}`);
});
