import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { JobView } from '../../src/contract/command-jobs.js';
import type { OutputOf } from '../../src/contract/operations.js';
import { apiCaller, eventsOf } from '../support/api-caller.js';
import { eventually } from '../support/eventually.js';
import type { Product } from '../support/product.js';
import { readQr, Stage } from '../support/stage.js';
import { JUNE, lidOf, type PageSettings, TODAY } from '../whatsapp-web/index.js';

/** The whole product on today's page, on a page whose keys name their text differently, and on the page of June: a user must see no difference. */
const pages: [string, PageSettings][] = [
  ['today', TODAY],
  ['tomorrow, with keys of another kind', { ...TODAY, keyField: '$2' }],
  ['June', JUNE],
];

const other = '15550002222';

for (const [name, page] of pages) {
  const idOf = (number: string) => (page.lidChats ? lidOf(number) : `${number}@c.us`);

  describe(`on the page of ${name}`, () => {
    let stage: Stage;
    let product: Product;

    before(async () => {
      // Codes change fast, so a batch ends soon. A failure to mark as read fails no send.
      const timing = { firstRefMs: 900, nextRefMs: 700, refsPerBatch: 2 };
      // The page waits for the server at a logout, even on a busy machine.
      const patient = { ...page, logoutDeadlineMs: 60_000 };
      stage = await Stage.open({ page: patient, timing, faults: { seen: 'throws' } });
      product = stage.start();
      await product.post('/api/auth/start');
    });
    after(() => stage.close());

    const call = apiCaller(() => product);

    it('fresh codes come until one is scanned, and the one that is shown can be scanned', async () => {
      await stage.whatsApp.timing.set({ firstRefMs: 900, nextRefMs: 700 });
      await product.until((s) => (s.qr?.number ?? 0) >= 6, 'the third batch of codes');
      await stage.whatsApp.timing.set({ firstRefMs: 60_000 });
      // For a moment the page may show an earlier code, or none.
      const isScanned = async () => {
        const shown = await shownQr();
        return shown !== null && (await stage.whatsApp.phone.scan(shown)).linked;
      };
      await eventually(isScanned, {
        timeoutMs: 60_000,
        message: 'the code that is shown is the current one',
      });
    });

    it('the status is ready, with every capability of the page ok', async () => {
      const { page: reported, last_error } = await product.until((s) => s.ready, 'ready');
      assert.equal(last_error, null);
      assert.equal(reported?.version, page.version);
      assert.equal(reported?.problem, null);
      assert.deepEqual(new Set(Object.values(reported?.capabilities ?? {})), new Set(['ok']));
      const repairs = page.keyField === '_serialized' ? [] : ['message-key', 'refresh-qr'];
      assert.deepEqual(reported?.repairs, repairs);
      const [device] = (await stage.whatsApp.phone.state()).devices;
      assert.equal(device?.name, 'Holdline');
    });

    it('sends by number and by id reach the same chat, each with a message id and an acknowledgement', async () => {
      const first = await call<OutputOf<'send'>>('/api/send', { phone_number: other, message: 'by number' });
      assert.equal(first.status, 200, JSON.stringify(first.body));
      const sent = first.body;
      assert.equal(sent.chat_id, idOf(other));
      assert.equal(sent.to, other);
      const second = await call<OutputOf<'send'>>('/api/send', { chat_id: sent.chat_id, message: 'by id' });
      assert.equal(second.status, 200, JSON.stringify(second.body));
      const received = await stage.whatsApp.phone.received();
      assert.deepEqual(
        received.map(({ id, body, to, times }) => ({ id, body, to, times })),
        [
          { id: sent.message_id, body: 'by number', to: idOf(other), times: 1 },
          { id: second.body.message_id, body: 'by id', to: idOf(other), times: 1 },
        ],
      );
      const acks = await eventsOf(product, 'message_ack', 2);
      assert.ok(acks.some(({ id, ack }) => id === sent.message_id && Number(ack) >= 1));
    });

    it('messages and chats have ids and contacts', async () => {
      await stage.whatsApp.phone.receive({ from: '15550003333', name: 'Ada', body: 'are you there?' });
      const [event] = await eventsOf(product, 'message', 1);
      assert.match(String(event?.id), new RegExp(`^false_${idOf('15550003333')}_`));
      const { lid, ...sender } = (event?.sender ?? {}) as Record<string, unknown>;
      assert.deepEqual(sender, { id: idOf('15550003333'), phone: '15550003333', name: 'Ada' });
      if (page.lidChats) assert.equal(lid, idOf('15550003333'));
      const chats = (await call<OutputOf<'chats'>>('/api/chats')).body;
      assert.ok(chats.count >= 2);
      assert.ok(chats.chats.every(({ id, last_message }) => id !== '' && (last_message?.id ?? '') !== ''));
      assert.equal(chats.chats.find(({ id }) => id === idOf('15550003333'))?.contact?.phone, '15550003333');
      const messages = (await call<OutputOf<'messages'>>(`/api/messages?phone_number=${other}`)).body;
      assert.deepEqual(messages.messages.map(({ body }) => body).sort(), ['by id', 'by number']);
      assert.ok(
        messages.messages.every(({ id, chat_id }) => id.startsWith('true_') && chat_id === idOf(other)),
      );
      const number = (await call<OutputOf<'number'>>('/api/numbers/+1%20555%20000%202222')).body;
      assert.deepEqual(
        [number.exists, number.contact?.id, number.contact?.phone],
        [true, idOf(other), other],
      );
      const nobody = (await call<OutputOf<'number'>>('/api/numbers/15550009999')).body;
      assert.deepEqual([nobody.exists, nobody.contact], [false, null]);
    });

    it('a send that a kill interrupts arrives once and settles as sent', async () => {
      await stage.whatsApp.faults.set({ sendStalls: 'sent' });
      const accepted = await call<JobView>(
        '/api/send',
        { phone_number: other, message: 'cut off' },
        { prefer: 'respond-async' },
      );
      const sent = async () => (await stage.whatsApp.phone.received()).some(({ body }) => body === 'cut off');
      await eventually(sent, { timeoutMs: 30_000, message: 'WhatsApp has it' });
      await stage.killBrowser();
      await stage.whatsApp.faults.set({ sendStalls: false });
      const { id } = accepted.body;
      const job = await eventually(
        async () => {
          const view = (await call<JobView>(`/api/jobs/${id}`)).body;
          return view.status === 'queued' || view.status === 'active' ? null : view;
        },
        { timeoutMs: 60_000, message: 'the send settles' },
      );
      assert.equal(job?.status, 'sent', JSON.stringify(job));
      const times = (await stage.whatsApp.phone.received()).filter(({ body }) => body === 'cut off');
      assert.equal(times.length, 1);
    });

    it('a logout answers unlinked after the server has confirmed it', async () => {
      await product.until((s) => s.ready, 'ready again');
      await stage.whatsApp.timing.set({ unpairMs: 1_000 });
      const answer = await product.post<OutputOf<'logout'>>('/api/logout');
      assert.equal(answer.unlinked, true);
      assert.deepEqual((await stage.whatsApp.phone.state()).devices, []);
    });

    async function shownQr(): Promise<string | null> {
      const image = await product.get('/qr.png');
      return image.status === 200 ? readQr(Buffer.from(await image.arrayBuffer())).text : null;
    }
  });
}
