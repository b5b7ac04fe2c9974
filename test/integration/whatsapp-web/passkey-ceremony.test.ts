import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { AuthenticationResponseJSON } from '@simplewebauthn/server';
import type { Browser, Page } from 'puppeteer';
import { eventually } from '../../support/eventually.js';
import {
  garbageAssertion,
  withClientData,
  withCredentialId,
  withoutUserVerification,
  withRpId,
  withTamperedSignature,
} from '../../support/forged-assertions.js';
import { findHeadlessShell, headlessShellMissing } from '../../support/headless-shell.js';
import { OwnerBrowser } from '../../support/owner-browser.js';
import { startWhatsAppWeb, type WhatsAppWeb } from '../../whatsapp-web/index.js';
import { closePage, inPage, openPage, startBrowser, untilSynced } from '../../whatsapp-web/raw-page.js';
import type { PasskeyOptions } from '../../whatsapp-web/relying-party.js';

/**
 * Linking with a passkey, step by step, without the product. The page's browser cannot reach the passkey. A script in its page
 * lets this test answer `navigator.credentials.get()`, mostly with what the owner's browser makes.
 */

type Answer = (options: PasskeyOptions) => Promise<AuthenticationResponseJSON>;

const CARDS = {
  prompt: 'shortcake_passkey_prompt_card',
  phone: 'shortcake_waiting_for_phone_card',
  code: 'shortcake_code_matching_card',
};
const CONTINUE = id('shortcake_passkey_continue_button');
const CONFIRM = id('shortcake_code_confirm_button');
const CODE = id('shortcake_verification_code_display');
const ALERT = `${id(CARDS.prompt)} [role=alert]`;
const STAGE = "r('WAWebShortcakeLinkingApi').getShortcakeLinkingStage()";
const TYPE = "r('WAWebAltDeviceLinkingApi').getPairingType()";

let whatsAppWeb: WhatsAppWeb;
let browser: Browser;
let owner: OwnerBrowser;
let passkeyId: string;
let page: Page;
/** How `navigator.credentials.get()` is answered, and the options of each call. */
let answer: Answer;
let calls: PasskeyOptions[];

before(async () => {
  whatsAppWeb = await startWhatsAppWeb();
  [browser, owner] = await Promise.all([
    startBrowser(whatsAppWeb),
    OwnerBrowser.open(whatsAppWeb.chromeArgs),
  ]);
  passkeyId = await owner.register();
});

beforeEach(async () => {
  const timing = { openingMs: 20, restartMs: 20, offlineMs: 20, syncMs: 50, passkeyPhoneMs: 20 };
  const limits = { passkeyHandoffMs: 300_000, passkeyWaitMs: 120_000, firstRefMs: 60_000, nextRefMs: 60_000 };
  await whatsAppWeb.timing.set({ ...timing, ...limits });
  await whatsAppWeb.faults.clear();
  await whatsAppWeb.phone.unlink();
  await whatsAppWeb.phone.askForPasskey(true);
  await owner.decline(false);
  calls = [];
  answer = (options) => owner.assert(options);
  page = await openPage(browser);
  await relay(page);
  await eventually(async () => (await whatsAppWeb.phone.currentQr()) !== null);
});

afterEach(() => closePage(whatsAppWeb, page));

after(async () => {
  await Promise.all([browser.close(), owner.close()]);
  await whatsAppWeb.close();
});

const ask = <T>(expression: string) => inPage<T>(page, expression);
const passkey = async () => (await whatsAppWeb.phone.state()).passkey;
const isAlerted = () => page.waitForSelector(ALERT);

