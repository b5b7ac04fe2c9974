import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { newApiKey } from '../../src/platform/api-key.js';
import { startEmbeddedRedis } from '../../src/platform/embedded-redis/embedded-redis.js';
import { findRedisIn } from '../../src/platform/embedded-redis/leftover-server.js';
import { readServerInfo } from '../../src/platform/embedded-redis/server-info.js';
import { eventually } from '../support/eventually.js';
import { sendRaw } from '../support/http-raw.js';
import { assertNothingLeft, scratchDir } from '../support/leftovers.js';
import { Product } from '../support/product.js';

after(assertNothingLeft);

test('a product that is asked to stop while its Redis loads stops at once and leaves no Redis', async () => {
  const dir = scratchDir();
  const dataDir = join(dir, 'data');
  const socket = await fillRedis(dataDir);
  const product = new Product('all', {
    PATH: `${slowToLoad(join(dir, 'bin'))}:${process.env.PATH}`,
    WHATSAPP_DATA_DIR: dataDir,
  });
  try {
    await eventually(async () => (await readServerInfo(socket, 1_000))?.isLoading, {
      timeoutMs: 30_000,
      message: 'Redis loads',
    });
    const askedAt = performance.now();
    assert.equal(await product.end('SIGTERM'), 0);
    assert.ok(performance.now() - askedAt < 10_000, 'it does not wait for the deadline of the stop');
    assert.deepEqual(await findRedisIn(join(dataDir, 'redis')), []);
  } finally {
    await product.end('SIGKILL');
  }
});

test('a port that is in use is refused before a Redis or a directory is made', async () => {
  const dataDir = join(scratchDir(), 'data');
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  try {
    for (const role of ['all', 'http'] as const) {
      const product = new Product(role, {
        REDIS_URL: role === 'http' ? 'redis://127.0.0.1:1' : '',
        WHATSAPP_DATA_DIR: dataDir,
        WHATSAPP_MCP_PORT: String(port),
      });
      assert.equal(await product.exited(), 78);
      assert.equal(
        product.output,
        `holdline: 127.0.0.1:${port} is in use; stop what uses it, or set WHATSAPP_MCP_PORT to another port (0 picks a free one)\n`,
      );
    }
  } finally {
    other.close();
  }
  assert.ok(!existsSync(dataDir));
});

test('bound to all addresses, it logs URLs that it serves: on this machine, and on others by address and name', async () => {
  const product = new Product('http', {
    REDIS_URL: 'redis://127.0.0.1:1',
    WHATSAPP_MCP_HOST: '0.0.0.0',
    WHATSAPP_API_KEYS: newApiKey('ops', 'admin').entry,
  });
  try {
    const url = await product.url();
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/);
    const { port } = new URL(url);
    const said = JSON.parse(product.output.split('\n').find((line) => line.includes('"open ')) ?? '{}') as {
      msg: string;
    };
    assert.ok(said.msg.startsWith(`open ${url}/qr (on other machines: http://`), said.msg);
    assert.ok(
      said.msg.includes(`http://${hostname().toLowerCase()}:${port}/qr), or start the session with`),
      said.msg,
    );
    const hosts = [...said.msg.matchAll(/http:\/\/([^/]+)\/qr/g)].map(([, host = '']) => host);
    assert.ok(hosts.length >= 2);
    for (const host of hosts) {
      const [answer] = await sendRaw(
        Number(port),
        `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
      );
      assert.equal(answer?.status, 401, host);
    }
  } finally {
    await product.end('SIGTERM');
  }
});

/** Stores 60,000 keys. Returns the socket of the Redis, which has ended. */
async function fillRedis(dataDir: string): Promise<string> {
  const embedded = await startEmbeddedRedis({ dataDir, log: pino({ level: 'silent' }) });
  const socket = fileURLToPath(embedded.url.replace('unix:', 'file:'));
  const redis = new Redis({ path: socket });
  const pipeline = redis.pipeline();
  for (let i = 0; i < 60_000; i++) pipeline.set(`key-${i}`, '');
  await pipeline.exec();
  redis.disconnect();
  await embedded.stop();
  return socket;
}

/** A directory with a `redis-server` that takes a minute to load these keys. */
function slowToLoad(bin: string): string {
  const program = join(bin, 'redis-server');
  mkdirSync(bin);
  writeFileSync(
    program,
    `#!/bin/sh\nPATH='${process.env.PATH}'\nexec redis-server "$@" --key-load-delay 1000\n`,
  );
  chmodSync(program, 0o755);
  return bin;
}
