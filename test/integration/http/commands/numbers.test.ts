import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { keyPrefix } from '../../../../src/contract/keys.js';
import { type CommandStage, startCommandStage } from '../../../support/command-stage.js';
import { eventually } from '../../../support/eventually.js';
import { linkedAccount as account } from '../../../support/held-session.js';

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown> & { readonly error?: Record<string, unknown> };
}

const contact = { id: '98765432101234@lid', phone: '15551234567', lid: '98765432101234@lid', name: 'Grace' };
const found = { ok: true, phone_number: '15551234567', exists: true, contact };

describe('GET /api/numbers/{phone_number}', () => {
  let stage: CommandStage;

  before(async () => {
    stage = await startCommandStage();
  });
  afterEach(() => stage.clear());
  after(() => stage.close());

  async function ask(number: string, prefer = 'wait=30', replica = stage.replica): Promise<Answer> {
    const response = await replica.get(`/api/numbers${number}`, { headers: { prefer } });
    return { status: response.status, body: (await response.json()) as Answer['body'] };
  }

  function assertRefused({ status, body }: Answer, expected: number, code: string): void {
    assert.deepEqual([status, body.error?.code], [expected, code], JSON.stringify(body));
  }

  async function ready() {
    const { run } = await stage.held();
    await run.publish('ready', { account });
    return await stage.consumer({ read: async () => ({ ok: true, output: found }) });
  }

  it('answers who it is on any replica, for every spelling of the number in the path', async () => {
    const { reads } = await ready();
    const written = [
      ...['15551234567', '+1(555)123-4567', '%2B1%20555%20123%204567', '001.555.123.4567'],
      ...['1%2F555%2F1234567', 'tel:+15551234567', '%31%35551234567', '15551234567?phone_number=19998887777'],
    ];
    for (const [i, number] of written.entries()) {
      const answer = await ask(`/${number}`, 'wait=30', i % 2 ? stage.other : stage.replica);
      assert.deepEqual(answer, { status: 200, body: found }, number);
    }
    assert.equal(reads.length, written.length);
    for (const { operation, input } of reads) {
      assert.deepEqual([operation, input], ['number', { phone_number: '15551234567' }]);
    }
  });

  it('answers 200 for a number that is not on WhatsApp', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account });
    const output = { ok: true, phone_number: '15551234567', exists: false, contact: null };
    await stage.consumer({ read: async () => ({ ok: true, output }) });
    assert.deepEqual(await ask('/15551234567'), { status: 200, body: output });
  });

  it('refuses an invalid number before it asks the session worker', async () => {
    const { reads } = await ready();
    const ids = ['98765432101234@lid', '98765432101234%40lid', '15551234567@c.us'];
    const brokenEscapes = ['%zz15551234567', '%ff15551234567', '15551234567%', '%2515551234567'];
    for (const number of ['1234567', 'x', '%00', ...ids, ...brokenEscapes]) {
      assertRefused(await ask(`/${number}`), 400, 'invalid_request');
    }
    for (const path of ['', '/', '/15551234567/', '/1/5551234567']) {
      assertRefused(await ask(path), 404, 'not_found');
    }
    assert.deepEqual(reads, []);
  });

  it('passes on an error of the session worker', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account });
    const message = 'the page of WhatsApp Web (2.3000.1) lacks what a look-up needs';
    await stage.consumer({
      read: async () => ({ ok: false, error: { code: 'not_supported_by_page', message } }),
    });
    const answer = await ask('/15551234567');
    assertRefused(answer, 501, 'not_supported_by_page');
    assert.equal(answer.body.error?.message, message);
  });

  it('waits as every read does, and does not ask a session that cannot become ready', async () => {
    assertRefused(await ask('/15551234567'), 409, 'session_not_started');
    const { run } = await stage.held();
    assertRefused(await ask('/15551234567', 'wait=0'), 503, 'session_not_ready');
    await run.publish('ready', { account });
    assertRefused(await ask('/15551234567', 'wait=1'), 504, 'timeout');
    await eventually(async () => (await stage.redis.keys(`${keyPrefix}:reads-default:r-*`)).length === 0);
  });
});
