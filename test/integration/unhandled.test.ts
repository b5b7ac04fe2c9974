import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from '../support/eventually.js';
import { assertNothingLeft, scratchDir } from '../support/leftovers.js';
import { supervisorEnvironment } from '../support/scaled-timing.js';
import { ScriptedProcesses } from '../support/scripted-processes.js';
import { SessionObserver } from '../support/session-observer.js';
import { openRedis } from '../support/shared-redis.js';

const redis = await openRedis();

after(async () => {
  await redis.stop();
  await assertNothingLeft();
});

const entry = fileURLToPath(new URL('../../src/main.js', import.meta.url));
const preload = fileURLToPath(new URL('../../../test/support/programs/unhandled.cjs', import.meta.url));

test('a supervisor with an unhandled rejection logs one line, exits with 1 and ends its browser', async () => {
  const dir = scratchDir();
  const authDir = join(dir, 'auth');
  mkdirSync(authDir);
  const scripted = new ScriptedProcesses(dir);
  const observer = new SessionObserver(redis.url);
  const environment = {
    ...supervisorEnvironment({ redisUrl: redis.url, authDir, browserExecutable: scripted.browserExecutable }),
    WHATSAPP_PROBE_PORT: '0',
    NODE_OPTIONS: `--require=${preload}`,
  };
  const product = spawn(process.execPath, [entry, 'supervisor'], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // 'close' comes after all of its output.
  const exited = once(product, 'close');
  const lines: { msg?: string; level?: number; err?: { message?: string } }[] = [];
  createInterface({ input: product.stdout as Readable }).on('line', (line) => lines.push(JSON.parse(line)));
  try {
    await observer.start();
    await eventually(() => scripted.browsersAlive().length === 1, { message: 'it has a browser' });
    product.kill('SIGUSR2');
    assert.deepEqual(await exited, [1, null]);
    const last = lines.at(-1);
    assert.equal(last?.msg, 'unhandled error; the process ends');
    assert.equal(last?.level, 60);
    assert.equal(last?.err?.message, 'left unhandled on purpose');
    await eventually(() => scripted.browsersAlive().length === 0, { message: 'the browser is gone' });
  } finally {
    product.kill('SIGKILL');
    await exited;
    await observer.redis.flushdb();
    await observer.close();
  }
});
