import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Status } from '../../src/contract/status.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { parseMetrics } from '../support/metrics.js';
import type { Product } from '../support/product.js';
import { busyMachineTiming, Stage } from '../support/stage.js';

/** A real browser above a memory ceiling that is far too low: it is replaced once it is old enough and idle. */
let stage: Stage;
let product: Product;
const probePort = await freePort();

before(async () => {
  stage = await Stage.open();
  product = stage.start('all', {
    WHATSAPP_PROBE_PORT: String(probePort),
    WHATSAPP_BROWSER_MEMORY_MB: '64',
    WHATSAPP_TIMING: JSON.stringify({
      ...busyMachineTiming,
      ...{ memoryCheckMs: 300, recycleQuietMs: 500, recycleSpacingMs: 25_000 },
    }),
  });
});
after(() => stage.close());

const metrics = async () => parseMetrics(await (await fetch(`http://127.0.0.1:${probePort}/metrics`)).text());

test('a replaced browser keeps the login, messages sent meanwhile arrive, and no state looks broken', async () => {
  await product.post<Status>('/api/auth/start');
  // The browser may be replaced at any moment once it is ready.
  const [browser] = await stage.browsers();
  await stage.whatsApp.phone.scanCurrent();
  const first = await product.until((s) => s.ready, 'ready');
  await eventually(async () => {
    const measured = await metrics();
    assert.ok((measured.value('holdline_browser_memory_bytes', { kind: 'pss' }) ?? 0) > 64 * 1_048_576);
    assert.ok((measured.value('holdline_browser_memory_bytes', { kind: 'rss' }) ?? 0) > 64 * 1_048_576);
    assert.ok((measured.value('holdline_browser_processes') ?? 0) > 2);
    return true;
  });

  const seen = new Set<string>();
  await product.until((s) => {
    seen.add(s.state);
    return s.incarnation > first.incarnation;
  }, 'the browser is being replaced');
  const timestamp = Math.floor(Date.now() / 1_000);
  await stage.whatsApp.phone.receive({ from: '15550003333', body: 'meanwhile', timestamp });
  const sent = await product.get('/api/send', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ phone_number: '15550002222', message: 'while it was replaced' }),
  });
  assert.equal(sent.status, 200);
  const renewed = await product.until((s) => {
    seen.add(s.state);
    return s.ready;
  }, 'ready again');
  assert.deepEqual(
    [renewed.epoch, renewed.restarts, renewed.last_error, renewed.account],
    [first.epoch, 0, null, first.account],
  );
  assert.ok(!seen.has('qr') && !seen.has('disconnected'), `states seen: ${[...seen]}`);
  const [successor] = await stage.browsers();
  assert.notEqual(successor?.pid, browser?.pid);
  const received = await stage.whatsApp.phone.received();
  assert.deepEqual(
    received.map(({ body, times }) => [body, times]),
    [['while it was replaced', 1]],
  );
  await eventually(async () => {
    const inbox = await (await product.get('/api/messages?phone_number=15550003333')).text();
    assert.match(inbox, /"body":"meanwhile"/);
    return true;
  });
  await eventually(
    async () => ((await metrics()).value('holdline_session_recycles_total', { why: 'memory' }) ?? 0) > 0,
  );
});
