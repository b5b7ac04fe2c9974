import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { after, test } from 'node:test';
import { OperatorError } from '../../../../src/contract/errors.js';
import { startProbeServer } from '../../../../src/supervisor/probe/probe-server.js';
import { eventually } from '../../../support/eventually.js';
import { freePort } from '../../../support/free-port.js';
import { assertNothingLeft } from '../../../support/leftovers.js';
import { Product } from '../../../support/product.js';
import { startRedis } from '../../../support/redis-server.js';
import { SupervisedSession } from '../../../support/supervised-session.js';

const redis = await startRedis();
const supervised = new SupervisedSession(redis);
const supervisor = await supervised.startSupervisor();
const host = '127.0.0.1';
const port = await freePort();
const warnings: string[] = [];
const log = { warn: (text: string) => warnings.push(text), error: () => undefined } as never;
const server = await startProbeServer({ host, port, isGiven: true }, supervisor, log);

after(async () => {
  await server.stop();
  await supervised.close();
  await redis.stop();
  await assertNothingLeft();
});

const probe = (path: string, init?: RequestInit) =>
  fetch(`http://${host}:${port}${path}`, { signal: AbortSignal.timeout(10_000), ...init });

async function unreadiness(): Promise<string | null> {
  const answer = await probe('/readyz');
  const body = (await answer.json()) as { ok?: true; error?: { code: string; message: string } };
  assert.equal(answer.status, body.error === undefined ? 200 : 503);
  return body.error?.message ?? null;
}

test('a registered supervisor with Redis and a browser is ready', async () => {
  await eventually(async () => (await unreadiness()) === null);
  assert.deepEqual(await (await probe('/livez')).json(), { ok: true });
  const metrics = await probe('/metrics');
  assert.match(metrics.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  await eventually(async () => /^holdline_supervisors 1$/m.test(await (await probe('/metrics')).text()));
});

test('the probe server has no other routes', async () => {
  assert.equal((await probe('/api/status')).status, 404);
  const refused = await probe('/metrics', { method: 'POST' });
  assert.deepEqual([refused.status, refused.headers.get('allow')], [405, 'GET, HEAD']);
});

test('a supervisor whose browser cannot start is not ready, and says why', async () => {
  chmodSync(supervised.scripted.browserExecutable, 0o644);
  await eventually(async () =>
    /^the browser .* is not an executable file$/.test((await unreadiness()) ?? ''),
  );
  chmodSync(supervised.scripted.browserExecutable, 0o755);
  await eventually(async () => (await unreadiness()) === null);

  supervised.scripted.setBrowsers('fails to start');
  await supervised.observer.start();
  await eventually(async () => /^the browser does not start: /.test((await unreadiness()) ?? ''));
  supervised.scripted.setBrowsers('normal');
  await eventually(async () => (await unreadiness()) === null);
});

test('a supervisor without Redis is live and not ready, and recovers', async () => {
  redis.signal('SIGSTOP');
  try {
    await eventually(async () => (await unreadiness()) !== null);
    assert.equal((await probe('/livez')).status, 200);
  } finally {
    redis.signal('SIGCONT');
  }
  await eventually(async () => (await unreadiness()) === null);
});

test('a port in use is an error if it was configured, and skipped if it was not', async () => {
  await assert.rejects(startProbeServer({ host, port, isGiven: true }, supervisor, log), (error: unknown) => {
    assert.ok(error instanceof OperatorError);
    assert.equal(
      error.message,
      `WHATSAPP_PROBE_PORT: 127.0.0.1:${port} is in use; set it to another port, or to 0 for none`,
    );
    return true;
  });
  const without = await startProbeServer({ host, port, isGiven: false }, supervisor, log);
  assert.equal(without.port, null);
  assert.match(warnings.join(), /is in use; .*; continuing without probes and metrics of this supervisor$/);
  const unwanted = await startProbeServer({ host, port: 0, isGiven: true }, supervisor, log);
  assert.equal(unwanted.port, null);
});

test('the product ends with exit code 78 and the sentence', async () => {
  const product = new Product('supervisor', {
    REDIS_URL: redis.url,
    WHATSAPP_AUTH_DIR: supervised.authDir,
    WHATSAPP_CHROME_EXECUTABLE: supervised.scripted.browserExecutable,
    WHATSAPP_PROBE_PORT: String(port),
  });
  assert.equal(await product.exited(), 78);
  assert.match(
    product.output,
    new RegExp(`^holdline: WHATSAPP_PROBE_PORT: 127.0.0.1:${port} is in use; `, 'm'),
  );
});
