import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Status } from '../../src/contract/status.js';
import { eventually } from '../support/eventually.js';
import type { Product } from '../support/product.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import { readQr, Stage } from '../support/stage.js';

/** 3 HTTP replicas and 2 supervisors on one Redis. */
let stage: Stage;
let redis: RedisServer;
let http: Product[];
let supervisors: Product[];
let environment: Record<string, string>;

before(async () => {
  stage = await Stage.open();
  redis = await startRedis();
  environment = { REDIS_URL: redis.url };
  supervisors = [stage.start('supervisor', environment), stage.start('supervisor', environment)];
  http = [0, 1, 2].map(() => stage.start('http', environment));
  // Without a supervisor a start would be deferred.
  await Promise.all([...supervisors.map((each) => each.runs()), ...http.map((replica) => replica.url())]);
});
after(async () => {
  await stage.close();
  await redis.stop();
});

function owner(status: Status): Product {
  const found = supervisors.find(({ pid }) => status.supervisor?.includes(`-${pid}-`));
  assert.ok(found, `no supervisor ${status.supervisor}`);
  return found;
}

async function someHttp(): Promise<Product> {
  return http[0] as Product;
}

test('50 concurrent starts on three replicas open one browser, and all answer with its QR', async () => {
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, i) => (http[i % 3] as Product).post<Status>('/api/auth/start')),
  );
  assert.deepEqual(new Set(answers.map((status) => status.state)), new Set(['qr']));
  assert.equal(new Set(answers.map((status) => status.epoch)).size, 1);
  assert.equal((await stage.browsers()).length, 1);
  assert.equal((await stage.whatsApp.phone.state()).pagesEver, 1);
});

test('every replica gives the same answer, even one that has just started', async () => {
  const young = stage.start('http', environment);
  await young.url();
  http.push(young);
  const code = async (replica: Product) =>
    readQr(Buffer.from(await (await replica.get('/qr.png')).arrayBuffer())).text;
  const body = async (replica: Product) => (await replica.get('/api/status')).text();
  // WhatsApp may replace the code between two answers.
  await eventually(async () => {
    const codes = await Promise.all(http.map(code));
    assert.equal(new Set(codes).size, 1);
    assert.ok(codes[0]);
    assert.equal(new Set(await Promise.all(http.map(body))).size, 1);
    return true;
  });
});

test('the standby takes over when the owner is stopped, without a new scan', async () => {
  const replica = await someHttp();
  await stage.whatsApp.phone.scanCurrent();
  const ready = await replica.until((s) => s.ready, 'ready');
  const before = owner(ready);
  assert.equal(await before.end('SIGTERM'), 0);
  const after = await replica.until((s) => s.ready && s.epoch > ready.epoch, 'ready on the standby');
  assert.notEqual(after.supervisor, ready.supervisor);
  assert.equal((await stage.browsers()).length, 1);
  supervisors = [...supervisors.filter((s) => s !== before), stage.start('supervisor', environment)];
});

test('the standby takes over when the owner is killed, whose browser is gone', async () => {
  const replica = await someHttp();
  const ready = await replica.status();
  const before = owner(ready);
  await before.end('SIGKILL');
  const gone = await replica.until((s) => !s.ready, 'the status shows the death');
  assert.equal(gone.state, 'disconnected');
  assert.match(gone.last_error ?? '', /supervisor is gone/);
  const after = await replica.until((s) => s.ready && s.epoch > ready.epoch, 'ready on the standby');
  assert.notEqual(after.supervisor, ready.supervisor);
  assert.equal((await stage.browsers()).length, 1);
  supervisors = supervisors.filter((s) => s !== before);
});

test('without a supervisor a start answers at once that none is running, and is kept for the next one', async () => {
  const replica = await someHttp();
  await Promise.all(supervisors.map((supervisor) => supervisor.end('SIGTERM')));
  const status = await replica.post<Status>('/api/auth/start');
  assert.equal(status.last_error, 'no supervisor is running');
  await stage.start('supervisor', environment);
  await replica.until((s) => s.ready, 'ready by the kept start');
});
