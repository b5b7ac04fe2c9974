import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { PasskeyOutcome } from '../../../src/contract/passkey.js';
import type { SessionState } from '../../../src/contract/status.js';
import { DeviceLinking } from '../../../src/session-worker/device-linking.js';
import type { PageReport } from '../../../src/session-worker/whatsapp/in-page/linking.js';
import type { PasskeyScreen } from '../../../src/session-worker/whatsapp/in-page/passkey.js';
import { challenge, credentialWith } from '../../support/passkey-credential.js';

const timing = { passkeyMs: 600_000, passkeyAskMs: 10_000, passkeyStepMs: 120_000 };
const options = { challenge, rpId: 'whatsapp.com', timeout: 600_000 };

/** What the page reports. `card`: null: no screen for a passkey. */
function report(socketState: string | null, card: PasskeyScreen['card'] | null, requests = 1): PageReport {
  const passkey = card && { card, code: null, reason: null, requests };
  return { socketState, passkey } as PageReport;
}

/** A page that WhatsApp asks for a passkey, as its session worker follows it. Time passes by `pass`. */
function linkingOf(t: TestContext, press: () => Promise<void> = async () => undefined) {
  let now = 1_000;
  t.mock.method(performance, 'now', () => now);
  const outcomes: PasskeyOutcome[] = [];
  const failures: string[] = [];
  const calls: string[] = [];
  let undone = 0;
  const state = {
    current: 'starting' as SessionState,
    lastError: null as string | null,
    ageMs: 0,
    isBeforeLink: true,
    ended: new AbortController().signal,
    publish(next: SessionState, shown: { lastError?: string | null } = {}) {
      state.current = next;
      state.lastError = shown.lastError ?? null;
    },
    fail: ({ reason }: { reason: string }) => failures.push(reason),
  };
  const client = {
    pressPasskey: async (button: string) => {
      calls.push(button);
      if (button === 'cancelPasskey') await press();
    },
    codes: {
      pairingCode: null,
      beginQrs: () => undefined,
      refreshQr: async () => void calls.push('refreshQr'),
      backToQr: async () => void calls.push('backToQr'),
    },
  };
  const linking = new DeviceLinking({
    ...{
      client,
      state,
      login: { post: async () => undefined },
      isLinked: false,
      timing,
      relaysPasskey: true,
    },
    onPasskeyOutcome: (outcome: PasskeyOutcome) => outcomes.push(outcome),
    onLinkedAfterCancel: () => undone++,
    onCallFailed: () => undefined,
  } as unknown as ConstructorParameters<typeof DeviceLinking>[0]);
  return {
    ...{ linking, state, outcomes, failures, calls, undone: () => undone },
    pass: (ms: number) => {
      now += ms;
    },
    /** WhatsApp asks, and its page waits for the answer. */
    async asked(): Promise<string> {
      await linking.passkey.update(report('UNPAIRED', 'prompt'));
      void linking.passkey.onAsked(options, 1);
      return linking.passkey.ceremony?.status?.id ?? '';
    },
  };
}

describe('linking with a passkey', () => {
  it('waits for the answer while the page has no connection', async (t) => {
    const { linking, asked, state, failures, pass } = linkingOf(t);
    const id = await asked();
    pass(200_000);
    assert.equal(await linking.passkey.update(report('OPENING', null)), true);
    assert.deepEqual(
      [state.current, failures, linking.passkey.ceremony?.status?.id],
      ['passkey_required', [], id],
    );
    assert.equal(await linking.passkey.update(report('UNPAIRED', 'asking')), true);
    assert.deepEqual(
      [linking.passkey.ceremony?.status?.id, linking.passkey.ceremony?.status?.step],
      [id, 'answer'],
    );
  });

  for (const [when, last] of [
    ['after the answer', report('OPENING', null)],
    ['when the page reports nothing', report(null, null)],
  ] as const) {
    it(`is given up when the page does not connect in time ${when}`, async (t) => {
      const { linking, asked, failures, pass } = linkingOf(t);
      const id = await asked();
      if (when === 'after the answer') linking.passkey.ceremony?.answer(id, credentialWith());
      await linking.passkey.update(report('UNPAIRED', 'phone'));
      pass(119_000);
      await linking.passkey.update(last);
      assert.deepEqual(failures, []);
      pass(2_000);
      assert.equal(await linking.passkey.update(last), false);
      assert.deepEqual(failures, ['start_failed']);
    });
  }

  it('goes on when the page has connected by itself', async (t) => {
    const { linking, asked, state } = linkingOf(t);
    await asked();
    assert.equal(await linking.passkey.update(report('CONNECTED', null)), false);
    assert.equal(state.current, 'passkey_required');
  });

  it('is cancelled when the request is closed on the phone', async (t) => {
    const { linking, asked, state, outcomes, calls } = linkingOf(t);
    await asked();
    await linking.passkey.update(report('UNPAIRED', null));
    assert.deepEqual([state.current, outcomes, calls.at(-1)], ['qr', ['cancelled'], 'refreshQr']);
    assert.match(state.lastError ?? '', /closed the request; scan again/);
  });

  it('is cancelled at once, however long its page takes to go back to QR codes', async (t) => {
    const { linking, asked, state, outcomes, calls } = linkingOf(t, () => new Promise(() => {}));
    const id = await asked();
    linking.passkey.cancel(id);
    assert.deepEqual([state.current, outcomes, calls.at(-1)], ['qr', ['cancelled'], 'cancelPasskey']);
    // The page still shows its screen, and loses its connection: that is no new request.
    for (const last of [
      report('UNPAIRED', 'asking'),
      report('OPENING', null),
      report('UNPAIRED', 'prompt'),
    ]) {
      await linking.passkey.update(last);
      assert.equal(state.current, 'qr');
    }
    await linking.passkey.update(report('UNPAIRED', 'prompt', 2));
    assert.equal(state.current, 'passkey_required');
  });

  it('does not link after it was cancelled, when the page had linked just before', async (t) => {
    const { linking, asked, state, calls, undone } = linkingOf(t);
    const id = await asked();
    linking.passkey.ceremony?.answer(id, credentialWith());
    linking.passkey.cancel(id);
    await linking.passkey.update(report('OPENING', null));
    assert.equal(await linking.passkey.update(report('CONNECTED', null)), false);
    assert.deepEqual([linking.onLinked(), undone(), state.current], [false, 1, 'qr']);
    assert.ok(!calls.includes('backToQr'), 'the page stays connected to be logged out');
  });

  it('links by a later scan when the page went back to QR codes after the cancel', async (t) => {
    const { linking, asked, state, undone } = linkingOf(t);
    const id = await asked();
    linking.passkey.ceremony?.answer(id, credentialWith());
    linking.passkey.cancel(id);
    await linking.passkey.update(report('UNPAIRED', null));
    await linking.passkey.update(report('CONNECTED', null));
    assert.deepEqual([linking.onLinked(), undone(), state.current], [true, 0, 'authenticated']);
  });

  it('sends the page back to QR codes again while it still shows a cancelled request', async (t) => {
    const { linking, asked, state, calls, pass } = linkingOf(t);
    const id = await asked();
    linking.passkey.ceremony?.answer(id, credentialWith());
    linking.passkey.cancel(id);
    for (const times of [1, 2]) {
      pass(9_000);
      await linking.passkey.update(report('UNPAIRED', 'phone'));
      pass(1_001);
      await linking.passkey.update(report('UNPAIRED', 'phone'));
      assert.equal(calls.filter((call) => call === 'backToQr').length, times);
    }
    assert.equal(state.current, 'qr');
  });
});
