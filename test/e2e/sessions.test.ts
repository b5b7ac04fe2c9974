import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Status } from '../../src/contract/status.js';
import { eventually } from '../support/eventually.js';
import { kill } from '../support/processes.js';
import type { Product } from '../support/product.js';
import { readQr, Stage } from '../support/stage.js';

/** Three accounts beside `default`, with real browsers. Each test continues where the one before ended. */
const names = ['sales', 'support', 'third'];
let stage: Stage;
let product: Product;

before(async () => {
  stage = await Stage.open();
  product = stage.start('all');
});
after(() => stage.close());

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await product.get(path, {
    method,
    ...(body === undefined
      ? {}
      : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as T;
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}

const statusOf = (name: string) => call<Status>('GET', `/api/sessions/${name}/status`);

/** Waits until each of the sessions is as wanted. */
async function until(sessions: readonly string[], wanted: (status: Status) => boolean, timeoutMs = 120_000) {
  let seen: Status[] = [];
  await eventually(
    async () => {
      seen = await Promise.all(sessions.map(statusOf));
      return seen.every(wanted);
    },
    { timeoutMs },
  ).catch((error) => {
    throw new Error(JSON.stringify(seen.map(({ state, last_error }) => [state, last_error])), {
      cause: error,
    });
  });
}

async function pngOf(name: string): Promise<Buffer> {
  return Buffer.from(await (await product.get(`/sessions/${name}/qr.png`)).arrayBuffer());
}

test('each session shows a code of its own', async () => {
  await product.runs();
  for (const name of names) await call('PUT', `/api/sessions/${name}`, { metadata: { name }, start: true });
  await until(names, ({ has_qr }) => has_qr);
  const codes = await Promise.all(names.map(async (name) => readQr(await pngOf(name)).text));
  assert.equal(new Set(codes).size, names.length);
  const page = await (await product.get('/sessions/sales/qr')).text();
  assert.ok(page.includes((await pngOf('sales')).toString('base64')));
  assert.match(page, /data-api="\.\.\/\.\.\/api\/sessions\/sales\/"/);
  assert.equal((await product.status()).state, 'stopped', 'default was not started');
  assert.equal((await stage.browsers()).length, names.length);
});

test('each is linked by its own code, and they send apart from each other', async () => {
  for (const name of names) {
    const { text } = readQr(await pngOf(name));
    assert.equal((await stage.whatsApp.phone.scan(text ?? '')).linked, true);
    await until([name], ({ ready }) => ready);
  }
  const { sessions } = await call<{ sessions: { session: string; status: Status }[] }>(
    'GET',
    '/api/sessions',
  );
  assert.deepEqual(
    sessions.map(({ session, status }) => [session, status.state]),
    [['default', 'stopped'], ...names.map((name) => [name, 'ready'])],
  );
  const sent = await Promise.all(
    names.map((name) =>
      call<{ ok: boolean; message_id: string }>('POST', `/api/sessions/${name}/send`, {
        ...{ phone_number: '15557654321', message: `from ${name}` },
      }),
    ),
  );
  assert.equal(new Set(sent.map(({ message_id }) => message_id)).size, names.length);
  const refused = await product.get('/api/send', {
    headers: { 'content-type': 'application/json' },
    ...{ method: 'POST', body: JSON.stringify({ phone_number: '15557654321', message: 'x' }) },
  });
  assert.equal(refused.status, 409, 'default is not started');
});

test('a browser that dies takes no other session with it', async () => {
  const before = await Promise.all(names.map(statusOf));
  const [browser] = (await stage.browsers()).filter(({ commandLine }) =>
    commandLine.includes('session-support'),
  );
  assert.ok(browser);
  kill(browser.pid);
  await until(['support'], ({ ready, incarnation }) => ready && incarnation !== before[1]?.incarnation);
  for (const i of [0, 2]) {
    const status = await statusOf(names[i] ?? '');
    assert.deepEqual([status.state, status.incarnation], ['ready', before[i]?.incarnation]);
  }
});

test('one is deleted while it sends and the others go on: what is under way settles', async () => {
  // WhatsApp has the first message, and the page never says so. The second one waits for the page.
  await stage.whatsApp.faults.set({ sendStalls: 'sent' });
  const send = async (message: string) => {
    const answer = await product.get('/api/sessions/support/send', {
      method: 'POST',
      headers: { 'content-type': 'application/json', prefer: 'wait=60' },
      body: JSON.stringify({ phone_number: '15557654321', message }),
    });
    const { error } = (await answer.json()) as { error?: { code: string; message: string } };
    return [answer.status, error?.code, error?.message];
  };
  const before = product.output.length;
  const accepted = () => product.output.slice(before).split('"send accepted"').length - 1;
  const received = async () =>
    (await stage.whatsApp.phone.received())
      .map(({ body }) => body)
      .filter((body) => body.startsWith('deleted'));
  const underWay = send('deleted: under way');
  await eventually(async () => (await received()).length === 1);
  const behind = send('deleted: behind it');
  await eventually(() => accepted() === 2);
  const { unlinked } = await call<{ unlinked: boolean }>('DELETE', '/api/sessions/support');
  assert.equal(unlinked, true);
  const unknown = 'the send was interrupted, and the login that could show its outcome is gone';
  assert.deepEqual(await underWay, [502, 'whatsapp_error', unknown]);
  const unsent = 'the account was logged out or changed before the message was sent';
  assert.deepEqual(await behind, [409, 'login_required', unsent]);
  assert.deepEqual(await received(), ['deleted: under way']);
  await stage.whatsApp.faults.clear();
  assert.equal((await product.get('/api/sessions/support')).status, 404);
  await until(['sales', 'third'], ({ ready }) => ready);
  await eventually(async () => (await stage.browsers()).length === 2);
  assert.equal((await stage.whatsApp.phone.state()).devices.length, 2);
});

test('all come back after a restart, configured as before and without a scan', async () => {
  // In its first seconds a login is not on the disk (docs/failure-modes.md).
  const ages = await Promise.all(['sales', 'third'].map(statusOf));
  await eventually(() => ages.every(({ updated_at }) => Date.now() - Date.parse(updated_at ?? '') > 6_000), {
    timeoutMs: 20_000,
  });
  assert.equal(await product.end('SIGTERM'), 0);
  await stage.nothingLeft();
  product = stage.start('all');
  const seen = new Set<string>();
  await until(['sales', 'third'], ({ state, ready }) => {
    seen.add(state);
    return ready;
  });
  assert.ok(!seen.has('qr'), [...seen].join());
  const { metadata } = await call<{ metadata: unknown }>('GET', '/api/sessions/sales');
  assert.deepEqual(metadata, { name: 'sales' });
  assert.equal((await product.get('/api/sessions/support')).status, 404, 'what was deleted stays deleted');
});
