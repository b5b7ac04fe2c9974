import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PasskeyScreen } from '../../../../../src/session-worker/whatsapp/in-page/passkey.js';
import { fakePage } from '../../../../support/fake-page.js';

type Get = (options: unknown) => Promise<unknown>;

/** A page that WhatsApp has asked for a passkey. Its screen has no test ids, except those in `shown`. */
async function askedPage(tellNode: (message: { type: string }) => unknown = () => new Promise(() => {})) {
  const page = fakePage();
  const listeners = new Map<string, (...values: unknown[]) => void>();
  const shown: Record<string, object> = {};
  const told: string[] = [];
  const confirmed: string[] = [];
  class CredentialsContainer {
    get(_options: unknown): unknown {
      return 'the browser';
    }
  }
  Object.assign(page.window, {
    ...{ CredentialsContainer, DOMException, ArrayBuffer, btoa, atob, top: page.window },
    location: { origin: 'https://web.whatsapp.com', search: '' },
    document: { readyState: 'complete', querySelector: (selector: string) => shown[selector] ?? null },
    holdlineTell: async (message: { type: string; requests?: number }) => {
      told.push([message.type, message.requests ?? ''].join(' ').trim());
      return message.type === 'passkey-asked' ? tellNode(message) : null;
    },
  });
  const socket = { state: 'UNPAIRED' };
  page.modules.WAWebSocketModel = { Socket: socket };
  page.modules.WAWebAltDeviceLinkingApi = { getPairingType: () => 'SHORTCAKE_PASSKEY' };
  page.modules.WAWebLinkDeviceEvents = {
    WAWebLinkDeviceEvents: {
      on: (name: string, listener: () => void) => listeners.set(name, listener),
    },
  };
  page.modules.WAWebShortcakeLinkingAction = {
    startShortcakePasskeyPairing: () => undefined,
    confirmShortcakeVerificationCode: () => confirmed.push('confirmed'),
  };
  await page.value('relayPasskey');
  await page.value('watchForPasskey');
  const emit = (event: string, ...values: unknown[]) =>
    listeners.get(`link_device_events:${event}`)?.(...values);
  emit('passkey_prologue_request');
  const publicKey = { rpId: 'whatsapp.com', challenge: new Uint8Array([1, 2, 3]) };
  return {
    ...{ page, socket, shown, told, confirmed, emit },
    get: () => (new CredentialsContainer() as { get: Get }).get({ publicKey }),
    screen: async () => (await page.value<{ passkey: PasskeyScreen | null }>('report')).passkey,
  };
}

const refused = { name: 'NotAllowedError' };

describe("the page's call for a passkey", () => {
  it('is ended by a further request of WhatsApp, and can then be made again', async () => {
    const { get, emit, screen, told } = await askedPage();
    const first = get();
    assert.deepEqual(await screen(), { card: 'asking', code: null, reason: null, requests: 1 });
    await assert.rejects(get(), { name: 'OperationError' });
    emit('passkey_prologue_request');
    await assert.rejects(first, refused);
    assert.deepEqual(await screen(), { card: 'prompt', code: null, reason: null, requests: 2 });
    assert.deepEqual(told, ['passkey-asked 1', 'passkey-aborted']);
    void get().catch(() => undefined);
    assert.equal((await screen())?.card, 'asking');
    assert.equal(told.at(-1), 'passkey-asked 2');
  });

  it('shows that the page gave it up after a further request', async () => {
    const { get, emit, screen } = await askedPage();
    const first = get();
    emit('passkey_prologue_request');
    await assert.rejects(first, refused);
    emit('shortcake_error', 'unknown');
    assert.deepEqual(await screen(), { card: 'failed', code: null, reason: 'unknown', requests: 2 });
  });

  it('is refused as by a browser when Node cannot take it', async () => {
    const { get, screen } = await askedPage(() => Promise.reject(new Error('the binding is gone')));
    await assert.rejects(get(), refused);
    assert.equal((await screen())?.card, 'prompt');
  });
});

describe("the page's screen for a passkey", () => {
  it('is what the page told last, also after a lost connection', async () => {
    const { emit, screen, socket } = await askedPage();
    emit('shortcake_prologue_sent');
    assert.equal((await screen())?.card, 'phone');
    socket.state = 'OPENING';
    assert.equal(await screen(), null);
    socket.state = 'UNPAIRED';
    assert.equal((await screen())?.card, 'phone');
  });

  it('is that of a further request, unless the page goes on with the one before', async () => {
    const { emit, page, screen } = await askedPage();
    let stage = 'WaitingForPrimaryIdentity';
    page.modules.WAWebShortcakeLinkingApi = { getShortcakeLinkingStage: () => stage };
    emit('shortcake_prologue_sent');
    emit('passkey_prologue_request');
    assert.deepEqual([(await screen())?.card, (await screen())?.requests], ['phone', 2]);
    stage = 'NotStarted';
    emit('passkey_prologue_request');
    assert.deepEqual([(await screen())?.card, (await screen())?.requests], ['prompt', 3]);
  });

  it('has nothing to confirm when the page has confirmed the code itself', async () => {
    const { emit, screen, shown } = await askedPage();
    shown['[data-testid=shortcake_verification_code_display]'] = { textContent: 'ABCD-1234' };
    emit('shortcake_verification_code_ready', 'ABCD1234', false);
    assert.deepEqual([(await screen())?.card, (await screen())?.code], ['code', 'ABCD1234']);
    emit('shortcake_verification_code_ready', 'ABCD1234', true);
    assert.equal((await screen())?.card, 'linking');
  });

  it('confirms a code once', async () => {
    const { page, emit, screen, confirmed } = await askedPage();
    emit('shortcake_prologue_sent');
    emit('shortcake_verification_code_ready', 'ABCD1234', false);
    for (let i = 0; i < 2; i++) await page.value('confirmPasskeyCode');
    assert.deepEqual([(await screen())?.card, confirmed], ['linking', ['confirmed']]);
  });

  it('does not change when a button cannot be pressed', async () => {
    const { page, screen } = await askedPage();
    delete page.modules.WAWebShortcakeLinkingAction;
    assert.equal((await page.call('continuePasskey')).type, 'error');
    assert.equal((await screen())?.card, 'prompt');
  });
});
