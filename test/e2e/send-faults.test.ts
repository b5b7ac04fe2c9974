import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import type { JobView } from '../../src/contract/command-jobs.js';
import { eventually } from '../support/eventually.js';
import { kill } from '../support/processes.js';
import type { Product } from '../support/product.js';
import { busyMachineTiming, Stage } from '../support/stage.js';
import { JUNE, type PageSettings, TODAY } from '../whatsapp-web/index.js';

/** A crash of each process at each step of a send: the message arrives exactly once, and the job says so. */
for (const [name, page] of [
  ['today', TODAY],
  ['June', JUNE],
] as const) {
  describe(`on the page of ${name}`, () => crashAtEachStep(page));
}

function crashAtEachStep(page: PageSettings): void {
  let stage: Stage;
  let product: Product;
  let count = 0;

  before(async () => {
    stage = await Stage.open({ page });
    product = start();
    await product.post('/api/auth/start');
    await stage.whatsApp.phone.scanCurrent();
    await product.loginSettled();
  });
  afterEach(() => stage.whatsApp.faults.clear());
  after(() => stage.close());

  /** Each prepares a step and returns a function that waits until the send has reached it. */
  const steps = {
    'before the page is called': async () => {},
    'while the page holds the message': async () => {
      await stage.whatsApp.faults.set({ dropBeforeServer: true });
      const begun = (await stage.whatsApp.phone.state()).sendsBegun;
      return () =>
        eventually(async () => (await stage.whatsApp.phone.state()).sendsBegun > begun, {
          timeoutMs: 60_000,
        });
    },
    'after the server has the message and before the page knows': async () => {
      await stage.whatsApp.faults.set({ ackStalls: true });
      return (body: string) =>
        eventually(async () => (await stage.whatsApp.phone.received()).some((m) => m.body === body), {
          timeoutMs: 60_000,
        });
    },
  } as const;

  const crashes = {
    'the browser is killed': () => stage.killBrowser(),
    'everything is killed': async () => {
      for (const { pid } of await stage.processes()) kill(pid);
      await stage.nothingLeft();
      product = start();
    },
  } as const;

  for (const [step, prepare] of Object.entries(steps)) {
    for (const [crash, inject] of Object.entries(crashes)) {
      test(`${crash} ${step}: the message arrives once, and the job is sent`, async () => {
        const body = `message ${++count}`;
        const reached = await prepare();
        const id = await accept(body);
        await reached?.(body);
        await inject();
        await stage.whatsApp.faults.clear();
        const job = await settled(id);
        assert.equal(job.status, 'sent', JSON.stringify(job));
        const received = (await stage.whatsApp.phone.received()).filter((m) => m.body === body);
        assert.equal(received.length, 1, JSON.stringify(received));
        assert.equal(received[0]?.id, job.result?.message_id);
      });
    }
  }

  for (const [crash, inject] of Object.entries(crashes)) {
    test(`${crash} while eight messages wait for their acknowledgement: each arrives once, in order`, async () => {
      await stage.whatsApp.faults.set({ ackStalls: true });
      const bodies = Array.from({ length: 8 }, () => `message ${++count}`);
      const ids: string[] = [];
      for (const body of bodies) ids.push(await accept(body));
      const received = async () =>
        (await stage.whatsApp.phone.received())
          .map(({ body }) => body)
          .filter((body) => bodies.includes(body));
      await eventually(async () => (await received()).length === bodies.length, { timeoutMs: 60_000 });
      await inject();
      await stage.whatsApp.faults.clear();
      for (const id of ids) assert.equal((await settled(id)).status, 'sent');
      assert.deepEqual(await received(), bodies);
    });
  }

  for (const sendStalls of page === TODAY ? (['unsent', 'sent'] as const) : []) {
    test(`when a send of the page hangs (${sendStalls}) the page is replaced, and the message arrives once`, async () => {
      const body = `message ${++count}`;
      const { restarts } = await product.status();
      await stage.whatsApp.faults.set({ sendStalls });
      const id = await accept(body);
      await product.until((s) => s.restarts > restarts, 'the page is replaced');
      assert.match(product.output, /"lastError":"WhatsApp Web did not finish a send within 5 s"/);
      await stage.whatsApp.faults.clear();
      const job = await settled(id);
      assert.equal(job.status, 'sent', JSON.stringify(job));
      const received = (await stage.whatsApp.phone.received()).filter((m) => m.body === body);
      assert.deepEqual(
        received.map((message) => message.id),
        [job.result?.message_id],
      );
    });
  }

  function start(): Product {
    return stage.start('all', {
      WHATSAPP_TIMING: JSON.stringify({ ...busyMachineTiming, sendHungMs: 5_000 }),
    });
  }

  async function accept(message: string): Promise<string> {
    const accepted = await product.get('/api/send', {
      method: 'POST',
      headers: { 'content-type': 'application/json', prefer: 'respond-async' },
      body: JSON.stringify({ phone_number: '15550002222', message }),
    });
    assert.equal(accepted.status, 202);
    return ((await accepted.json()) as JobView).id;
  }

  function settled(id: string): Promise<JobView> {
    return eventually(
      async () => {
        const answer = await product.get(`/api/jobs/${id}`);
        // The replica may not have reached the restarted Redis yet.
        if (answer.status === 503) return null;
        const view = (await answer.json()) as JobView;
        return view.status === 'queued' || view.status === 'active' ? null : view;
      },
      { timeoutMs: 90_000, message: 'the job settles' },
    ) as Promise<JobView>;
  }
}
