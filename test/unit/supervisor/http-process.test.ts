import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pino } from 'pino';
import { OperatorError } from '../../../src/contract/errors.js';
import { HttpProcess } from '../../../src/supervisor/http-process.js';
import { eventually } from '../../support/eventually.js';
import { assertNothingLeft, scratchDir } from '../../support/leftovers.js';
import { isAlive } from '../../support/processes.js';
import type { HttpBehaviour, HttpRecord } from '../../support/programs/scripted-http.js';

const redisUrl = 'redis://127.0.0.1:6379';
const entry = new URL('../../support/programs/scripted-http.js', import.meta.url);
const timing = { httpHungMs: 20_000, backoffBaseMs: 20, backoffMaxMs: 50, healthyAfterMs: 60_000 };
const patient = new AbortController().signal;

after(assertNothingLeft);

/** An HTTP process that has each behaviour for one life, and the last one for all later lives. */
class Play {
  readonly dir = scratchDir();
  readonly http: HttpProcess;
  readonly log: string[] = [];

  constructor(behaviours: readonly HttpBehaviour[], changed: Partial<typeof timing> = {}) {
    appendFileSync(join(this.dir, 'behaviours.json'), JSON.stringify(behaviours));
    this.http = new HttpProcess({
      entry,
      environment: { ...process.env, SCRIPTED_HTTP: this.dir },
      timing: { ...timing, ...changed },
      log: pino({}, { write: (line: string) => void this.log.push(line) }),
    });
  }

  lives(): HttpRecord[] {
    const file = join(this.dir, 'records');
    if (!existsSync(file)) return [];
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    return lines.map((line) => JSON.parse(line) as HttpRecord);
  }

  /** The pid of a life, once it was told to serve. */
  async life(number: number): Promise<number> {
    await eventually(() => this.lives().length >= number);
    return this.lives()[number - 1]?.pid ?? 0;
  }
}

test('it gets the URL of Redis and reports its own', async () => {
  const play = new Play(['serves']);
  assert.equal(await play.http.serve(redisUrl), 'http://127.0.0.1:4321');
  const pid = await play.life(1);
  assert.deepEqual(play.lives()[0]?.message, { type: 'serve', redisUrl, port: null });
  await play.http.stop(patient);
  assert.equal(isAlive(pid), false);
});

test('a killed HTTP process is restarted at once on the same port', async () => {
  const play = new Play(['serves']);
  await play.http.serve(redisUrl);
  process.kill(await play.life(1), 'SIGKILL');
  await play.life(2);
  assert.deepEqual(
    play.lives().map(({ message }) => message),
    [null, 4_321].map((port) => ({ type: 'serve', redisUrl, port })),
  );
  await eventually(() => play.log.some((line) => line.includes('HTTP is served again')));
  assert.ok(play.log.some((line) => line.includes('"reason":"signal SIGKILL","delayMs":0')));
  assert.equal(play.http.restarts, 1);
  await play.http.stop(patient);
});

test('a silent HTTP process is killed and restarted', async () => {
  const play = new Play(['falls silent', 'serves'], { httpHungMs: 300 });
  await play.http.serve(redisUrl);
  const first = await play.life(1);
  await play.life(2);
  assert.equal(isAlive(first), false);
  await play.http.stop(patient);
});

test('repeated failures back off, and are retried for ever', async () => {
  const play = new Play(['serves', 'exits', 'refuses', 'exits', 'serves']);
  await play.http.serve(redisUrl);
  process.kill(await play.life(1), 'SIGKILL');
  await play.life(5);
  await eventually(() => play.log.some((line) => line.includes('HTTP is served again')));
  const delays = play.log.flatMap((line) => {
    const { delayMs } = JSON.parse(line) as { delayMs?: number };
    return delayMs ?? [];
  });
  assert.deepEqual(delays, [0, 20, 40, 50]);
  assert.ok(play.log.some((line) => line.includes('the port is in use')));
  await play.http.stop(patient);
});

test('an operator error at the first start is passed on', async () => {
  const { http } = new Play(['refuses']);
  await assert.rejects(http.serve(redisUrl), (error) => {
    assert.ok(error instanceof OperatorError);
    assert.equal(error.message, 'the port is in use');
    return true;
  });
  await http.stop(patient);
});

test('an exit before the first start has finished is an error with the exit code', async () => {
  const { http } = new Play(['exits']);
  await assert.rejects(http.serve(redisUrl), /^Error: HTTP did not come up: exit code 7$/);
  await http.stop(patient);
});

test('an HTTP process that ignores its stop is killed when the stop is forced', async () => {
  const play = new Play(['ignores its stop']);
  await play.http.serve(redisUrl);
  const pid = await play.life(1);
  const force = new AbortController();
  const stopped = play.http.stop(force.signal);
  force.abort();
  await stopped;
  assert.equal(isAlive(pid), false);
});

test('it can be stopped before it serves', async () => {
  const { http } = new Play(['serves']);
  await http.stop(patient);
  await assert.rejects(http.serve(redisUrl), /stopped before it came up/);
});
