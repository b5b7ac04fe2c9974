import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Status } from '../../src/contract/status.js';
import { makeKeyText } from '../support/credentials.js';
import type { Product } from '../support/product.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import { busyMachineTiming, Stage } from '../support/stage.js';

/** One login moves between machines by backups. Each test continues where the one before ended. */
const passphrase = 'four words of a test';
const number = '15551234567';

let stage: Stage;
let redis: RedisServer;
let product: Product;
let file: string;
/** An API key of the first machine. */
let key: string;

before(async () => {
  [stage, redis] = await Promise.all([Stage.open(), startRedis({ appendOnly: true })]);
  file = join(stage.dir, 'backup.age');
});
after(async () => {
  await stage.close();
  await redis.stop();
});

interface Outcome {
  readonly code: number;
  readonly output: string;
}

/** The variables of a machine of its own. */
function machine(name: string, extra: Record<string, string> = {}): Record<string, string> {
  return {
    WHATSAPP_DATA_DIR: join(stage.dir, name, 'data'),
    WHATSAPP_AUTH_DIR: join(stage.dir, name, 'auth'),
    WHATSAPP_TIMING: JSON.stringify({
      ...busyMachineTiming,
      ...{ pageCheckTimeoutMs: 30_000, backupFreezeMs: 20_000, backupStopMs: 40_000, shutdownMs: 80_000 },
    }),
    ...extra,
  };
}

function run(
  program: 'backup' | 'restore',
  words: readonly string[],
  environment: Record<string, string>,
): Promise<Outcome> {
  const entry = fileURLToPath(new URL(`../../src/${program}.js`, import.meta.url));
  const env = {
    PATH: process.env.PATH ?? '',
    ...stage.environment,
    WHATSAPP_BACKUP_PASSPHRASE: passphrase,
    ...environment,
  };
  return new Promise((settle) => {
    const child = execFile(process.execPath, [entry, ...words], { env, cwd: stage.dir }, (error, out, err) =>
      settle({ code: error === null ? 0 : Number(error.code), output: out + err }),
    );
    child.stdin?.end();
  });
}

async function done(outcome: Promise<Outcome>): Promise<string> {
  const { code, output } = await outcome;
  assert.equal(code, 0, output);
  return output;
}

async function refused(outcome: Promise<Outcome>, sentence: RegExp): Promise<void> {
  const { code, output } = await outcome;
  assert.equal(code, 78, output);
  assert.match(output, sentence);
  assert.equal(output.trim().split('\n').length, 1, output);
}

async function readyWithoutQr(): Promise<void> {
  const seen = new Set([(await product.post<Status>('/api/auth/start')).state]);
  await product.until(
    (status) => {
      seen.add(status.state);
      return status.ready;
    },
    'ready with the restored login',
    90_000,
  );
  assert.ok(!seen.has('qr'), `states seen: ${[...seen]}`);
  assert.equal((await stage.whatsApp.phone.state()).devices.length, 1);
}

const put = (path: string, body: unknown) => withBody('PUT', path, body);
const post = (path: string, body: unknown) => withBody('POST', path, body);

function withBody(method: string, path: string, body: unknown): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return product.get(path, { method, headers, body: JSON.stringify(body) });
}

function send(message: string, key: string): Promise<Response> {
  return product.get('/api/send', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify({ phone_number: number, message }),
  });
}

/** The ids of all events after the first one. */
async function newestEventId(): Promise<string> {
  const answer = await product.get('/api/events', { headers: { 'last-event-id': '1-0' } });
  const reader = answer.body?.getReader();
  let text = '';
  while (reader !== undefined && !/^id: [1-9]/m.test(text)) {
    const { value, done: isOver } = await reader.read();
    if (isOver) break;
    text += Buffer.from(value).toString();
  }
  await reader?.cancel();
  return text;
}

test('a backup of a running product is restored on another machine: ready without a scan', async () => {
  product = stage.start('all', machine('first'));
  assert.equal((await product.post<Status>('/api/auth/start')).state, 'qr');
  await stage.whatsApp.phone.scanCurrent();
  await product.loginSettled();
  assert.equal((await send('once', 'key-1')).status, 200);

  assert.equal((await put('/api/sessions/spare', { metadata: { team: 'later' } })).status, 201);
  const made = await post('/api/keys', { name: 'reader', scope: 'read' });
  ({ key } = (await made.json()) as { key: string });

  const output = await done(run('backup', [file, '--all'], machine('first')));
  assert.match(output, /login {4}of 1 of 2 sessions.*keys {5}1/s);
  assert.match(output, /sends {4}1 settled, 0 not yet/);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  await refused(run('restore', [file], machine('first')), /another Holdline .* is running .* stop it first/);
  assert.equal(await product.end('SIGTERM'), 0);

  await refused(run('restore', [file], machine('first')), /there is a login already \(in Redis\).*--replace/);
  assert.match(await done(run('restore', [file], machine('second'))), /in Redis, for every supervisor/);
  product = stage.start('all', machine('second'));
  await readyWithoutQr();
});