test('a person presses Continue, the owner uses the passkey, the page confirms by itself: linked', async () => {
  const before = await passkey();
  await listen();
  await scan();
  assert.equal(await ask(STAGE), 'NotStarted');
  assert.equal(calls.length, 0, 'nothing is asked before Continue');
  await page.click(CONTINUE);
  await untilSynced(page);

  assert.match(calls[0]?.challenge ?? '', /^[\w-]{43}$/);
  const others = calls.map(({ challenge: _, ...options }) => options);
  assert.deepEqual(others, [
    {
      timeout: 600_000,
      rpId: 'whatsapp.com',
      allowCredentials: [],
      userVerification: 'required',
      extensions: { uvm: true },
    },
  ]);
  const heard = await ask<[string, ...unknown[]][]>('window.heard');
  assert.deepEqual(
    heard.map(([event]) => event),
    ['passkey_prologue_request', 'shortcake_prologue_sent', 'shortcake_verification_code_ready'],
  );
  assert.match(String(heard[2]?.[1]), /^[0-9A-HJKMNP-TV-Z]{8}$/);
  assert.equal(heard[2]?.[2], true);
  const { optionsSent, verified, failures, waiting, phoneCode } = await passkey();
  assert.deepEqual(verified.slice(before.verified.length), [
    { credentialId: passkeyId, userVerified: true, origin: 'https://web.whatsapp.com', rpID: 'whatsapp.com' },
  ]);
  assert.deepEqual(
    [optionsSent - before.optionsSent, failures, waiting, phoneCode],
    [1, before.failures, 0, null],
  );
  assert.equal(await page.$(id('shortcake_passkey_screen')), null);
});

test('the button is disabled while the owner is asked, and the waits have their cards and stages', async () => {
  await whatsAppWeb.faults.set({ passkeySilent: true });
  const asserted = gate();
  answer = async (options) => {
    await asserted.opened;
    return owner.assert(options);
  };
  await scan();
  await page.click(CONTINUE);
  await eventually(() => calls.length === 1);
  assert.equal(await page.$eval(CONTINUE, (button) => 'disabled' in button && button.disabled), true);
  assert.deepEqual([await ask(STAGE), (await passkey()).stage], ['Initialized', 'Initialized']);
  asserted.open();
  await page.waitForSelector(id(CARDS.phone));
  assert.equal(await ask(STAGE), 'WaitingForPrimaryIdentity');
  assert.equal(await ask("r('WAWebSocketModel').Socket.state"), 'UNPAIRED');
});

test('a person compares the code when the page can no longer prove the scan', async () => {
  await whatsAppWeb.timing.set({ passkeyHandoffMs: 0 });
  await scan();
  await page.click(CONTINUE);
  await page.waitForSelector(id(CARDS.code));
  const { phoneCode, stage } = await passkey();
  assert.equal(stage, 'WaitingForVerificationCodeConfirmation');
  const shown = await page.$eval(CODE, (element) => element.textContent);
  assert.match(shown ?? '', /^.{4}-.{4}$/);
  assert.equal(shown?.replace('-', ''), phoneCode);
  await page.click(CONFIRM);
  await untilSynced(page);
});

test('the screen, the events and the functions of the modules do the same', async () => {
  await whatsAppWeb.faults.set({ passkeyWithoutTestIds: true });
  await whatsAppWeb.timing.set({ passkeyHandoffMs: 0 });
  await listen();
  await whatsAppWeb.phone.scanCurrent();
  await eventually(async () => (await ask(TYPE)) === 'SHORTCAKE_PASSKEY');
  await page.waitForSelector('section button');
  assert.equal(await page.$('[data-testid]'), null);
  await ask("r('WAWebShortcakeLinkingAction').startShortcakePasskeyPairing()");
  await eventually(async () => (await ask(STAGE)) === 'WaitingForVerificationCodeConfirmation');
  const heard = await ask<unknown[][]>('window.heard');
  assert.equal(heard.at(-1)?.[2], false);
  await ask("r('WAWebShortcakeLinkingAction').confirmShortcakeVerificationCode()");
  await untilSynced(page);
});

const refused: Record<string, [Answer, RegExp]> = {
  'the owner declines': [
    async (options) => {
      await owner.decline();
      return owner.assert(options);
    },
    /^unknown: NotAllowedError$/,
  ],
  'the challenge is another': [
    forged((right) => withClientData(right, { challenge: 'AAAA' })),
    /^server_error: .*challenge/,
  ],
  'the site is another': [
    forged((right) => withClientData(right, { origin: 'https://evil.example' })),
    /^server_error: .*origin/,
  ],
  'the relying party is another': [
    forged((right) => withRpId(right, 'evil.example')),
    /^server_error: .*RP ID/,
  ],
  'nobody was verified': [forged(withoutUserVerification), /^server_error: .*verif/],
  'the signature is wrong': [forged(withTamperedSignature), /^server_error: bad signature$/],
  'the passkey is unknown': [
    forged((right) => withCredentialId(right)),
    /^server_error: unknown credential$/,
  ],
  'the answer is random bytes': [
    forged((right) => ({ ...garbageAssertion(100), id: right.id, rawId: right.rawId })),
    /^server_error: /,
  ],
};

