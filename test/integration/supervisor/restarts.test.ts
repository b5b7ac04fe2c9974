import assert from 'node:assert/strict';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { sessionKeys } from '../../../src/contract/keys.js';
import { publishStatus } from '../../../src/platform/store/state-store.js';
import { eventually } from '../../support/eventually.js';
import { assertNothingLeft } from '../../support/leftovers.js';
import { onBound } from '../../support/on-bound.js';
import { watchdogsOf } from '../../support/processes.js';
import type { ThreadBehaviour } from '../../support/scripted-processes.js';
import { openRedis } from '../../support/shared-redis.js';
import { SupervisedSession } from '../../support/supervised-session.js';

const redis = await openRedis();

after(async () => {
  await redis.stop();
  await assertNothingLeft();
});

type Options = ConstructorParameters<typeof SupervisedSession>[1];

function withSession(work: (s: SupervisedSession) => Promise<void>, options?: Options): Promise<void> {
  return new SupervisedSession(redis, options).during(work);
}

const threadFaults: readonly [ThreadBehaviour, RegExp, Options?][] = [
  ['throws', /^the session worker failed: scripted: it threw$/],
  ['exits', /^the session worker exited with code 7$/],
  ['leaves a rejection unhandled', /^the session worker failed: scripted: it rejected$/],
  ['spins', /^the session worker did not respond for \d+ s$/, { timing: { loopHungAfterMs: 4_000 } }],
  // At its end it collects garbage for seconds and sends nothing meanwhile.
  [
    'runs out of memory',
    /^the session worker used more than 512 MB$/,
    { timing: { loopHungAfterMs: 60_000 } },
  ],
  ['fails: page_crashed', /^scripted: page_crashed$/],
  ['fails: whatsapp_unreachable', /^scripted: whatsapp_unreachable$/],
];

for (const [behaviour, reason, options] of threadFaults) {
  test(`a thread that ${behaviour} is replaced on the same browser, and last_error says why`, () =>
    withSession(async ({ scripted, observer, run }) => {
      await run(behaviour, 'stays starting');
      const status = await observer.until(
        ({ state, restarts }) => state === 'starting' && restarts === 1,
        'restarted once',
      );
      assert.match(status.last_error ?? '', reason);
      await eventually(() => scripted.threads().length === 2);

      const [first, second] = scripted.threads();
      assert.equal(second?.epoch, first?.epoch);
      assert.ok((second?.incarnation ?? 0) > (first?.incarnation ?? 0), 'the fence rises');
      assert.equal(second?.incarnation, status.incarnation);
      assert.equal(second?.browser, first?.browser, 'the same browser');
      assert.equal(scripted.browsersEver().length, 1);
    }, options));
}

test('after several failures the session is ready and last_error is null', () =>
  withSession(async ({ scripted, observer, run }) => {
    await run('throws', 'exits', 'fails: start_failed', 'ready');
    const status = await observer.untilReady();
    assert.equal(status.restarts, 3);
    assert.equal(status.last_error, null);
    assert.equal(status.account?.pushname, 'Ada');
    const incarnations = scripted.threads().map(({ incarnation }) => incarnation);
    assert.deepEqual(
      incarnations,
      [...new Set(incarnations)].sort((a, b) => a - b),
      'never reused, always rising',
    );
    assert.equal(
      new Set(scripted.threads().map(({ browser }) => browser)).size,
      3,
      'a new browser from the second failure on',
    );
    assert.equal(scripted.browsersAlive().length, 1);
  }));

test('a late write of the previous thread is refused', () =>
  withSession(async ({ scripted, observer, run }) => {
    await run('throws', 'shows a qr');
    const status = await observer.until(({ state }) => state === 'qr', 'the next thread shows a qr');
    const [before] = scripted.threads();
    assert.ok(before);
    const { session, redis: connection } = observer;
    const late = { ...status, state: 'ready', incarnation: before.incarnation } as const;
    assert.equal(
      await publishStatus(connection, { session, expected: before, status: late, onBound }),
      false,
    );
    assert.deepEqual((await observer.read()).status, status);
  }));

test('a browser that dies is replaced, with its watchdog, on the same profile', () =>
  withSession(async ({ scripted, observer, run, profileDir }) => {
    await run('ready', 'stays starting');
    await observer.untilReady();
    writeFileSync(join(profileDir, 'login'), 'kept');
    const [browser = 0] = scripted.browsersAlive();
    process.kill(browser, 'SIGKILL');
    const status = await observer.until(
      ({ state, restarts }) => state === 'starting' && restarts === 1,
      'anew',
    );
    assert.equal(status.last_error, 'the browser died (signal SIGKILL)');
    assert.equal(status.account?.pushname, 'Ada', 'a linked profile keeps its account');
    await eventually(() => scripted.threads().length === 2);

    const [next = 0] = scripted.browsersAlive();
    assert.notEqual(next, browser);
    // The previous watchdog may take a moment to end.
    await eventually(() => {
      assert.deepEqual(
        watchdogsOf(process.pid).map(({ commandLine }) => Number(commandLine.at(-2))),
        [next],
      );
      return true;
    });
    assert.ok(existsSync(join(profileDir, 'login')));
  }));

