import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import type { OutputOf } from '../../src/contract/operations.js';
import { eventsOf } from '../support/api-caller.js';
import { eventually } from '../support/eventually.js';
import * as forged from '../support/forged-assertions.js';
import { findHeadlessShell, headlessShellMissing } from '../support/headless-shell.js';
import { OwnerBrowser } from '../support/owner-browser.js';
import { PasskeyLinking as Linking } from '../support/passkey-linking.js';
import type { Product } from '../support/product.js';
import { allValues, watchCommands } from '../support/redis-contents.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import { Stage } from '../support/stage.js';

/** Linking with a passkey: WhatsApp's server verifies what the owner's browser signs. */

type Answer = OutputOf<'passkeyCancel'>;

async function goesBackToQr({ product }: Linking, why: RegExp, timeoutMs = 60_000): Promise<void> {
  const status = await product.until((s) => s.has_qr, 'a QR again', timeoutMs);
  assert.match(status.last_error ?? '', why);
  assert.match(status.last_error ?? '', /scan again/);
  assert.equal(status.passkey, null);
  assert.equal((await product.get('/api/auth/passkey')).status, 404);
}

describe('linking with a passkey, over a replica', () => {
  let linking: Linking;
  let redis: RedisServer;
  let supervisor: Product;

  before(async () => {
    const stage = await Stage.open();
    redis = await startRedis();
    const environment = { REDIS_URL: redis.url, WHATSAPP_LOG_LEVEL: 'trace' };
    supervisor = stage.start('supervisor', environment);
    const replica = stage.start('http', environment);
    const owner = await OwnerBrowser.open(stage.whatsApp.chromeArgs);
    await Promise.all([owner.register(), supervisor.runs(), replica.url()]);
    linking = new Linking(stage, owner, replica);
    await stage.whatsApp.phone.askForPasskey(true);
    await replica.post('/api/auth/start');
  });
  after(async () => {
    await linking.close();
    await redis.stop();
  });

  it('tells what WhatsApp asks for', async () => {
    const { product, call } = linking;
    const request = await linking.asked();
    const status = await product.status();
    assert.deepEqual([status.state, status.has_qr], ['passkey_required', false]);
    const { options, code, ...rest } = request;
    assert.deepEqual(status.passkey, rest);
    assert.deepEqual(
      [rest.step, rest.attempt, rest.code_needed, rest.problem, code],
      ['answer', 1, false, null, null],
    );
    assert.deepEqual(
      { ...options, challenge: '' },
      {
        ...{ challenge: '', rpId: 'whatsapp.com', timeout: 600_000, allowCredentials: [] },
        ...{ userVerification: 'required', extensions: { uvm: true } },
      },
    );
    const left = Date.parse(rest.expires_at ?? '') - Date.now();
    assert.ok(left > 500_000 && left <= 600_000, String(left));
    const [event] = await eventsOf(product, 'passkey', 1);
    assert.deepEqual(event, { step: 'answer', id: rest.id, expires_at: rest.expires_at });
    const refused = await call('/api/auth/passkey/confirm', { id: rest.id, code: 'AAAA-AAAA' });
    assert.deepEqual([refused.status, refused.body.error.code], [409, 'passkey_not_pending']);
  });

  it('refuses what WhatsApp would refuse, and its request stays open', async () => {
    const { call, owner } = linking;
    const { id, options } = await linking.at('answer');
    assert.ok(options);
    const right = await owner.assert(options);
    const wrong: readonly [string, unknown, RegExp][] = [
      ['another challenge', forged.withClientData(right, { challenge: 'AAAA' }), /another request/],
      [
        'another origin',
        forged.withClientData(right, { origin: 'https://evil.example' }),
        /web\.whatsapp\.com/,
      ],
      ['another purpose', forged.withClientData(right, { type: 'webauthn.create' }), /webauthn\.get/],
      ['inside a page', forged.withClientData(right, { crossOrigin: true }), /inside another page/],
      ['another site', forged.withRpId(right, 'evil.example'), /another site/],
      ['no user verification', forged.withoutUserVerification(right), /who used it/],
      ['garbage', forged.garbageAssertion(64), /clientDataJSON/],
    ];
    for (const [what, credential, why] of wrong) {
      const { status, body } = await call('/api/auth/passkey/answer', { id, credential });
      assert.deepEqual([status, body.error.code], [422, 'passkey_not_acceptable'], what);
      assert.match(body.error.message, why, what);
    }
    const huge = await call('/api/auth/passkey/answer', { id, credential: forged.garbageAssertion(16_384) });
    assert.deepEqual([huge.status, huge.body.error.code], [413, 'body_too_large']);
    const other = await call('/api/auth/passkey/answer', { id: 'another', credential: right });
    assert.deepEqual([other.status, other.body.error.code], [409, 'passkey_superseded']);
    assert.equal((await linking.at('answer')).id, id);
    assert.deepEqual((await linking.phone.state()).passkey.verified, []);
  });

  it('takes one of two answers at once, and WhatsApp refuses a signature that was changed', async () => {
    const { call, owner } = linking;
    // The limit of calls a minute is not the subject of this test.
    await forgetLimits(redis);
    const { id, options } = await linking.at('answer');
    assert.ok(options);
    const credential = forged.withTamperedSignature(await owner.assert(options));
    const answers = await Promise.all(
      [0, 1].map(() => call<Answer>('/api/auth/passkey/answer', { id, credential })),
    );
    assert.deepEqual(answers.map(({ status }) => status).sort(), [202, 409]);
    const failed = await linking.at('failed');
    assert.match(failed.problem ?? '', /did not accept the passkey/);
    assert.deepEqual([failed.id, failed.options, failed.code], [id, null, null]);
    assert.match((await linking.product.status()).last_error ?? '', /did not accept the passkey/);
  });

  it('asks again when a person retries, and links by the right answer and a compared code', async () => {
    const { call, owner, product, phone } = linking;
    await forgetLimits(redis);
    const failed = await linking.at('failed');
    const retried = await call<Answer>('/api/auth/passkey/retry', { id: failed.id });
    assert.equal(retried.status, 202, JSON.stringify(retried.body));
    const { id, options, attempt, code_needed } = await linking.at('answer');
    assert.ok(options);
    assert.notEqual(id, failed.id);
    assert.deepEqual([attempt, code_needed, retried.body.passkey?.id], [2, true, id]);
    const credential = await owner.assert(options);
    const old = await call('/api/auth/passkey/answer', { id: failed.id, credential });
    assert.deepEqual([old.status, old.body.error.code], [409, 'passkey_superseded']);

    const commands = await watchCommands(redis.url);
    const answered = await call<Answer>('/api/auth/passkey/answer', { id, credential });
    assert.deepEqual([answered.status, answered.body.passkey?.step], [202, 'phone']);
    const compared = await linking.at('code');
    assert.equal(compared.code, (await phone.state()).passkey.phoneCode?.replace('-', ''));
    const wrong = await call('/api/auth/passkey/confirm', { id, code: 'AAAA-AAAA' });
    assert.deepEqual([wrong.status, wrong.body.error.code], [422, 'passkey_code_differs']);
    const confirmed = await call<Answer>('/api/auth/passkey/confirm', { id, code: compared.code });
    assert.equal(confirmed.status, 202, JSON.stringify(confirmed.body));
    const ready = await product.until((s) => s.ready, 'ready');
    assert.deepEqual([ready.passkey, ready.last_error], [null, null]);
    const [verified] = (await phone.state()).passkey.verified;
    assert.deepEqual(
      [verified?.origin, verified?.rpID, verified?.userVerified],
      ['https://web.whatsapp.com', 'whatsapp.com', true],
    );
    const late = await call('/api/auth/passkey/answer', { id, credential });
    assert.deepEqual([late.status, late.body.error.code], [409, 'passkey_not_pending']);

    // The answer is in no log, job, event and key. It was in Redis once, for at most 30 s.
    const { signature, clientDataJSON, authenticatorData } = credential.response;
    const secrets = [signature, clientDataJSON, authenticatorData, options.challenge, compared.code];
    const seen = (await commands.stop()).filter((words) => words.some((word) => word.includes(signature)));
    assert.deepEqual(
      seen.map(([name, key, , ...rest]) => [name, key?.replace(/[^:]*$/, ''), ...rest]),
      [['set', '{wa}:s:default:passkey-answer:', 'PX', '30000']],
    );
    const texts = {
      'the log of the supervisor': supervisor.output,
      'the log of the replica': product.output,
      'the metrics': await (await product.get('/metrics')).text(),
      'the keys of Redis': (await allValues(redis.url)).join('\n'),
    };
    for (const [where, text] of Object.entries(texts)) {
      for (const secret of secrets) assert.ok(!text.includes(secret), `${where}: ${secret}`);
    }
    assert.match(await (await product.get('/openapi.json')).text(), /passkey_not_acceptable/);
  });
});

