import assert from 'node:assert/strict';
import { describe, it, mock, type TestContext } from 'node:test';
import type { PasskeyOutcome, PasskeyStatus } from '../../../src/contract/passkey.js';
import { PasskeyCeremony } from '../../../src/session-worker/passkey-ceremony.js';
import type { PasskeyScreen } from '../../../src/session-worker/whatsapp/in-page/passkey.js';
import type { RelayAnswer } from '../../../src/session-worker/whatsapp/in-page/passkey-relay.js';
import { challenge, credentialWith as credential } from '../../support/passkey-credential.js';

const timing = { passkeyMs: 600_000, passkeyAskMs: 10_000, passkeyStepMs: 120_000 };
const options = { challenge, rpId: 'whatsapp.com', timeout: 600_000, userVerification: 'required' };

function screen(card: PasskeyScreen['card'], rest: Partial<PasskeyScreen> = {}): PasskeyScreen {
  return { card, code: null, reason: null, requests: 1, ...rest };
}

/** A ceremony whose page is the test. Time passes by `pass`. */
function ceremony(t: TestContext) {
  let now = 1_000;
  t.mock.method(performance, 'now', () => now);
  mock.timers.enable({ apis: ['Date'], now: 1_800_000_000_000 });
  t.after(() => mock.timers.reset());
  const pressed: string[] = [];
  const page = { lacksButton: false };
  const outcomes: [PasskeyOutcome, boolean][] = [];
  let changes = 0;
  const of = new PasskeyCeremony(
    {
      session: 'shop',
      timing,
      client: {
        pressPasskey: async (button) => {
          pressed.push(button);
          if (page.lacksButton) throw new Error('no such button');
        },
      },
      onChange: () => void changes++,
      onOutcome: (outcome, answeredMs) => outcomes.push([outcome, answeredMs !== null]),
    },
    { requests: 1 },
  );
  return {
    ...{ of, page, pressed, outcomes, changes: () => changes },
    pass(ms: number) {
      now += ms;
      mock.timers.setTime(Date.now() + ms);
    },
    /** The page asks, as after Continue. */
    async asked(): Promise<{ answer: Promise<RelayAnswer>; id: string }> {
      await of.begin();
      const answer = of.ask(options, 1);
      return { answer, id: of.status?.id ?? '' };
    },
  };
}

const code = (expected: string) => (error: unknown) => (error as { code?: string }).code === expected;