for (const [what, [how, reason]] of Object.entries(refused)) {
  test(`an error shows if ${what}; Continue asks anew, and then a person confirms the code`, async () => {
    const before = await passkey();
    answer = how;
    await listen();
    await scan();
    await page.click(CONTINUE);
    await isAlerted();
    assert.equal((await ask<unknown[][]>('window.heard')).at(-1)?.[0], 'shortcake_error');
    assert.equal(await ask(STAGE), 'NotStarted');
    const failed = await passkey();
    assert.equal(failed.failures.length, before.failures.length + 1);
    assert.match(failed.failures.at(-1) ?? '', reason);
    assert.deepEqual([failed.verified, failed.waiting], [before.verified, 1]);

    await owner.decline(false);
    answer = (options) => owner.assert(options);
    await page.click(CONTINUE);
    await page.waitForSelector(`${CONFIRM}:enabled`);
    assert.notEqual(calls[0]?.challenge, calls[1]?.challenge);
    await page.click(CONFIRM);
    await untilSynced(page);
  });
}

test('a passkey that is given twice counts once', async () => {
  let first: AuthenticationResponseJSON | undefined;
  answer = async (options) => {
    first ??= await owner.assert(options);
    return first;
  };
  await whatsAppWeb.faults.set({ passkeyServerError: true });
  await scan();
  await page.click(CONTINUE);
  await isAlerted();
  assert.equal((await passkey()).failures.at(-1), 'server_error: internal-server-error');
  await whatsAppWeb.faults.clear();
  await page.click(CONTINUE);
  await eventually(async () => /challenge/.test((await passkey()).failures.at(-1) ?? ''));
});

const waits = {
  WaitingForPrimaryIdentity: [{ passkeySilent: true }, 300_000],
  WaitingForVerificationCodeConfirmation: [{}, 0],
  WaitingForPairingCompletion: [{ passkeyNeverPaired: true }, 300_000],
} as const;

for (const [stage, [faults, passkeyHandoffMs]] of Object.entries(waits)) {
  test(`the page gives up when its limit ends: ${stage}`, async () => {
    await whatsAppWeb.faults.set(faults);
    await whatsAppWeb.timing.set({ passkeyHandoffMs, passkeyWaitMs: 300 });
    await listen();
    await scan();
    await page.click(CONTINUE);
    await isAlerted();
    assert.deepEqual((await ask<unknown[][]>('window.heard')).at(-1), ['shortcake_error', 'timeout']);
    const { failures, phoneCode } = await passkey();
    assert.deepEqual([failures.at(-1), phoneCode], [`timeout: ${stage}`, null]);
  });
}

test('a second scan replaces the request, and the first call is never answered', async () => {
  const first = gate();
  answer = async (options) => {
    if (calls.length === 1) await first.opened;
    return owner.assert(options);
  };
  await scan();
  await page.click(CONTINUE);
  await eventually(() => calls.length === 1);
  const scanned = await whatsAppWeb.phone.currentQr();
  assert.equal(scanned, null);
  await ask("r('WAWebLaunchSocketUtils').refreshQR()");
  await eventually(async () => (await whatsAppWeb.phone.currentQr()) !== null);
  await scan();
  first.open();
  await page.click(CONTINUE);
  await untilSynced(page);
  assert.equal(calls.length, 2);
  assert.notEqual(calls[0]?.challenge, calls[1]?.challenge);
  assert.equal((await whatsAppWeb.phone.state()).devices.length, 1);
});

test('Continue that does nothing asks nobody', async () => {
  await whatsAppWeb.faults.set({ passkeyWithoutGet: true });
  await scan();
  await page.click(CONTINUE);
  await ask("r('WAWebShortcakeLinkingAction').startShortcakePasskeyPairing()");
  assert.deepEqual([calls, await ask(STAGE)], [[], 'NotStarted']);
});

