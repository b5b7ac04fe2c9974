import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { startEmbeddedRedis } from '../../src/platform/embedded-redis/embedded-redis.js';
import { findRedisIn } from '../../src/platform/embedded-redis/leftover-server.js';
import { readServerInfo } from '../../src/platform/embedded-redis/server-info.js';
import { eventually } from '../support/eventually.js';
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
