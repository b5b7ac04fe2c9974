import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { OperatorError } from '../../../../src/contract/errors.js';
import {
  type EmbeddedRedis,
  type EmbeddedRedisOptions,
  startEmbeddedRedis,
} from '../../../../src/platform/embedded-redis/embedded-redis.js';
import { findRedisIn } from '../../../../src/platform/embedded-redis/leftover-server.js';
import { RedisServerMissingError } from '../../../../src/platform/embedded-redis/process.js';
import { isRunning } from '../../../../src/platform/proc.js';
import { eventually } from '../../../support/eventually.js';
import { logTo } from '../../../support/log-lines.js';

const scratch = await mkdtemp(join(tmpdir(), 'holdline-test-'));
const running: EmbeddedRedis[] = [];
const products: ChildProcess[] = [];

after(async () => {
  for (const product of products) product.kill('SIGKILL');
  await Promise.all(running.map((redis) => redis.stop()));
  for (const entry of await readdir(scratch)) {
    assert.deepEqual(await findRedisIn(join(scratch, entry, 'redis')), [], 'a redis-server was left over');
  }
  await rm(scratch, { recursive: true, force: true });
});

test('it serves on a socket that only its owner can enter, and is gone after stop', async () => {
  const redis = await start('plain');
  assert.equal(redis.url, `unix://${join(scratch, 'plain', 'redis', 'redis.sock')}`);
  assert.equal(await withClient(redis, (client) => client.ping()), 'PONG');
  const socket = socketOf(redis);
  assert.equal((await lstat(socket)).mode & 0o777, 0o700);
  assert.equal((await lstat(dirname(socket))).mode & 0o777, 0o700);
  const policy = await withClient(redis, (client) => client.config('GET', 'maxmemory-policy'));
  assert.deepEqual(policy, ['maxmemory-policy', 'noeviction']);
  const pid = await pidOf('plain');
  await Promise.all([redis.stop(), redis.stop()]);
  assert.equal(await isRunning(pid), false);
});

test('it listens on no network port', async () => {
  const redis = await start('no-port');
  const pid = await pidOf('no-port');
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((table) => readFile(`/proc/${pid}/net/${table}`, 'utf8').catch(() => '')),
  );
  const networkSockets = new Set(tables.flatMap(inodesOf));
  const own = await socketInodesOf(pid);
  assert.ok(own.length > 0, 'its sockets can be seen');
  assert.deepEqual(
    own.filter((inode) => networkSockets.has(inode)),
    [],
  );
  await redis.stop();
});

