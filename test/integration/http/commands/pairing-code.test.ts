import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import type { ReadOutcome } from '../../../../src/contract/command-jobs.js';
import { keyPrefix } from '../../../../src/contract/keys.js';
import { deferred } from '../../../../src/platform/deadline.js';
import { type CommandStage, startCommandStage } from '../../../support/command-stage.js';
import { eventually } from '../../../support/eventually.js';
import { linkedAccount as account } from '../../../support/held-session.js';
import type { CommandScript } from '../../../support/scripted-commands.js';
import { showQrUntilAsked, startOwner } from '../../../support/scripted-owner.js';
import { assertError, type SendAnswer } from '../../../support/send-client.js';

const expires_at = '2026-01-01T10:03:05.000Z';
const code: ReadOutcome = { ok: true, output: { code: 'ABCD1234', expires_at } };

describe('POST /api/pairing-code', () => {
  let stage: CommandStage;

  before(async () => {
    stage = await startCommandStage();
  });
  afterEach(() => stage.clear());
  after(() => stage.close());

  const consumer = (script: CommandScript = {}) => stage.consumer({ read: async () => code, ...script });

  async function pair(prefer = 'wait=30', on = stage.replica): Promise<SendAnswer> {
    const response = await on.post('/api/pairing-code', {
      headers: { 'content-type': 'application/json', prefer },
      body: JSON.stringify({ phone_number: '+1 555 123 4567' }),
    });
    const body = (await response.json()) as SendAnswer['body'];
    return { status: response.status, headers: response.headers, body };
  }

  const waitingReads = () => stage.redis.keys(`${keyPrefix}:reads-default:r-*`);
  const untilNothingWaits = () => eventually(async () => (await waitingReads()).length === 0);

  it('answers the code with the pinned instructions while the session waits for a login', async () => {
    const { run } = await stage.held();
    await run.publish('qr', { qrText: 'a code' });
    const { reads } = await consumer();
    const answer = await pair();
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    assert.deepEqual(answer.body, {
      already_authenticated: false,
      phone_number: '15551234567',
      code: 'ABCD1234',
      instructions: 'WhatsApp -> Linked devices -> Link a device -> Link with phone number instead',
      expires_at,
    });
    assert.deepEqual(reads[0]?.input, { phone_number: '15551234567' });
  });

  it('answers the code of a supervisor of an earlier version, which does not say when it expires', async () => {
    const { run } = await stage.held();
    await run.publish('qr', { qrText: 'a code' });
    await consumer({ read: async () => ({ ok: true, output: { code: 'ABCD1234' } }) });
    const { body } = await pair();
    assert.deepEqual([body.code, body.expires_at], ['ABCD1234', null]);
  });

  it('starts a session that was never started', async () => {
    const owner = await startOwner(stage.server.url, showQrUntilAsked);
    stage.open.push(owner);
    await consumer();
    const [one, two] = await Promise.all([pair('wait=60'), pair('wait=60', stage.other)]);
    assert.deepEqual([one.body.code, two.body.code], ['ABCD1234', 'ABCD1234']);
    assert.equal(owner.runs.length, 1);
  });

  it('starts a session that was stopped', async () => {
    await stage.held();
    await stage.replica.post('/api/stop');
    const owner = await startOwner(stage.server.url, showQrUntilAsked);
    stage.open.push(owner);
    await stage.open.shift()?.close();
    await consumer();
    assert.equal((await pair('wait=60')).body.code, 'ABCD1234');
  });

  it('answers that the account is already linked, with the status', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account });
    const { body } = await pair();
    assert.deepEqual(Object.keys(body), ['already_authenticated', 'code', 'status']);
    assert.deepEqual([body.already_authenticated, body.code], [true, null]);
    assert.deepEqual(body.status, await stage.replica.status());
  });

  it('answers that the account is linked when the QR is scanned meanwhile', async () => {
    const { run } = await stage.held();
    await run.publish('qr', { qrText: 'a code' });
    const asked = deferred<void>();
    await consumer({
      read() {
        asked.resolve();
        return new Promise<never>(() => undefined);
      },
    });
    const waiting = pair('wait=60');
    await asked.promise;
    await run.publish('authenticated');
    await run.publish('ready', { account });
    assert.equal((await waiting).body.already_authenticated, true);
  });

  it('is refused with the URL of the QR page and not enqueued when WhatsApp asks for a passkey', async () => {
    const { run } = await stage.held();
    await run.publish('qr', { qrText: 'a code' });
    await run.publish('passkey_required', { lastError: 'WhatsApp asks for a passkey' });
    const { reads } = await consumer();
    for (const answer of [await pair(), await pair('wait=0', stage.other)]) {
      const error = assertError(answer, 409, 'login_required');
      assert.match(String(error.message), /asks the person for a passkey.*http:[^ ]+\/qr/);
    }
    assert.deepEqual(reads, []);
    await untilNothingWaits();
  });

  for (const state of ['auth_failure', 'disconnected'] as const) {
    it(`is refused with the reason when the session ended in ${state}`, async () => {
      const owner = await startOwner(stage.server.url, async (run) => {
        await run.publish('starting');
        await run.end(state, { lastError: 'the phone said no' });
      });
      stage.open.push(owner);
      await stage.replica.post('/api/auth/start');
      const error = assertError(await pair(), 409, 'login_failed');
      assert.match(String(error.message), /^the phone said no; POST \/api\/auth\/start/);
    });
  }

  it('waits for a starting session, and then answers 503', async () => {
    await stage.held();
    const error = assertError(await pair('wait=1'), 503, 'session_not_ready');
    assert.equal(error.state, 'starting');
  });

  it('is refused when WhatsApp asks for a passkey meanwhile, and leaves the queue', async () => {
    const { run } = await stage.held();
    await run.publish('qr', { qrText: 'a code' });
    const waiting = pair('wait=60');
    await eventually(async () => (await waitingReads()).length === 1);
    await run.publish('passkey_required', { lastError: 'WhatsApp asks for a passkey' });
    assertError(await waiting, 409, 'login_required');
    await untilNothingWaits();
  });

  it('answers a code again once the page shows codes again', async () => {
    const { run } = await stage.held();
    await run.publish('passkey_required', { lastError: 'WhatsApp asks for a passkey' });
    await run.publish('qr', { qrText: 'a code' });
    await consumer();
    assert.equal((await pair()).body.code, 'ABCD1234');
  });

  it('times out when no code comes', async () => {
    const { run } = await stage.held();
    await run.publish('qr', { qrText: 'a code' });
    assertError(await pair('wait=1'), 504, 'timeout');
    await untilNothingWaits();
  });

  it('passes on an error of the session worker', async () => {
    const { run } = await stage.held();
    await run.publish('qr', { qrText: 'a code' });
    await consumer({
      read: async () => ({ ok: false, error: { code: 'whatsapp_error', message: 'rate limited' } }),
    });
    assertError(await pair(), 502, 'whatsapp_error');
  });

  it('answers 501 when the page lacks what a pairing code needs', async () => {
    const { run } = await stage.held();
    await run.publish('qr', { qrText: 'a code' });
    const message = 'the page of WhatsApp Web (2.3000.1) lacks what a pairing code needs';
    await consumer({
      read: async () => ({ ok: false, error: { code: 'not_supported_by_page', message } }),
    });
    const error = assertError(await pair(), 501, 'not_supported_by_page');
    assert.equal(error.message, message);
  });
});
