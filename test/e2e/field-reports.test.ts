import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { JobView } from '../../src/contract/command-jobs.js';
import type { OutputOf } from '../../src/contract/operations.js';
import { type Ignore, unconfigured } from '../../src/contract/session-record.js';
import type { Status } from '../../src/contract/status.js';
import type { Message } from '../../src/contract/whatsapp.js';
import { apiCaller, eventsOf } from '../support/api-caller.js';
import { listenToEvents } from '../support/event-client.js';
import { eventually } from '../support/eventually.js';
import type { Product } from '../support/product.js';
import { Stage } from '../support/stage.js';
import { lidOf } from '../whatsapp-web/index.js';

/** Problems that users report of gateways like this one, and their variants, through the whole product on today's page. */
let stage: Stage;
let product: Product;
const call = apiCaller(() => product);

before(async () => {
  stage = await Stage.open();
  product = stage.start();
  await product.post('/api/auth/start');
  await stage.whatsApp.phone.scanCurrent();
  await product.until((s) => s.ready, 'ready');
});
after(() => stage.close());

const faults = (settings: Parameters<typeof stage.whatsApp.faults.set>[0]) =>
  stage.whatsApp.faults.set(settings);

async function sendTo(phone_number: string, message: string) {
  return call<OutputOf<'send'>>('/api/send', { phone_number, message });
}

async function bodiesAtServer(): Promise<string[]> {
  return (await stage.whatsApp.phone.received()).map(({ body }) => body);
}

/** Has a message arrive and waits for its event: by then the page has it, and all that came before it. */
async function untilReported(text: string, arrive: () => Promise<unknown>): Promise<void> {
  const listener = await listenToEvents(await product.url(), { query: '?types=message' });
  await arrive();
  const isReported = () => listener.events.some(({ body }) => (body.data as Message).body === text);
  await eventually(isReported, { message: `an event of "${text}"` }).finally(() => listener.close());
}

/** Kills the browser and waits until the next one is ready. */
async function readyAnew({ incarnation }: Status, message: string): Promise<Status> {
  await stage.killBrowser();
  return product.until((s) => s.ready && s.incarnation > incarnation, message);
}

// Brazil's ninth digit, Mexico's 1 and Argentina's 9: people dial a number that WhatsApp writes in another way.
for (const [dialled, actual] of [
  ['5585988887777', '558588887777'],
  ['5215512345678', '525512345678'],
  ['5491123456789', '541123456789'],
] as const) {
  test(`a message to ${dialled} goes to the id that WhatsApp returns for it, and is read from there`, async () => {
    await stage.whatsApp.directory.add(dialled, actual);
    const sent = await sendTo(dialled, `to ${dialled}`);
    assert.equal(sent.status, 200, JSON.stringify(sent.body));
    assert.equal(sent.body.chat_id, lidOf(actual));
    assert.equal((await stage.whatsApp.phone.received()).at(-1)?.to, lidOf(actual));
    const read = await call<OutputOf<'messages'>>(`/api/messages?phone_number=${dialled}`);
    assert.deepEqual([read.body.chat.id, read.body.messages.at(-1)?.body], [lidOf(actual), `to ${dialled}`]);
  });
}

test('a phone_number with letters or an id in it is refused; an id goes into chat_id', async () => {
  await stage.whatsApp.phone.receive({ from: '15550004444', body: 'hello' });
  const from = String((await eventsOf(product, 'message', 1)).at(-1)?.from);
  assert.equal(from, lidOf('15550004444'));
  assert.equal((await sendTo(from, 'x')).status, 400);
  assert.equal((await sendTo('15557770003 ext 12', 'x')).status, 400);
  const sent = await call<OutputOf<'send'>>('/api/send', { chat_id: from, message: 'answered' });
  assert.deepEqual([sent.status, sent.body.chat_id, sent.body.to], [200, from, '15550004444']);
  const unknown = await call<OutputOf<'messages'>>('/api/messages?chat_id=123456789@g.us');
  assert.equal(unknown.status, 404);
});