test('it leads a process group and a session of its own', async () => {
  const redis = await start('own-group');
  const pid = await pidOf('own-group');
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
  const [, , group, session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  assert.deepEqual([Number(group), Number(session)], [pid, pid]);
  await redis.stop();
});

test('data survives a clean stop and the next start', async () => {
  const first = await start('kept');
  await withClient(first, (client) => client.set('key', 'value'));
  await first.stop();
  const second = await start('kept');
  assert.equal(await withClient(second, (client) => client.get('key')), 'value');
  await second.stop();
});

test('a killed server returns each time with its data', async () => {
  const lines: Record<string, unknown>[] = [];
  const redis = await start('killed', { log: logTo(lines) });
  await withClient(redis, (client) => client.set('key', 'value'));
  // With appendfsync everysec a write survives a SIGKILL: it has left the process, fsynced or not.
  for (let round = 0; round < 3; round += 1) {
    const before = await pidOf('killed');
    process.kill(before, 'SIGKILL');
    await eventually(async () => ![0, before].includes(await pidOf('killed')), { message: 'no new server' });
    await eventually(async () => (await withClient(redis, (client) => client.get('key'))) === 'value');
  }
  await redis.stop();
  const ends = lines.filter(({ msg }) => msg === 'the embedded Redis ended; starting it again');
  assert.deepEqual(
    ends.map(({ error }) => error),
    Array(3).fill('the embedded Redis was ended by SIGKILL'),
  );
});

test('a server that somebody shuts down returns, and the log says that it was shut down', async () => {
  const lines: Record<string, unknown>[] = [];
  const redis = await start('shut-down', { log: logTo(lines) });
  const before = await pidOf('shut-down');
  process.kill(before, 'SIGTERM');
  await eventually(async () => ![0, before].includes(await pidOf('shut-down')), { message: 'no new server' });
  await redis.stop();
  const end = lines.find(({ msg }) => msg === 'the embedded Redis ended; starting it again');
  assert.match(String(end?.error), /^the embedded Redis was shut down from outside, by SIGTERM or /);
});

test('stop ends a server during its restart', async () => {
  const redis = await start('stop-in-restart', { timing: { backoffMinMs: 0 } });
  const before = await pidOf('stop-in-restart');
  process.kill(before, 'SIGKILL');
  await eventually(async () => ![0, before].includes(await pidOf('stop-in-restart')), { intervalMs: 0 });
  await redis.stop();
  assert.equal(await pidOf('stop-in-restart'), 0);
});

test('a server that outlives its killed product is adopted, watched and ended', async () => {
  const { product, pid } = await startProduct('left-behind');
  await killProduct(product);
  assert.equal(await isRunning(pid), true, 'it outlives the product');

  const redis = await start('left-behind');
  assert.equal(await pidOf('left-behind'), pid);

  process.kill(pid, 'SIGKILL');
  await eventually(async () => ![0, pid].includes(await pidOf('left-behind')), {
    message: 'the death of an adopted server went unnoticed',
  });
  await eventually(() => withClient(redis, (client) => client.ping()));
  await redis.stop();
  assert.equal(await pidOf('left-behind'), 0);
});

test('stop ends an adopted server', async () => {
  const { product, pid } = await startProduct('adopted-stop');
  await killProduct(product);
  const redis = await start('adopted-stop');
  assert.equal(await pidOf('adopted-stop'), pid);
  await redis.stop();
  assert.equal(await isRunning(pid), false);
});

test('a leftover server that does not answer is killed and replaced, with its data', async () => {
  const { product, pid } = await startProduct('frozen');
  await withClientAt(join(scratch, 'frozen', 'redis', 'redis.sock'), (client) => client.set('key', 'value'));
  await killProduct(product);
  process.kill(pid, 'SIGSTOP');

  const redis = await start('frozen', { timing: { answerDeadlineMs: 500 } });
  assert.equal(await isRunning(pid), false);
  assert.equal(await withClient(redis, (client) => client.get('key')), 'value');
  await redis.stop();
});

test('a leftover server without its socket is killed and replaced', async () => {
  const { product, pid } = await startProduct('no-socket');
  await killProduct(product);
  await rm(join(scratch, 'no-socket', 'redis', 'redis.sock'));

  const redis = await start('no-socket', { timing: { answerDeadlineMs: 300 } });
  assert.equal(await isRunning(pid), false);
  await redis.stop();
});

test('a missing redis-server is one sentence with the remedies', async () => {
  const { PATH } = process.env;
  process.env.PATH = scratch;
  try {
    await assert.rejects(start('missing'), (error: unknown) => {
      assert.ok(error instanceof RedisServerMissingError && error instanceof OperatorError);
      assert.match(error.message, /^redis-server cannot be run .*apt-get install redis-server.*REDIS_URL/);
      return true;
    });
  } finally {
    process.env.PATH = PATH;
  }
});

test('a damaged append-only file is a sentence that names redis-check-aof', async () => {
  const first = await start('damaged');
  await withClient(first, (client) => client.set('key', 'value'));
  await first.stop();
  const folder = join(scratch, 'damaged', 'redis', 'appendonlydir');
  const log = (await readdir(folder)).find((name) => name.endsWith('.incr.aof')) as string;
  await writeFile(join(folder, log), 'this is no append-only file\r\n');

  await assert.rejects(start('damaged'), (error: unknown) => {
    assert.ok(error instanceof OperatorError);
    assert.match(error.message, /append-only file .* is damaged .*redis-check-aof --fix \S+\.manifest/);
    assert.doesNotMatch(error.message, /\n/);
    return true;
  });
  assert.deepEqual(await findRedisIn(dirname(folder)), []);
});

test('a data directory whose path is too long for a socket gets a private directory elsewhere', async () => {
  const name = 'long-'.repeat(30);
  const first = await start(name);
  assert.ok(Buffer.byteLength(socketOf(first)) <= 103);
  const directory = dirname(socketOf(first));
  assert.equal((await lstat(directory)).mode & 0o777, 0o700);
  await first.stop();

  const again = await start(name);
  assert.equal(again.url, first.url, 'a leftover server would be found there');
  await again.stop();
  await rm(directory, { recursive: true });
});

test('a socket directory that others could enter is refused', async () => {
  const name = 'open-'.repeat(30);
  const redis = await start(name);
  const directory = dirname(socketOf(redis));
  await redis.stop();
  await rm(directory, { recursive: true });
  await mkdir(directory, { mode: 0o755 });
  await assert.rejects(start(name), /is not a directory that only this user may enter/);
  await rm(directory, { recursive: true });
});

test('an aborted start leaves no server behind', async () => {
  await assert.rejects(start('aborted', { signal: AbortSignal.abort() }), /was aborted/);
  assert.deepEqual(await findRedisIn(join(scratch, 'aborted', 'redis')), []);
});

async function start(name: string, options: Partial<EmbeddedRedisOptions> = {}): Promise<EmbeddedRedis> {
  const redis = await startEmbeddedRedis({
    dataDir: join(scratch, name),
    log: pino({ level: 'silent' }),
    ...options,
    timing: { answerDeadlineMs: 20_000, ...options.timing },
  });
  running.push(redis);
  return redis;
}

function socketOf(redis: EmbeddedRedis): string {
  return fileURLToPath(redis.url.replace('unix:', 'file:'));
}

/** The pid of the server in this data directory; 0: none runs there. */
async function pidOf(name: string): Promise<number> {
  const [pid = 0, ...others] = await findRedisIn(join(scratch, name, 'redis'));
  assert.deepEqual(others, []);
  return pid;
}

/** A process that runs an embedded Redis as the product does. */
async function startProduct(name: string): Promise<{ product: ChildProcess; pid: number }> {
  const program = fileURLToPath(new URL('../../fixtures/run-embedded-redis.js', import.meta.url));
  const product = spawn(process.execPath, [program, join(scratch, name)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  products.push(product);
  const [line] = await once(product.stdout, 'data');
  return { product, pid: Number(line) };
}

async function killProduct(product: ChildProcess): Promise<void> {
  const exit = once(product, 'exit');
  product.kill('SIGKILL');
  await exit;
}

function withClient<T>(redis: EmbeddedRedis, use: (client: Redis) => Promise<T>): Promise<T> {
  return withClientAt(socketOf(redis), use);
}

async function withClientAt<T>(path: string, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis({ path, lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await use(client);
  } finally {
    client.disconnect();
  }
}

function inodesOf(table: string): string[] {
  return table
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/)[9])
    .filter((inode) => inode !== undefined);
}

async function socketInodesOf(pid: number): Promise<string[]> {
  const links = await Promise.all(
    (await readdir(`/proc/${pid}/fd`)).map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')),
  );
  return links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []);
}