describe('a passkey ceremony', () => {
  it('goes from the request over the phone to the linked account', async (t) => {
    const { of, asked, outcomes, pressed, pass } = ceremony(t);
    const { answer, id } = await asked();
    assert.deepEqual(pressed, ['continuePasskey']);
    assert.deepEqual(of.status, {
      ...{ id, step: 'answer', attempt: 1, expires_at: new Date(Date.now() + 600_000).toISOString() },
      ...{ code_needed: false, problem: null },
    });
    assert.deepEqual(of.secret, { id, options: { ...options, allowCredentials: [] }, code: null });
    pass(4_000);
    of.answer(id, credential());
    assert.ok('credential' in (await answer));
    assert.deepEqual([of.status?.step, of.secret], ['phone', null]);
    assert.equal(of.follow(screen('phone')), null);
    assert.equal(of.follow(screen('linking')), null);
    assert.deepEqual([of.status?.step, of.status?.code_needed], ['linking', false]);
    of.end('linked');
    assert.deepEqual(outcomes, [['linked', true]]);
  });

  it('takes one answer, for the open request only', async (t) => {
    const { of, asked } = ceremony(t);
    assert.throws(() => of.answer('x', credential()), code('passkey_not_pending'));
    const { id } = await asked();
    assert.throws(() => of.answer('x', credential()), code('passkey_superseded'));
    assert.throws(() => of.answer('x', null), code('passkey_superseded'));
    assert.throws(() => of.answer(id, null), /did not arrive in time/);
    of.answer(id, credential());
    assert.throws(() => of.answer(id, credential()), code('passkey_not_pending'));
  });

  it('keeps the request open when an answer does not fit', async (t) => {
    const { of, asked } = ceremony(t);
    const { id } = await asked();
    const wrong = credential({ id: 'BBBB' });
    assert.throws(() => of.answer(id, wrong), code('passkey_not_acceptable'));
    assert.equal(of.status?.step, 'answer');
    of.answer(id, credential());
    assert.equal(of.status?.step, 'phone');
  });

  it('refuses the page when nobody answers in time, and can be repeated three times', async (t) => {
    const { of, asked, outcomes, pass, pressed } = ceremony(t);
    const { answer, id } = await asked();
    pass(599_000);
    assert.equal(of.follow(screen('asking')), null);
    pass(1_000);
    assert.throws(() => of.answer(id, credential()), code('passkey_not_pending'));
    assert.equal(of.follow(screen('asking')), null);
    assert.deepEqual(await answer, {
      error: { name: 'NotAllowedError', message: 'The operation either timed out or was not allowed.' },
    });
    assert.deepEqual([of.status?.step, of.status?.problem], ['failed', 'nobody used the passkey in time']);
    assert.deepEqual(outcomes, [['expired', false]]);
    for (let attempt = 2; attempt <= 4; attempt++) {
      const failedId = of.status?.id ?? '';
      const retried = of.retry(failedId);
      await Promise.resolve();
      // The page still shows the failure of the attempt before.
      of.follow(screen('failed'));
      void of.ask(options, 1);
      await retried;
      assert.deepEqual(
        [of.status?.step, of.status?.attempt, of.status?.code_needed],
        ['answer', attempt, true],
      );
      // The same call again, as after an interruption, asks no second time.
      await of.retry(failedId);
      of.abort();
    }
    await assert.rejects(of.retry(of.status?.id ?? ''), code('rate_limited'));
    assert.equal(pressed.length, 4);
  });

  it('is voided by a request that the page makes later', async (t) => {
    const { of, asked, outcomes } = ceremony(t);
    const { answer, id } = await asked();
    void of.ask({ ...options, challenge: 'YW5vdGhlcg' }, 1);
    assert.ok('error' in (await answer));
    assert.throws(() => of.answer(id, credential()), code('passkey_superseded'));
    assert.deepEqual([of.status?.attempt, outcomes], [2, [['failed', false]]]);
  });

  it('compares the code with what the phone shows', async (t) => {
    const { of, asked, pressed } = ceremony(t);
    const { id } = await asked();
    of.answer(id, credential());
    of.follow(screen('code', { code: 'K10X2M4P' }));
    assert.deepEqual([of.status?.step, of.status?.code_needed, of.secret?.code], ['code', true, 'K10X2M4P']);
    assert.match(of.sentence, /compare a code.*the page \/sessions\/shop\/qr shows it/);
    await assert.rejects(of.confirm(id, 'K10X-2M4Q'), code('passkey_code_differs'));
    await of.confirm(id, 'klox 2m4p');
    assert.deepEqual([of.status?.step, of.secret, pressed.at(-1)], ['linking', null, 'confirmPasskeyCode']);
    // The page may show the code a moment longer.
    of.follow(screen('code', { code: 'K10X2M4P' }));
    assert.deepEqual([of.status?.step, of.secret], ['linking', null]);
  });

  for (const [step, reason, problem] of [
    ['phone', 'server_error', 'WhatsApp did not accept the passkey (its reason: server_error)'],
    ['phone', 'timeout', 'the phone did not go on in time'],
    ['code', 'timeout', 'nobody confirmed the code in time'],
    ['linking', null, 'WhatsApp did not finish linking'],
  ] as const) {
    it(`tells why the step ${step} failed (${reason})`, async (t) => {
      const { of, asked, outcomes } = ceremony(t);
      const { id } = await asked();
      of.answer(id, credential());
      of.follow(screen(step, { code: 'AAAA' }));
      assert.equal(of.follow(screen('failed', { reason })), null);
      assert.deepEqual([of.status?.step, of.status?.problem, of.secret], ['failed', problem, null]);
      assert.deepEqual(outcomes, [['refused', true]]);
      assert.match(of.sentence, /linking with the passkey failed.*the page \/sessions\/shop\/qr says/);
    });
  }

  it('is given up when the page stays at a step, and when nobody goes on after a failure', async (t) => {
    const { of, asked, pass } = ceremony(t);
    const { id } = await asked();
    of.answer(id, credential());
    pass(121_000);
    assert.equal(of.follow(screen('phone')), null);
    pass(15_000);
    assert.equal(of.follow(screen('phone')), 'the phone did not go on in time');
    of.follow(screen('failed'));
    pass(600_001);
    assert.equal(of.follow(screen('failed')), 'nobody went on in time');
  });

  it('says so when the page does not ask, and can then be cancelled', async (t) => {
    const { of, pass, outcomes } = ceremony(t);
    await of.begin();
    pass(9_900);
    assert.equal(of.follow(screen('prompt')), null);
    assert.equal(of.status, null);
    pass(200);
    assert.equal(of.follow(screen('prompt')), null);
    assert.match(of.sentence, /asks for a passkey in a way that is not known/);
    const { id } = (of.status as PasskeyStatus | null) ?? { id: '' };
    assert.throws(() => of.cancel('x'), code('passkey_superseded'));
    of.cancel(id);
    assert.deepEqual(outcomes, [['failed', false]]);
  });

  it('says so when the button cannot be pressed, can then be cancelled, and counts no retry that failed', async (t) => {
    const { of, page, pass, outcomes, pressed } = ceremony(t);
    page.lacksButton = true;
    await assert.rejects(of.begin(), /no such button/);
    pass(10_100);
    assert.equal(of.follow(screen('prompt')), null);
    assert.match(of.sentence, /asks for a passkey in a way that is not known/);
    const { id } = (of.status as PasskeyStatus | null) ?? { id: '' };
    for (let i = 0; i < 5; i++) await assert.rejects(of.retry(id), /no such button/);
    assert.equal(pressed.length, 6);
    page.lacksButton = false;
    const retried = of.retry(id);
    await Promise.resolve();
    void of.ask(options, 1);
    await retried;
    assert.equal(of.status?.step, 'answer');
    of.cancel(of.status?.id ?? '');
    assert.deepEqual(outcomes, [
      ['failed', false],
      ['cancelled', false],
    ]);
  });

  it('waits without a connection of the page, until the time to answer is over', async (t) => {
    const { of, asked, pass } = ceremony(t);
    const { id } = await asked();
    pass(599_000);
    assert.equal(of.follow(null), null);
    assert.deepEqual([of.status?.id, of.status?.step, of.hasAnswer], [id, 'answer', false]);
    pass(1_000);
    assert.equal(of.follow(null), null);
    assert.deepEqual([of.status?.step, of.status?.problem], ['failed', 'nobody used the passkey in time']);
    pass(600_001);
    assert.equal(of.follow(null), 'nobody went on in time');
  });

  for (const [card, codeNeeded] of [
    ['prompt', false],
    // The page has lost its proof of the scan with the call that it gave up.
    ['failed', true],
  ] as const) {
    it(`presses Continue for a second scan, and not while the first goes on (${card})`, async (t) => {
      const { of, asked, pressed } = ceremony(t);
      const { answer, id } = await asked();
      // The page has ended its call, and shows that a little later.
      of.abort();
      of.follow(screen('asking', { requests: 2 }));
      assert.equal(pressed.length, 1);
      of.follow(screen(card, { requests: 2 }));
      assert.ok('error' in (await answer));
      assert.deepEqual([pressed.length, of.status, of.sentence.includes('before it links')], [2, null, true]);
      assert.throws(() => of.answer(id, null), code('passkey_not_pending'));
      void of.ask(options, 2);
      // Of this scan it is the first.
      assert.deepEqual(
        [of.status?.step, of.status?.attempt, of.status?.code_needed],
        ['answer', 1, codeNeeded],
      );
      of.follow(screen('asking', { requests: 2 }));
      assert.equal(pressed.length, 2);
    });
  }

  it('presses Continue for a second scan while the phone goes on, once the page no longer waits for it', async (t) => {
    const { of, asked, pressed } = ceremony(t);
    const { id } = await asked();
    of.answer(id, credential());
    of.follow(screen('phone', { requests: 2 }));
    assert.deepEqual([of.status?.step, pressed.length], ['phone', 1]);
    of.follow(screen('prompt', { requests: 2 }));
    assert.deepEqual([of.status, pressed.length], [null, 2]);
  });

  it('does not press Continue again by itself when WhatsApp asks anew for each attempt', async (t) => {
    const { of, asked, pressed, pass } = ceremony(t);
    await asked();
    for (let requests = 2; requests <= 4; requests++) {
      of.abort();
      of.follow(screen('failed', { requests: requests - 1 }));
      const retried = of.retry(of.status?.id ?? '');
      await Promise.resolve();
      void of.ask(options, requests);
      await retried;
      assert.equal(of.status?.attempt, requests);
    }
    of.abort();
    for (let report = 0; report < 3; report++) {
      pass(500);
      of.follow(screen('failed', { requests: 4 }));
    }
    assert.equal(pressed.length, 4);
    await assert.rejects(of.retry(of.status?.id ?? ''), code('rate_limited'));
  });

  it('answers two retries at once alike, and a retry that is cancelled', async (t) => {
    const { of, page, asked } = ceremony(t);
    const { id } = await asked();
    of.abort();
    page.lacksButton = true;
    const both = await Promise.allSettled([of.retry(id), of.retry(id)]);
    assert.deepEqual(
      both.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    assert.equal(of.status?.step, 'failed');
    page.lacksButton = false;
    const retried = of.retry(id);
    of.cancel(id);
    await assert.rejects(retried, code('passkey_not_pending'));
  });

  it('says so when the page shows no code to compare', async (t) => {
    const { of, asked } = ceremony(t);
    const { id } = await asked();
    of.answer(id, credential());
    of.follow(screen('code'));
    await assert.rejects(of.confirm(id, 'AAAA'), /shows no code yet/);
  });

  it('needs a code when the hand-off is over, and tells that change', async (t) => {
    const { of, asked, pass, changes } = ceremony(t);
    await asked();
    of.follow(screen('asking'));
    const before = changes();
    of.follow(screen('asking'));
    assert.equal(changes(), before);
    pass(300_001);
    of.follow(screen('asking'));
    assert.deepEqual([changes(), of.status?.code_needed], [before + 1, true]);
  });

  it('refuses options that are not those of a passkey of WhatsApp', async (t) => {
    for (const odd of [
      null,
      5,
      {},
      { ...options, rpId: 'example.com' },
      { ...options, challenge: 'x'.repeat(2_000) },
    ]) {
      const { of } = ceremony(t);
      await of.begin();
      assert.ok('error' in (await of.ask(odd, 1)));
      assert.deepEqual([of.status?.step, of.secret], ['failed', null]);
      t.mock.restoreAll();
      mock.timers.reset();
    }
  });
});