for (const [how, cancel] of Object.entries({
  'its button': () => page.click(id('shortcake_cancel_button')),
  'its function': () => ask("r('WAWebShortcakeLinkingAction').cancelShortcakePasskeyPairing()"),
  'the phone': () => whatsAppWeb.phone.cancelPasskey(),
})) {
  test(`${how} cancels: QR codes again, with a new secret, and a late answer changes nothing`, async () => {
    const late = gate();
    answer = async (options) => {
      await late.opened;
      return owner.assert(options);
    };
    const secret = "r('WAWebUserPrefsMultiDevice').getADVSecretKey()";
    await scan();
    const before = await ask(secret);
    await page.click(CONTINUE);
    await eventually(() => calls.length === 1);
    await cancel();
    await eventually(async () => (await ask(TYPE)) === 'QR_CODE');
    assert.notEqual(await ask(secret), before);
    assert.equal(await page.$(id('shortcake_passkey_screen')), null);
    assert.equal((await passkey()).waiting, 0);
    late.open();
    await whatsAppWeb.phone.askForPasskey(false);
    await eventually(async () => (await whatsAppWeb.phone.scanCurrent()).linked);
    await untilSynced(page);
  });
}

test('a browser that cannot reach a passkey: headless Chromium stays pending', async () => {
  await closePage(whatsAppWeb, page);
  page = await openPage(browser);
  await eventually(async () => (await whatsAppWeb.phone.currentQr()) !== null);
  await scan();
  await page.click(CONTINUE);
  await eventually(async () => (await ask(STAGE)) === 'Initialized');
  assert.equal(await Promise.race([isAlerted().then(() => 'failed'), pause(1_000, 'pending')]), 'pending');
});

const headlessShell = findHeadlessShell();
const isSkipped = headlessShell === undefined ? headlessShellMissing : false;

test('a browser that cannot reach a passkey: headless shell fails at once', { skip: isSkipped }, async () => {
  await closePage(whatsAppWeb, page);
  const shell = await startBrowser(whatsAppWeb, { headlessShell });
  try {
    page = await openPage(shell);
    await eventually(async () => (await whatsAppWeb.phone.currentQr()) !== null);
    await scan();
    await page.click(CONTINUE);
    await isAlerted();
    assert.equal((await passkey()).failures.at(-1), 'unknown: NotSupportedError');
  } finally {
    await closePage(whatsAppWeb, page);
    await shell.close();
    page = await openPage(browser);
  }
});

function id(testId: string): string {
  return `[data-testid=${testId}]`;
}

function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}

function forged(forge: (right: AuthenticationResponseJSON) => AuthenticationResponseJSON): Answer {
  return async (options) => forge(await owner.assert(options));
}

async function scan(): Promise<void> {
  const result = await whatsAppWeb.phone.scanCurrent();
  assert.equal(!result.linked && result.reason, 'passkey-asked');
  await page.waitForSelector(`${CONTINUE}:enabled`);
}

/** Collects the events of linking in `window.heard`. */
async function listen(): Promise<void> {
  await ask(`{
    window.heard = [];
    for (const event of [
      'passkey_prologue_request', 'shortcake_prologue_sent', 'shortcake_verification_code_ready', 'shortcake_error',
    ]) {
      r('WAWebLinkDeviceEvents').WAWebLinkDeviceEvents.on('link_device_events:' + event, (...details) => {
        window.heard.push([event, ...details]);
      });
    }
  }`);
}

/** Lets `answer` answer the page's calls for a passkey. A rejection becomes a NotAllowedError. */
async function relay(page: Page): Promise<void> {
  await page.exposeFunction('askOwner', async (options: PasskeyOptions) => {
    calls.push(options);
    return answer(options).catch(() => null);
  });
  await page.evaluate(`{
    const encode = (bytes) =>
      btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/[+]/g, '-').replace(/[/]/g, '_').replace(/=+$/, '');
    const decode = (text) =>
      Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (each) => each.charCodeAt(0)).buffer;
    navigator.credentials.get = async ({ publicKey }) => {
      if (!(publicKey.challenge instanceof Uint8Array)) throw new TypeError('the challenge must be bytes');
      const made = await window.askOwner({ ...publicKey, challenge: encode(publicKey.challenge) });
      if (made === null) throw new DOMException('refused', 'NotAllowedError');
      const { id, rawId, type, response } = made;
      const bytes = Object.entries(response).map(([name, value]) => [name, value && decode(value)]);
      return { id, rawId: decode(rawId), type, response: Object.fromEntries(bytes) };
    };
  }`);
}