test('with a backup of all, the other sessions and the keys are there too', async () => {
  const headers = { authorization: `Bearer ${key}` };
  const answer = await product.get('/api/sessions/spare', { headers });
  const { metadata, status } = (await answer.json()) as { metadata: unknown; status: Status };
  assert.deepEqual([answer.status, metadata, status.state], [200, { team: 'later' }, 'stopped']);
});

test('a send of before the backup is not sent again, and its outcome and the events are known', async () => {
  const again = await send('once', 'key-1');
  assert.equal(again.status, 200);
  assert.equal(again.headers.get('idempotent-replayed'), 'true');
  assert.match(await newestEventId(), /^id: \d{13}-\d+$/m);
  assert.equal(await product.end('SIGTERM'), 0);
});

test('a backup of a stopped product is restored to a Redis of its own, with several supervisors', async () => {
  await rm(file);
  await done(run('backup', [file], machine('second')));
  const own = { REDIS_URL: redis.url, WHATSAPP_CREDENTIALS_KEY: makeKeyText() };
  await done(run('restore', [file], machine('third', own)));
  await refused(
    run('restore', [file], machine('fourth', own)),
    /there is a login already \(in Redis\).*--replace/,
  );
  // Another machine than the one of the restore.
  product = stage.start('all', machine('fourth', own));
  await readyWithoutQr();
  await refused(run('restore', [file, '--replace'], machine('third', own)), /the supervisor \S+ is running/);
  await product.loginSettled();
  await rm(file);
  await done(run('backup', [file], machine('third', own)));
  assert.equal(await product.end('SIGTERM'), 0);
});

test('without a key for Redis, the login becomes the profile of this machine', async () => {
  const own = { REDIS_URL: redis.url };
  const output = await done(run('restore', [file, '--replace'], machine('fifth', own)));
  assert.match(output, /for the supervisor of this machine only/);
  product = stage.start('all', machine('fifth', own));
  await readyWithoutQr();
  assert.equal(await product.end('SIGTERM'), 0);
});

test('a damaged file, a wrong passphrase or wrong arguments change nothing', async () => {
  const target = machine('sixth');
  await refused(
    run('restore', [file], { ...target, WHATSAPP_BACKUP_PASSPHRASE: 'another passphrase' }),
    /the passphrase does not open/,
  );
  await writeFile(`${file}.cut`, (await readFile(file)).subarray(0, -1_000));
  await refused(run('restore', [`${file}.cut`], target), /is damaged or cut off/);
  await writeFile(`${file}.other`, 'not a backup');
  await refused(run('restore', [`${file}.other`], target), /is not a backup of Holdline/);
  await refused(run('restore', [`${file}.gone`], target), /there is no file \S+\.gone/);
  await refused(
    run('restore', [file], { ...target, WHATSAPP_BACKUP_PASSPHRASE: '' }),
    /there is no passphrase/,
  );
  await refused(run('backup', [`${file}.new`], target), /there is no \S+data: run this where Holdline runs/);
  assert.deepEqual(readdirSync(join(stage.dir, 'sixth', 'auth')), []);
  for (const words of [[], ['a', 'b'], ['a', '--repalce']]) {
    const { code, output } = await run('restore', words, target);
    assert.equal(code, 64);
    assert.match(output, /npm run restore -- FILE/);
  }
  assert.match(await done(run('backup', ['--help'], target)), /npm run backup -- FILE/);
});

test('the settings of a backup become a new file, which never replaces another', async () => {
  const settings = join(stage.dir, 'new.env');
  await done(run('restore', [file, '--settings', settings], machine('sixth')));
  const text = await readFile(settings, 'utf8');
  assert.match(text, new RegExp(`^REDIS_URL=${redis.url}$`, 'm'));
  assert.match(text, /^WHATSAPP_CREDENTIALS_KEY=\S{44}$/m);
  assert.doesNotMatch(text, /PASSPHRASE/);
  await refused(run('restore', [file, '--settings', settings], machine('sixth')), /exists already/);
});