test('a list of chats makes no request for group metadata', async () => {
  await stage.whatsApp.phone.fill({ chats: 40, groups: 300 });
  const { groupQuestions } = await stage.whatsApp.phone.state();
  const list = () => call<OutputOf<'chats'>>('/api/chats?limit=100');
  await eventually(async () => (await list()).body.count === 100, { message: 'the page has the chats' });
  for (const groupMetadata of ['refused', 'hangs'] as const) {
    await faults({ groupMetadata });
    const listed = await list();
    assert.equal(listed.status, 200, groupMetadata);
    assert.equal(listed.body.count, 100);
    assert.ok(listed.body.chats.some(({ is_group }) => is_group));
  }
  await faults({ groupMetadata: null });
  assert.equal((await stage.whatsApp.phone.state()).groupQuestions, groupQuestions);
});

test('a malformed chat does not fail the list', async () => {
  await stage.whatsApp.phone.unusualChat('15550005551', { lastReceivedKey: {}, serializeThrows: true });
  await stage.whatsApp.phone.unusualChat('15550005552', {
    formattedTitle: 7,
    unreadCount: 'many',
    t: 'late',
  });
  await stage.whatsApp.phone.unusualChat('15550005553', {}, ['msgs']);
  const listed = await call<OutputOf<'chats'>>('/api/chats?limit=100');
  assert.equal(listed.status, 200, JSON.stringify(listed.body));
  assert.equal(listed.body.count, 100);
});

test('a group is sent to and read by its id', async () => {
  const group = '120363000000000001@g.us';
  await stage.whatsApp.phone.setChat(group, { name: 'Tea', participants: ['15550002222'] });
  await untilReported('who is in?', () =>
    stage.whatsApp.phone.receive({ from: '15550002222', chat: group, body: 'who is in?' }),
  );
  const sent = await call<OutputOf<'send'>>('/api/send', { chat_id: group, message: 'me' });
  assert.deepEqual([sent.status, sent.body.chat_id, sent.body.to], [200, group, group]);
  const read = await call<OutputOf<'messages'>>(`/api/messages?chat_id=${group}`);
  assert.deepEqual(
    read.body.messages.map(({ body, sender }) => [body, sender?.phone]),
    [
      ['who is in?', '15550002222'],
      ['me', '15550001111'],
    ],
  );
  assert.equal(read.body.chat.contact, null);
});

test('neither a malformed message nor a failed load of earlier ones fails a read', async () => {
  const from = '15550006661';
  await stage.whatsApp.phone.receive({ from, body: 'well' });
  await stage.whatsApp.phone.unusualMessage(from, { id: null });
  await stage.whatsApp.phone.unusualMessage(from, { body: { thumbnail: true } }, ['t']);
  await untilReported('well again', () => stage.whatsApp.phone.receive({ from, body: 'well again' }));
  await faults({ loadEarlierThrows: true });
  const read = await call<OutputOf<'messages'>>(`/api/messages?phone_number=${from}&limit=50`);
  await faults({ loadEarlierThrows: false });
  assert.equal(read.status, 200, JSON.stringify(read.body));
  const bodies = read.body.messages.map(({ body }) => body);
  assert.ok(bodies.includes('well') && bodies.includes('well again'), JSON.stringify(bodies));
  assert.equal(read.body.count, 4);
});

test('a send succeeds although marking as read or the link preview fails or hangs', async () => {
  const to = '15550006662';
  for (const fault of [
    { seen: 'throws' },
    { seen: 'hangs' },
    { preview: 'throws' },
    { preview: 'hangs' },
  ] as const) {
    await stage.whatsApp.phone.receive({ from: to, body: 'unread' });
    await faults({ seen: null, preview: null, ...fault });
    const message = `${JSON.stringify(fault)} https://example.org`;
    const sent = await sendTo(to, message);
    assert.equal(sent.status, 200, JSON.stringify(sent.body));
    assert.equal((await bodiesAtServer()).filter((body) => body === message).length, 1);
  }
  await stage.whatsApp.faults.clear();
});