async function forgetLimits({ url }: RedisServer): Promise<void> {
  const redis = new Redis(url);
  const keys = await redis.keys('{wa}:limit:passkeys:*');
  if (keys.length > 0) await redis.del(keys);
  redis.disconnect();
}

describe('in the old headless Chromium, whose own request for a passkey fails at once', () => {
  const shell = findHeadlessShell();
  const skip = shell === undefined ? `it is missing: ${headlessShellMissing}` : false;

  it('a passkey links all the same', { skip }, async () => {
    const linking = await Linking.open({ WHATSAPP_BROWSER: 'shell' });
    try {
      const { id, options } = await linking.asked();
      const credential = await linking.owner.assert(options);
      assert.equal((await linking.call('/api/auth/passkey/answer', { id, credential })).status, 202);
      await linking.product.until((s) => s.ready, 'ready');
    } finally {
      await linking.close();
    }
  });
});

describe('a request for a passkey whose supervisor dies', () => {
  let linking: Linking;
  let redis: RedisServer;

  before(async () => {
    redis = await startRedis();
    linking = await Linking.open({ REDIS_URL: redis.url });
  });
  after(async () => {
    await linking.close();
    await redis.stop();
  });

  it('is lost, the next supervisor says so, and the next scan links', async () => {
    const { stage, product, owner } = linking;
    const { id } = await linking.asked();
    const replica = stage.start('http', { REDIS_URL: redis.url });
    await replica.url();
    await product.end('SIGKILL');
    const standby = new Linking(stage, owner, stage.start('all', { REDIS_URL: redis.url }));
    await standby.product.until((s) => s.passkey?.id !== id, 'the request is gone');
    await goesBackToQr(standby, /the session restarted meanwhile/);
    const next = await standby.asked();
    const credential = await owner.assert(next.options);
    assert.equal((await standby.call('/api/auth/passkey/answer', { id: next.id, credential })).status, 202);
    await standby.product.until((s) => s.ready, 'ready');
    assert.equal((await replica.status()).ready, true);
  });
});

