import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { JobView } from '../../src/contract/command-jobs.js';
import type { OutputOf } from '../../src/contract/operations.js';
import { eventually } from '../support/eventually.js';
import type { Product } from '../support/product.js';
import { Stage } from '../support/stage.js';
import { lidOf } from '../whatsapp-web/index.js';

/** Reads and sends through the whole product and the real client, against a stand-in for WhatsApp. */
let stage: Stage;
let product: Product;

before(async () => {
  stage = await Stage.open();
  product = stage.start('all', { WHATSAPP_LOG_LEVEL: 'debug' });
  await product.runs();
});
after(() => stage.close());

async function call(path: string, body?: unknown, headers: Record<string, string> = {}) {
  const response = await product.get(path, {
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    headers: { 'content-type': 'application/json', ...headers },
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as never };
}

const other = '+1 (555) 000-2222';
const otherId = lidOf('15550002222');

test('a pairing code starts the session and links the phone without a QR', async () => {
  const answer = await call('/api/pairing-code', { phone_number: '+1 555 000 1111' });
  assert.equal(answer.status, 200);
  const { already_authenticated, phone_number, code } = answer.body as Record<string, unknown>;
  assert.equal(already_authenticated, false);
  assert.equal(phone_number, '15550001111');
  assert.match(String(code), /^[A-Z0-9]{8}$/);
  assert.equal((await stage.whatsApp.phone.enterCode(String(code))).linked, true);
  await product.until((s) => s.ready, 'ready by code');
  const again = await call('/api/pairing-code', { phone_number: '+1 555 000 1111' });
  assert.equal((again.body as { already_authenticated: boolean }).already_authenticated, true);
});

test('a send is answered once WhatsApp has the message, unchanged', async () => {
  const message = 'Grüße\n🙂 second line';
  const answer = await call('/api/send', { phone_number: other, message });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  const sent = answer.body as OutputOf<'send'>;
  assert.equal(sent.to, '15550002222');
  assert.equal(sent.chat_id, otherId);
  const received = await stage.whatsApp.phone.received();
  assert.deepEqual(
    received.map(({ id, body, times }) => ({ id, body, times })),
    [{ id: sent.message_id, body: message, times: 1 }],
  );
});

test('messages are sent in the order in which they were accepted', async () => {
  const bodies = Array.from({ length: 10 }, (_, i) => `number ${i}`);
  const jobs: JobView[] = [];
  for (const message of bodies) {
    const answer = await call('/api/send', { phone_number: other, message }, { prefer: 'respond-async' });
    assert.equal(answer.status, 202);
    jobs.push(answer.body);
  }
  for (const { id } of jobs) {
    const settled = await call(`/api/send`, { phone_number: other, message: `flush ${id}` });
    assert.equal(settled.status, 200);
    // A later message was answered, so WhatsApp has this one; its acknowledgement may come a moment later.
    const isOver = async () => {
      const { status } = (await call(`/api/jobs/${id}`)).body as JobView;
      return status === 'queued' || status === 'active' ? null : status;
    };
    assert.equal(await eventually(isOver), 'sent');
  }
  const received = (await stage.whatsApp.phone.received()).map(({ body }) => body);
  assert.deepEqual(
    received.filter((body) => body.startsWith('number')),
    bodies,
  );
});

test('requests with the same Idempotency-Key send one message', async () => {
  const body = { phone_number: other, message: 'once' };
  const answers = await Promise.all(
    [1, 2, 3].map(() => call('/api/send', body, { 'idempotency-key': 'k1' })),
  );
  assert.deepEqual(new Set(answers.map(({ body }) => (body as OutputOf<'send'>).message_id)).size, 1);
  const replay = await call('/api/send', body, { 'idempotency-key': 'k1' });
  assert.equal(replay.headers.get('idempotent-replayed'), 'true');
  const conflict = await call('/api/send', { ...body, message: 'twice' }, { 'idempotency-key': 'k1' });
  assert.equal(conflict.status, 409);
  const received = (await stage.whatsApp.phone.received()).filter(
    ({ body }) => body === 'once' || body === 'twice',
  );
  assert.equal(received.length, 1);
});

test('a number that is not on WhatsApp answers 422, to a send and to a read', async () => {
  for (const path of ['/api/send', '/api/messages']) {
    const body =
      path === '/api/send' ? { phone_number: '15550009999', message: 'x' } : { phone_number: '15550009999' };
    const answer = await call(path, body);
    assert.equal(answer.status, 422, path);
    assert.equal((answer.body as { error: { code: string } }).error.code, 'not_on_whatsapp');
  }
});

test('an incoming message is an event, and shows in the chat list and in the messages', async () => {
  const abort = new AbortController();
  const stream = await product.get('/api/events?types=message', { signal: abort.signal });
  const reader = (stream.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
  // A second later than the sent messages: WhatsApp orders by whole seconds.
  const timestamp = Math.floor(Date.now() / 1000) + 1;
  await stage.whatsApp.phone.receive({ from: '15550003333', body: 'are you there?', timestamp });
  let text = '';
  let line: string | undefined;
  // Reads on to a whole line of this event: a chunk may end anywhere, and another event may come first.
  while (line === undefined) {
    text += (await reader.read()).value ?? '';
    line = /^data: (.*are you there\?.*)\n/m.exec(text)?.[1];
  }
  abort.abort();
  const event = JSON.parse(line);
  assert.equal(event.type, 'message');
  assert.equal(event.data.from_me, false);

  const chats = (await call('/api/chats?limit=2')).body as OutputOf<'chats'>;
  assert.equal(chats.count, 2);
  assert.equal(chats.chats[0]?.id, lidOf('15550003333'));
  assert.equal(chats.chats[0]?.last_message?.body, 'are you there?');
  const messages = (await call('/api/messages?phone_number=15550002222&limit=3'))
    .body as OutputOf<'messages'>;
  assert.equal(messages.count, 3);
  assert.ok(messages.messages.every(({ from_me }) => from_me));
  assert.deepEqual((await stage.whatsApp.phone.state()).unknownModules, []);
});

test('reads and sends wait through a restart of the session', async () => {
  await product.loginSettled();
  await stage.killBrowser();
  const [chats, sent] = await Promise.all([
    call('/api/chats'),
    call('/api/send', { phone_number: other, message: 'through a restart' }),
  ]);
  assert.equal(chats.status, 200);
  assert.equal(sent.status, 200);
  const received = (await stage.whatsApp.phone.received()).filter(({ body }) => body === 'through a restart');
  assert.equal(received.length, 1);
});

test('a read that WhatsApp does not answer does not delay a send', async () => {
  await stage.whatsApp.faults.set({ lookupHangs: ['15550003333'] });
  let isRead = false;
  const read = call('/api/messages?phone_number=15550003333').finally(() => {
    isRead = true;
  });
  const sent = await call('/api/send', { phone_number: other, message: 'meanwhile' });
  assert.equal(sent.status, 200);
  assert.equal(isRead, false, 'the read is still under way');
  assert.equal((await read).status, 504);
  await stage.whatsApp.faults.clear();
});

test('a reaction stays on the message until another replaces it or it is removed', async () => {
  const { id } = await stage.whatsApp.phone.receive({ from: other, body: 'do you like it?' });
  const react = (emoji: string, messageId = id) =>
    call(`/api/messages/${encodeURIComponent(messageId)}/react`, { emoji });
  for (const emoji of ['👍', '👍', '❤️']) {
    const { status, body } = await react(emoji);
    assert.deepEqual([status, body], [200, { ok: true }]);
    assert.deepEqual(await stage.whatsApp.phone.reactions(), { [id]: emoji });
  }
  assert.equal((await react('')).status, 200);
  assert.deepEqual(await stage.whatsApp.phone.reactions(), {});
  for (const unknown of ['nonsense', `false_${otherId}_3EB0000000000000000A`]) {
    const { status, body } = await react('👍', unknown);
    assert.deepEqual([status, (body as { error: { code: string } }).error.code], [404, 'message_not_found']);
  }
  await stage.whatsApp.faults.set({ reaction: 'throws' });
  const refused = await react('👍');
  assert.equal(refused.status, 502);
  assert.match(JSON.stringify(refused.body), /WhatsApp Web failed: a fault of the page/);
  await stage.whatsApp.faults.clear();
});

test('every log line of a request has its id, and no log has a message text or a phone number', async () => {
  const message = 'words that no log may hold';
  const send = await call('/api/send', { phone_number: other, message }, { 'x-request-id': 'follow-send' });
  assert.equal(send.status, 200);
  await call('/api/chats?limit=1', undefined, { 'x-request-id': 'follow-read' });

  type Line = { msg: string; requestId?: string; part?: string; operation?: string; jobId?: string };
  const lines = () =>
    product.output
      .split('\n')
      // The last line may be incomplete.
      .slice(0, -1)
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Line);
  const followed = (id: string) =>
    lines()
      .filter(({ requestId }) => requestId === id)
      .map(({ msg, part, operation }) => [part ?? 'main', msg, operation].filter(Boolean).join(': '));
  const thread = (operation: string) => `session-worker: command carried out: ${operation}`;
  // Supervisor, HTTP and session worker write independently: only the lines of the thread have an order.
  const follows = async (id: string, steps: string[], around: string[]) => {
    await eventually(() => followed(id).length >= steps.length + around.length);
    const isOfThread = (line: string) => line.startsWith('session-worker');
    const found = followed(id);
    assert.deepEqual(found.filter(isOfThread), steps);
    assert.deepEqual(found.filter((line) => !isOfThread(line)).sort(), around);
  };
  const sendAround = ['main: request', 'main: send accepted', 'main: send settled'];
  await follows('follow-send', ['prepareSend', 'sendTexts', 'untilAcked'].map(thread), sendAround);
  const readAround = ['main: read asked: chats', 'main: read settled: chats', 'main: request'];
  await follows('follow-read', [thread('chats')], readAround);
  const jobs = lines().filter(({ requestId, jobId }) => requestId === 'follow-send' && jobId !== undefined);
  assert.equal(new Set(jobs.map(({ jobId }) => jobId)).size, 1);
  assert.doesNotMatch(product.output, /words that no log may hold|15550002222|15550001111/);
});

test('a logout fails the messages that wait to be sent, with account_changed', async () => {
  // The page never starts the second.
  await stage.whatsApp.faults.set({ sendStalls: 'unsent' });
  const first = await call('/api/send', { phone_number: other, message: 'a' }, { prefer: 'respond-async' });
  const second = await call('/api/send', { phone_number: other, message: 'b' }, { prefer: 'respond-async' });
  assert.deepEqual([first.status, second.status], [202, 202]);
  await product.post('/api/logout');
  const { body } = await call(`/api/jobs/${(second.body as JobView).id}`);
  assert.equal((body as JobView).status, 'failed');
  assert.equal((body as JobView).error?.code, 'account_changed');
  const refused = await call('/api/send', { phone_number: other, message: 'c' });
  assert.equal(refused.status, 409);
});