test('a send marks the chat as read unless mark_seen is false', async () => {
  const from = '15550006663';
  const unread = async () =>
    (await stage.whatsApp.phone.chats()).find(({ id }) => id === lidOf(from))?.unreadCount;
  await stage.whatsApp.phone.receive({ from, body: 'unread' });
  await call('/api/send', { phone_number: from, message: 'unseen', mark_seen: false });
  assert.equal(await unread(), 1);
  await sendTo(from, 'seen');
  await eventually(async () => (await unread()) === 0, { message: 'it is read' });
});

test('a number whose look-up hangs delays no other number', async () => {
  await faults({ lookupHangs: ['15550007771'] });
  const hanging = await Promise.all(
    Array.from({ length: 40 }, (_, i) =>
      call<JobView>(
        '/api/send',
        { phone_number: '15550007771', message: `hangs ${i}` },
        { prefer: 'respond-async' },
      ),
    ),
  );
  assert.ok(hanging.every(({ status }) => status === 202));
  for (const to of ['15550007772', '15550007773']) {
    const sent = await sendTo(to, `meanwhile to ${to}`);
    assert.equal(sent.status, 200, JSON.stringify(sent.body));
  }
  await stage.whatsApp.faults.clear();
});

test('a slow link preview is given up, and the message is sent once', async () => {
  await faults({ previewMs: 40_000 });
  const message = 'slow https://example.org/page';
  const sent = await sendTo('15550007774', message);
  assert.equal(sent.status, 200, JSON.stringify(sent.body));
  await stage.whatsApp.faults.clear();
  const received = (await stage.whatsApp.phone.received()).filter(({ body }) => body === message);
  assert.deepEqual(
    received.map(({ times }) => times),
    [1],
  );
});

test('the body of a location, image or poll is its name, caption or question, never a thumbnail', async () => {
  const from = '15550008881';
  const thumbnail = '/9j/4AAQSkZJRgABAQAAAQABAAD'.repeat(240);
  await stage.whatsApp.phone.receive({ from, body: 'first' });
  await stage.whatsApp.phone.unusualMessage(from, {
    type: 'location',
    body: thumbnail,
    loc: 'Town hall',
    lat: 1,
    lng: 2,
  });
  await stage.whatsApp.phone.unusualMessage(from, { type: 'image', body: thumbnail });
  await untilReported('Tea?', () =>
    stage.whatsApp.phone.unusualMessage(from, { type: 'poll_creation', body: '', pollName: 'Tea?' }),
  );
  const read = await call<OutputOf<'messages'>>(`/api/messages?phone_number=${from}`);
  assert.deepEqual(
    read.body.messages.map(({ body }) => body),
    ['first', 'Town hall', '', 'Tea?'],
  );
});

test('stories and channels are no events', async () => {
  const listener = await listenToEvents(await product.url(), { query: '?types=message' });
  await stage.whatsApp.phone.receive({ from: '15550008882', chat: 'status@broadcast', body: 'a story' });
  await stage.whatsApp.phone.receive({
    from: '15550008882',
    chat: '120363000000000009@newsletter',
    body: 'a post',
  });
  await stage.whatsApp.phone.receive({ from: '15550008882', body: 'after both' });
  const bodies = () => listener.events.map(({ body }) => (body.data as Message).body);
  await eventually(() => bodies().includes('after both'), { message: 'the message after them' });
  listener.close();
  assert.deepEqual(bodies(), ['after both']);
  const listed = await call<OutputOf<'chats'>>('/api/chats?limit=100');
  assert.ok(listed.body.chats.every(({ id }) => id !== 'status@broadcast'));
});