describe('a passkey within the hand-off window', () => {
  let linking: Linking;

  before(async () => {
    linking = await Linking.open({}, { pairingCodeMs: 4_000 });
  });
  after(() => linking.close());

  it('links without comparing a code, also after a pairing code whose time is over', async () => {
    const { call, product, owner, phone } = linking;
    await product.until((s) => s.has_qr, 'a QR');
    const paired = await call<{ code: string }>('/api/pairing-code', { phone_number: '15550001111' });
    assert.equal(paired.status, 200, JSON.stringify(paired.body));
    await phone.enterCode(paired.body.code);
    const { id, options } = await linking.at('answer');
    assert.ok(options);
    const since = Date.now();
    await eventually(() => Date.now() - since > 5_000, { timeoutMs: 10_000 });
    assert.equal((await linking.at('answer')).id, id);
    assert.deepEqual((await phone.state()).disturbances, { refreshes: 0, codes: 0 });
    const answer = await call('/api/auth/passkey/answer', { id, credential: await owner.assert(options) });
    assert.equal(answer.status, 202);
    await product.until((s) => s.ready, 'ready');
  });
});

describe('a request for a passkey that does not link', () => {
  let linking: Linking;

  before(async () => {
    const timing = { passkeyMs: 12_000, passkeyAskMs: 2_000, passkeyStepMs: 4_000 };
    linking = await Linking.open({}, timing, { timing: { passkeyWaitMs: 2_000 } });
  });
  after(() => linking.close());

  it('goes back to QR codes when a person cancels it', async () => {
    const { id } = await linking.asked();
    const cancelled = await linking.call<Answer>('/api/auth/passkey/cancel', { id });
    assert.deepEqual([cancelled.status, cancelled.body.passkey], [202, null]);
    await goesBackToQr(linking, /cancelled/);
    assert.equal((await linking.phone.state()).passkey.waiting, 0);
  });

  it('does not stay linked when WhatsApp has linked just before the cancel', async () => {
    const { stage, call, owner, phone, product } = linking;
    await stage.whatsApp.timing.set({ passkeyPhoneMs: 1_500 });
    const { id, options } = await linking.asked();
    await call('/api/auth/passkey/answer', { id, credential: await owner.assert(options) });
    await linking.at('linking');
    const goOn = await stage.freezeBrowser();
    try {
      await eventually(async () => (await phone.state()).devices.length === 1);
      const cancelled = await call<Answer>('/api/auth/passkey/cancel', { id });
      assert.deepEqual([cancelled.status, cancelled.body.passkey], [202, null]);
    } finally {
      goOn();
    }
    await eventually(async () => (await phone.state()).devices.length === 0, { timeoutMs: 30_000 });
    await product.until((s) => s.has_qr, 'a QR again', 60_000);
    assert.match(
      product.output,
      /linking was cancelled when WhatsApp had linked already: the device was unlinked/,
    );
    await stage.whatsApp.timing.set({ passkeyPhoneMs: 20 });
  });

  it('is replaced when the person scans once more', async () => {
    const { call, owner, phone } = linking;
    const first = await linking.asked();
    const late = await owner.assert(first.options);
    await phone.scanAgain();
    await linking.product.until((s) => s.passkey?.id !== first.id, 'the first request is over');
    const second = await linking.at('answer');
    assert.notEqual(second.options?.challenge, first.options.challenge);
    assert.equal(second.attempt, 1);
    const refused = await call('/api/auth/passkey/answer', { id: first.id, credential: late });
    assert.deepEqual([refused.status, refused.body.error.code], [409, 'passkey_superseded']);
    await call('/api/auth/passkey/cancel', { id: second.id });
    await goesBackToQr(linking, /cancelled/);
  });

  it('goes back to QR codes when it is closed on the phone', async () => {
    await linking.asked();
    await linking.phone.cancelPasskey();
    await goesBackToQr(linking, /closed the request/);
  });

  it('fails when nobody answers in time, and then goes back to QR codes', async () => {
    await linking.stage.whatsApp.timing.set({ passkeyTimeoutMs: 1_500 });
    await linking.asked();
    const failed = await linking.at('failed');
    assert.equal(failed.problem, 'nobody used the passkey in time');
    await goesBackToQr(linking, /nobody went on in time/);
    await linking.stage.whatsApp.timing.set({ passkeyTimeoutMs: 600_000 });
  });

  it('fails when the phone does not go on', async () => {
    const { owner, call } = linking;
    await linking.stage.whatsApp.faults.set({ passkeySilent: true });
    const { id, options } = await linking.asked();
    const credential = await owner.assert(options);
    assert.equal((await call('/api/auth/passkey/answer', { id, credential })).status, 202);
    const failed = await linking.at('failed');
    assert.equal(failed.problem, 'the phone did not go on in time');
    await linking.call('/api/auth/passkey/cancel', { id });
    await goesBackToQr(linking, /cancelled/);
    await linking.stage.whatsApp.faults.clear();
  });

  it('says so when the page does not ask in a way that is known', async () => {
    await linking.stage.whatsApp.faults.set({ passkeyWithoutGet: true });
    await linking.scan();
    await linking.at('failed');
    const { last_error } = await linking.product.status();
    assert.match(last_error ?? '', /asks for a passkey in a way that is not known/);
    await linking.stage.whatsApp.faults.clear();
    await goesBackToQr(linking, /nobody went on in time/);
  });

  it('is lost with its browser, and the person has to scan again', async () => {
    const { id } = await linking.asked();
    await linking.stage.killBrowser();
    await linking.product.until((s) => s.passkey?.id !== id, 'the request is gone');
    await goesBackToQr(linking, /the session restarted meanwhile/);
    const refused = await linking.call('/api/auth/passkey/cancel', { id });
    assert.deepEqual([refused.status, refused.body.error.code], [409, 'passkey_not_pending']);
  });

  it('links all the same when the screen has no names that are known', async () => {
    const { owner, call, product } = linking;
    await linking.stage.whatsApp.faults.set({ passkeyWithoutTestIds: true });
    const { id, options } = await linking.asked();
    const credential = await owner.assert(options);
    assert.equal((await call('/api/auth/passkey/answer', { id, credential })).status, 202);
    await product.until((s) => s.ready, 'ready');
  });
});

describe('with WHATSAPP_PASSKEY=off', () => {
  let linking: Linking;

  before(async () => {
    linking = await Linking.open({ WHATSAPP_PASSKEY: 'off' });
  });
  after(() => linking.close());

  it('the request is told and never answered', async () => {
    await linking.scan();
    const status = await linking.product.until((s) => s.state === 'passkey_required', 'passkey_required');
    assert.match(status.last_error ?? '', /WHATSAPP_PASSKEY=off/);
    assert.equal(status.passkey, null);
    const { status: code, body } = await linking.call('/api/auth/passkey');
    assert.deepEqual([code, body.error.code], [404, 'passkey_not_pending']);
    assert.match(body.error.message, /WHATSAPP_PASSKEY=off/);
    assert.equal((await linking.phone.state()).passkey.stage, 'NotStarted');
  });
});
