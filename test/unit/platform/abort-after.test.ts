import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { getEventListeners, once } from 'node:events';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { abortAfter } from '../../../src/platform/deadline.js';

test('aborts after its time, or with the other signal, and leaves no timer or listener', async () => {
  const late = abortAfter(10);
  await once(late.signal, 'abort');
  assert.equal((late.signal.reason as Error).name, 'TimeoutError');
  const other = new AbortController();
  const both = abortAfter(60_000, other.signal);
  other.abort('enough');
  assert.equal(both.signal.reason, 'enough');
  assert.equal(abortAfter(60_000, AbortSignal.abort('before')).signal.reason, 'before');
  const running = new AbortController();
  const cleared = abortAfter(60_000, running.signal);
  cleared.clear();
  assert.equal(getEventListeners(running.signal, 'abort').length, 0);
  const timers = process.getActiveResourcesInfo().filter((type) => type === 'Timeout');
  assert.deepEqual(timers, [], 'no timer is left');
});

test('aborts although nothing but its listener is left when garbage is collected', () => {
  const url = new URL('../../../src/platform/deadline.js', import.meta.url);
  const program = `
    const { abortAfter } = await import(${JSON.stringify(url.href)});
    const other = new AbortController();
    await new Promise((done) => {
      abortAfter(100, other.signal).signal.addEventListener('abort', done);
      setTimeout(gc, 20);
      setTimeout(() => process.exit(3), 5_000);
    });
    process.exit(0);`;
  const { status } = spawnSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', program], {
    cwd: resolve('.'),
    timeout: 30_000,
  });
  assert.equal(status, 0);
});