test('stories and channels are events where they are configured, and groups are none', async () => {
  const [from, group] = ['15550008882', '120363000000000019@g.us'];
  const restartWith = async (ignore: Ignore) => {
    const response = await fetch(`${await product.url()}/api/sessions/default`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ignore }),
    });
    assert.equal(response.status, 200);
    await product.post('/api/stop');
    await product.post('/api/auth/start');
    await product.until((s) => s.ready, 'ready again');
  };
  await stage.whatsApp.phone.setChat(group, { name: 'Team', participants: [from] });
  await restartWith({ stories: false, channels: false, groups: true });
  const listener = await listenToEvents(await product.url(), { query: '?types=message' });
  await stage.whatsApp.phone.receive({ from, chat: 'status@broadcast', body: 'a story' });
  await stage.whatsApp.phone.receive({ from, chat: '120363000000000009@newsletter', body: 'a post' });
  await stage.whatsApp.phone.receive({ from, chat: group, body: 'in a group' });
  await stage.whatsApp.phone.receive({ from, body: 'after all' });
  const told = () =>
    listener.events.map(({ body }) => body.data as Message).map(({ type, body }) => [type, body]);
  await eventually(() => told().some(([, body]) => body === 'after all'), {
    message: 'the message after them',
  });
  listener.close();
  assert.deepEqual(told(), [
    ['story_chat', 'a story'],
    ['channel_chat', 'a post'],
    ['chat', 'after all'],
  ]);
  await restartWith(unconfigured.ignore);
});

for (const [count, chats] of [
  [1_500, 1],
  [10_000, 100],
] as const) {
  test(`${count} messages at once in ${chats} chats are one event each, without a restart`, async () => {
    const before = await product.status();
    const listener = await listenToEvents(await product.url(), { query: '?types=message' });
    const ids = new Set(await stage.whatsApp.phone.mass(count, chats));
    const mine = () =>
      listener.events.map(({ body }) => String((body.data as Message).id)).filter((id) => ids.has(id));
    await eventually(() => mine().length >= count, {
      timeoutMs: 90_000,
      message: 'an event of each message',
    });
    listener.close();
    assert.deepEqual([mine().length, new Set(mine()).size], [count, count]);
    const { ready, restarts, incarnation } = await product.status();
    assert.deepEqual([ready, restarts, incarnation], [true, before.restarts, before.incarnation]);
  });
}

test('an account with a field of an unexpected type becomes ready', async () => {
  await faults({ unusualConn: { pushname: 5, platform: null } });
  const { account } = await readyAnew(await product.loginSettled(), 'ready with an odd field');
  assert.equal(account?.wid, '15550001111@c.us');
  assert.equal(account?.pushname, null);
  await stage.whatsApp.faults.clear();
});

test('a number that the page has revealed once is reported from then on, even after the page has forgotten it', async () => {
  const hidden = '15550009001';
  await stage.whatsApp.directory.hideNumber(hidden);
  await untilReported('who am I?', () => stage.whatsApp.phone.receive({ from: hidden, body: 'who am I?' }));
  const read = async () => {
    const { body } = await call<OutputOf<'messages'>>(`/api/messages?chat_id=${lidOf(hidden)}`);
    return [body.chat.contact?.phone, body.messages.at(-1)?.sender?.phone];
  };
  assert.deepEqual(await read(), [null, null]);
  const found = await call<OutputOf<'number'>>(`/api/numbers/${hidden}`);
  assert.deepEqual([found.body.contact?.id, found.body.contact?.phone], [lidOf(hidden), hidden]);
  const before = await product.loginSettled();
  await stage.whatsApp.directory.hideNumber(hidden);
  await readyAnew(before, 'ready on a page that knows nothing');
  assert.deepEqual(await read(), [hidden, hidden]);
});

test('the status says what the page lacks after it has reloaded by itself, and again that it lacks nothing', async () => {
  const { incarnation } = await product.loginSettled();
  const reloadWith = async (missing: string[]) => {
    await stage.whatsApp.page.set({ missing });
    await stage.whatsApp.faults.reloadNow();
  };
  const isMessages = (level: string) => (s: Status) => s.ready && s.page?.capabilities.messages === level;
  await reloadWith(['WAWebChatLoadMessages']);
  const { page } = await product.until(isMessages('degraded'), 'the status of the reloaded page');
  assert.match(page?.problem ?? '', /WAWebChatLoadMessages/);
  await reloadWith([]);
  const mended = await product.until(isMessages('ok'), 'the status of the mended page');
  assert.deepEqual([mended.page?.problem, mended.incarnation], [null, incarnation]);
});
