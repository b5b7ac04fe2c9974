import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import type { Status } from '../../src/contract/status.js';
import { eventually } from '../support/eventually.js';
import type { Product } from '../support/product.js';
import { kill, readQr, Stage } from '../support/stage.js';

/** What WhatsApp Web's page can do to the session, with the whole product around it. */
let stage: Stage;
let product: Product;

const timing = {
  startDeadlineMs: 8_000,
  syncDeadlineMs: 6_000,
  pageCheckIntervalMs: 500,
  pageCheckTimeoutMs: 2_000,
  readyGraceMs: 500,
  incompatibleRetryMs: 1_500,
  backoffMaxMs: 1_000,
};

before(async () => {
  stage = await Stage.open();
  product = stage.start('all', { WHATSAPP_TIMING: JSON.stringify(timing), WHATSAPP_RESTARTS_MAX: '1000' });
});
after(() => stage.close());

afterEach(async () => {
  await stage.whatsApp.faults.clear();
  await stage.whatsApp.timing.set({ firstRefMs: 60_000, nextRefMs: 20_000 });
  await product.post('/api/logout');
});

async function login(): Promise<Status> {
  await product.post('/api/auth/start');
  await product.until((s) => s.has_qr, 'a QR');
  assert.equal((await stage.whatsApp.phone.scanCurrent()).linked, true);
  return product.until((s) => s.ready, 'ready');
}

async function shownCode(): Promise<string | null> {
  const answer = await product.get('/qr.png');
  return answer.status === 200 ? readQr(Buffer.from(await answer.arrayBuffer())).text : null;
}

test('codes are replaced as WhatsApp issues them, and fresh ones are asked for when it stops', async () => {
  await stage.whatsApp.timing.set({ firstRefMs: 700, nextRefMs: 500, refsPerBatch: 3 });
  await product.post('/api/auth/start');
  const seen = new Set<string>();
  await eventually(
    async () => {
      const code = await shownCode();
      if (code !== null) seen.add(code);
      return seen.size >= 8;
    },
    { timeoutMs: 40_000, message: 'codes of more than two batches' },
  );
  await stage.whatsApp.timing.set({ firstRefMs: 60_000, nextRefMs: 20_000 });
  const { refs } = await stage.whatsApp.phone.state();
  assert.ok(refs.length >= seen.size);
  const status = await product.status();
  assert.equal(status.restarts, 0);
  await eventually(async () => (await shownCode()) === (await stage.whatsApp.phone.currentQr()), {
    timeoutMs: 20_000,
    message: 'the shown code is the one that can be scanned',
  });
  assert.equal((await stage.whatsApp.phone.scanCurrent()).linked, true);
  await product.until((s) => s.ready, 'ready after late scan');
});

test('a page that is synced before the library listens still becomes ready', async () => {
  await stage.whatsApp.faults.set({ alreadySynced: true });
  await product.post('/api/auth/start');
  await stage.whatsApp.phone.scanCurrent();
  const status = await product.until((s) => s.ready, 'ready though the event was missed');
  assert.equal(status.account?.pushname, 'Sam Example');
  assert.equal(status.restarts, 0);
});

test('an iframe and a pushState while the QR is shown double nothing', async () => {
  const before = await product.post<Status>('/api/auth/start');
  await stage.whatsApp.faults.appendIframeNow();
  await stage.whatsApp.faults.pushStateNow();
  await stage.whatsApp.phone.scanCurrent();
  const status = await product.until((s) => s.ready, 'ready');
  assert.equal(before.qr?.number, 1);
  assert.equal(status.restarts, 0);
});

test('an account that never syncs is authenticated, then restarted with the reason', async () => {
  await stage.whatsApp.faults.set({ neverSynced: true });
  await product.post('/api/auth/start');
  await stage.whatsApp.phone.scanCurrent();
  await product.until((s) => s.state === 'authenticated', 'authenticated');
  const status = await product.until((s) => s.last_error !== null, 'the deadline passes');
  assert.match(status.last_error ?? '', /did not sync within 6 s/);
  await stage.whatsApp.faults.clear();
  await product.until((s) => s.ready, 'ready once it syncs');
});

test('a page that hangs is replaced, and the login stays', async () => {
  const ready = await login();
  await stage.whatsApp.faults.hangNow();
  const down = await product.until((s) => !s.ready, 'the hang shows');
  assert.match(down.last_error ?? '', /stopped answering/);
  const up = await product.until((s) => s.ready, 'ready again');
  assert.ok(up.restarts > ready.restarts);
  assert.equal((await stage.browsers()).length, 1);
});

test('a page whose renderer is killed is replaced, and the login stays', async () => {
  await login();
  const renderers = (await stage.processes()).filter(({ commandLine }) =>
    commandLine.includes('--type=renderer'),
  );
  for (const { pid } of renderers) kill(pid);
  const down = await product.until((s) => !s.ready, 'the crash shows');
  assert.match(down.last_error ?? '', /page of WhatsApp Web crashed/);
  await product.until((s) => s.ready, 'ready again');
  assert.equal((await stage.browsers()).length, 1);
});

test('a browser that is frozen is replaced, and the login stays', async () => {
  await login();
  const [browser] = await stage.browsers();
  kill(-(browser?.pid ?? 0), 'SIGSTOP');
  await product.until((s) => !s.ready, 'the freeze shows');
  await product.until((s) => s.ready, 'ready on a new browser');
  assert.equal((await stage.browsers()).length, 1);
});

test('a reload of the page in the middle of a login leads to a code that can be scanned', async () => {
  await stage.whatsApp.faults.set({ reloadAt: { step: 'first-ref' } });
  await product.post('/api/auth/start');
  await stage.whatsApp.faults.clear();
  await eventually(
    async () => {
      const code = await shownCode();
      return code !== null && code === (await stage.whatsApp.phone.currentQr());
    },
    { timeoutMs: 30_000, message: 'a code that can be scanned' },
  );
  await product.until((s) => s.has_qr, 'a QR');
  assert.equal((await stage.whatsApp.phone.scanCurrent()).linked, true);
  await product.until((s) => s.ready, 'ready');
});

test('another browser taking over shows as the reason, and the session comes back', async () => {
  await login();
  await stage.whatsApp.phone.conflict();
  const down = await product.until((s) => s.last_error !== null, 'the conflict shows');
  assert.match(down.last_error ?? '', /another browser took the session over \(CONFLICT\)/);
  await product.until((s) => s.ready, 'ready again');
});

test('an incompatible page says so, keeps the login, and is tried again', async () => {
  await login();
  await product.post('/api/stop');
  await stage.whatsApp.faults.set({ missingModules: ['WAWebSocketModel'] });
  await product.post('/api/auth/start');
  const down = await product.until((s) => s.last_error !== null, 'the mismatch shows');
  assert.match(down.last_error ?? '', /^incompatible WhatsApp Web page: /);
  assert.equal(down.state, 'disconnected');
  await stage.whatsApp.faults.clear();
  const up = await product.until((s) => s.ready, 'ready once the page fits');
  assert.equal(up.account?.wid, '15550001111@c.us');
});

test('a page without its start module or a step to ready is incompatible too', async () => {
  await stage.whatsApp.faults.set({ missingModules: ['WAWebCollections'] });
  await product.post('/api/auth/start');
  await stage.whatsApp.phone.scanCurrent();
  const down = await product.until((s) => s.last_error !== null, 'the mismatch shows');
  assert.match(down.last_error ?? '', /^incompatible WhatsApp Web page: /);
});