test('a watchdog that is killed is replaced', () =>
  withSession(async ({ scripted, observer, run }) => {
    await run('ready');
    await observer.untilReady();
    const watchdog = () => watchdogsOf(process.pid)[0]?.pid;
    const first = (await eventually(watchdog)) as number;
    process.kill(first, 'SIGKILL');
    await eventually(() => watchdog() !== undefined && watchdog() !== first);
    assert.equal(scripted.browsersAlive().length, 1);
    assert.equal(scripted.browsersEver().length, 1);
  }));

test('a browser that does not close its old pages is replaced', () =>
  withSession(
    async ({ scripted, observer, run }) => {
      scripted.setBrowsers('keeps its pages');
      await run('throws', 'ready');
      await observer.untilReady();
      assert.equal(scripted.browsersEver().length, 2);
      assert.equal(scripted.browsersAlive().length, 1);
    },
    { timing: { pageCloseMs: 1_000 } },
  ));

test('a browser that cannot start is an error with its last output, and is retried', () =>
  withSession(async ({ scripted, observer, run }) => {
    scripted.setBrowsers('fails to start');
    await run('ready');
    const status = await observer.until(({ restarts }) => restarts > 0, 'tried again');
    assert.equal(
      status.last_error,
      'the browser ended while it started (exit code 127): error while loading shared libraries: libnss3.so',
    );
    scripted.setBrowsers('normal');
    await observer.untilReady();
  }));

test('a browser that never answers is given up after its deadline', () =>
  withSession(
    async ({ scripted, observer, run }) => {
      scripted.setBrowsers('never listens');
      await run('ready');
      const status = await observer.until(({ restarts }) => restarts > 0, 'tried again');
      assert.equal(status.last_error, 'the starting browser did not answer within 4 s');
      // The next browser must start within the deadline.
      scripted.setBrowsers('normal');
      await observer.untilReady();
      assert.equal(scripted.browsersAlive().length, 1);
    },
    { timing: { browserStartMs: 4_000 } },
  ));

test('an unusable profile directory is an error with its path, and is retried', () =>
  withSession(async ({ authDir, observer, run, profileDir }) => {
    rmSync(authDir, { recursive: true });
    writeFileSync(authDir, 'in the way');
    await run('ready');
    const status = await observer.until(({ restarts }) => restarts > 0, 'tried again');
    assert.match(
      status.last_error ?? '',
      new RegExp(`^the profile directory ${profileDir} cannot be used: `),
    );
    // The supervisor creates the directory, perhaps as soon as the file is gone.
    rmSync(authDir);
    await observer.untilReady();
  }));

test('a run ends with an error after its last restart, and a start is a new run', () =>
  withSession(
    async (supervised) => {
      const { scripted, observer, run } = supervised;
      await run('throws');
      const last = await observer.untilEnded();
      assert.equal(last.state, 'disconnected');
      assert.equal(
        last.last_error,
        'gave up after 2 restarts within 30 min; the last reason: the session worker failed: scripted: it threw',
      );
      assert.equal(last.restarts, 2);
      assert.equal(scripted.threads().length, 3);
      await supervised.assertNothingRuns();

      scripted.setThreads('ready');
      await observer.start();
      const next = await observer.untilReady();
      assert.ok(next.epoch > last.epoch);
      assert.equal(next.restarts, 0);
    },
    { restartsMax: 2 },
  ));

test('a refused login ends the run in auth_failure with the reason', () =>
  withSession(async (supervised) => {
    const { scripted, observer, run } = supervised;
    await run('fails: auth_failure');
    const last = await observer.untilEnded();
    assert.deepEqual([last.state, last.last_error], ['auth_failure', 'scripted: auth_failure']);
    assert.equal(scripted.threads().length, 1);
    await supervised.assertNothingRuns();
  }));

test('after a logout on the phone the profile is new, and its snapshots are invalid', () =>
  withSession(async ({ scripted, observer, run, profileDir }) => {
    await run('ready', 'fails: logged_out', 'shows a qr');
    const { epoch } = await observer.untilReady();
    writeFileSync(join(profileDir, 'login'), 'void');
    process.kill(scripted.browsersAlive()[0] ?? 0, 'SIGKILL');
    const status = await observer.until(({ state }) => state === 'qr', 'a fresh qr');
    assert.equal(status.account, null);
    assert.equal(existsSync(join(profileDir, 'login')), false);
    assert.equal(await observer.redis.get(sessionKeys(observer.session).wiped), String(epoch));
  }));
