import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { keyPrefix } from '../../../../src/contract/keys.js';
import { acceptedPerS } from '../../../../src/platform/session-pace.js';
import { type CommandStage, startCommandStage } from '../../../support/command-stage.js';
import { eventually } from '../../../support/eventually.js';
import { linkedAccount as account } from '../../../support/held-session.js';
import { sentOutcome } from '../../../support/scripted-commands.js';
import { startOwner } from '../../../support/scripted-owner.js';
import { assertError, getJob, postSend } from '../../../support/send-client.js';

describe('POST /api/send while the session is not ready', () => {
  let stage: CommandStage;

  before(async () => {
    stage = await startCommandStage();
  });
  afterEach(() => stage.clear());
  after(() => stage.close());

  const jobs = () => stage.redis.keys(`${keyPrefix}:sends-default:[mk]-*`);

  it('refuses and enqueues nothing when it was never started', async () => {
    assertError(await postSend(stage.replica), 409, 'session_not_started');
    assert.deepEqual(await jobs(), []);
  });

  it('refuses when it is stopped', async () => {
    await stage.held();
    await stage.replica.post('/api/stop');
    assertError(await postSend(stage.replica), 409, 'session_not_started');
  });

  it('refuses with the URL of the QR page when it waits for a scan', async () => {
    const { run } = await stage.held();
    await run.publish('qr', { qrText: 'a code' });
    const error = assertError(await postSend(stage.replica), 409, 'login_required');
    assert.match(String(error.message), new RegExp(`${stage.replica.url}/qr`));
    assert.deepEqual(await jobs(), []);
  });

  it('refuses with the URL of the QR page and enqueues nothing when WhatsApp asks for a passkey', async () => {
    const { run } = await stage.held();
    await run.publish('qr', { qrText: 'a code' });
    await run.publish('passkey_required', { lastError: 'WhatsApp asks for a passkey' });
    const error = assertError(await postSend(stage.replica), 409, 'login_required');
    assert.match(String(error.message), new RegExp(`passkey.*${stage.replica.url}/qr`));
    assert.deepEqual(await jobs(), []);
  });

  for (const state of ['auth_failure', 'disconnected'] as const) {
    it(`refuses with the reason when it ended in ${state}`, async () => {
      stage.open.push(
        await startOwner(stage.server.url, async (run) => {
          await run.publish('starting');
          await run.end(state, { lastError: 'the phone said no' });
        }),
      );
      await stage.replica.post('/api/auth/start');
      const error = assertError(await postSend(stage.replica), 409, 'login_failed');
      assert.match(String(error.message), /^the phone said no; POST \/api\/auth\/start/);
    });
  }

  for (const state of ['starting', 'authenticated', 'disconnected'] as const) {
    it(`accepts in the state ${state}, answers 202 after the wait, and sends later`, async () => {
      const { run } = await stage.held();
      if (state !== 'starting') await run.publish(state, { lastError: 'network gone' });
      const answer = await postSend(stage.replica, { prefer: 'wait=1' });
      assert.equal(answer.status, 202, JSON.stringify(answer.body));
      assert.equal(answer.headers.get('preference-applied'), 'wait=1');
      assert.equal((await getJob(stage.other, answer.body.id)).status, 'queued');
      await stage.consumer({ send: async (job) => sentOutcome(job) });
      await eventually(async () => (await getJob(stage.other, answer.body.id)).status === 'sent');
    });
  }

  it('accepts when the start waits for a supervisor', async () => {
    await stage.replica.post('/api/auth/start');
    assert.equal((await postSend(stage.replica, { prefer: 'wait=0' })).status, 202);
  });

  it('accepts when its owner is gone and another will take it', async () => {
    const session = await stage.held();
    await session.run.publish('ready', { account });
    await session.owner.crash();
    await eventually(async () => (await stage.replica.status()).state === 'disconnected');
    assert.equal((await postSend(stage.replica, { prefer: 'wait=0' })).status, 202);
  });

  it('accepts the messages of a session that has many at the pace, while another session has few', async () => {
    const sessions = `${stage.replica.url}/api/sessions`;
    const ask = async (method: string, path: string, body: object) => {
      const headers = { 'content-type': 'application/json', prefer: 'respond-async' };
      const answer = await fetch(sessions + path, { method, headers, body: JSON.stringify(body) });
      return [answer.status, await answer.json()] as const;
    };
    for (const name of ['many', 'few']) {
      const [status, body] = await ask('PUT', `/${name}`, { start: true });
      assert.equal(status, 201, JSON.stringify(body));
    }
    const send = (name: string) =>
      ask('POST', `/${name}/send`, { phone_number: '15551234567', message: 'Hello' });
    assert.equal((await send('few'))[0], 202);
    const from = performance.now();
    const answers = await Promise.all(Array.from({ length: 60 }, () => send('many')));
    const tookMs = performance.now() - from;
    for (const [status, body] of answers) assert.equal(status, 202, JSON.stringify(body));
    // The first ones are accepted at once.
    assert.ok(tookMs >= (50 / acceptedPerS) * 1_000, `${tookMs} ms`);
    assert.equal((await stage.redis.keys(`${keyPrefix}:sends-many:m-*`)).length, 60);
  });

  it('keeps an accepted message when it reaches a state that does not lead to ready', async () => {
    const { run } = await stage.held();
    const waiting = postSend(stage.replica, { prefer: 'wait=2' });
    await eventually(async () => (await jobs()).length === 1);
    await run.publish('qr', { qrText: 'a code' });
    assert.equal((await waiting).status, 202);
  });
});
