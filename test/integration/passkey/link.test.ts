import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, afterEach, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Page } from 'puppeteer';
import type { PasskeyOptions, PasskeyStatus } from '../../../src/contract/passkey.js';
import { Gateway } from '../../../src/passkey/gateway.js';
import { linkWithPasskey } from '../../../src/passkey/link.js';
import { notKnown, off } from '../../../src/session-worker/passkey-sentences.js';
import { eventually } from '../../support/eventually.js';
import { assertNothingLeft } from '../../support/leftovers.js';
import {
  desktopArgs,
  passkeyButton,
  playWhatsApp,
  ScriptedGateway,
  scriptedTerminal,
} from '../../support/owner-desktop.js';

/** A real browser on the owner's desktop; the server follows a script. */

const options: PasskeyOptions = {
  challenge: 'yq5ZQmZ3m0tPZlJ9m7M5cXh1b0tqV0d5c2RrbGZqYXM',
  rpId: 'whatsapp.com',
  timeout: 600_000,
  allowCredentials: [],
  userVerification: 'required',
};
const key = 'hl_the-key-of-the-operator';

/** What the server holds; a test changes it. */
class Session {
  view: (PasskeyStatus & { options: PasskeyOptions | null; code: string | null }) | null = null;
  state = 'qr';
  last_error: string | null = null;

  at(step: PasskeyStatus['step'], more: Partial<NonNullable<Session['view']>> = {}): void {
    const isAnswer = step === 'answer';
    this.view = {
      ...{ id: 'r1', step, attempt: 1, expires_at: null, code_needed: false, problem: null },
      ...{ options: isAnswer ? options : null, code: null, ...more },
    };
    this.state = 'passkey_required';
  }

  linked(): void {
    this.view = null;
    this.state = 'ready';
  }
}

const refusal = (status: number, code: string, message: string) =>
  [status, { error: { code, message } }] as const;

/** A call that the server carries out. */
const accepted = (carryOut: () => void) => () => {
  carryOut();
  return [202, { ok: true }] as const;
};

describe('npm run passkey', () => {
  const closing: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
    assert.deepEqual(profilesLeft.splice(0), []);
  });
  // Other files make profiles at the same time.
  const shared = process.env.TMPDIR;
  const temporary = mkdtempSync(join(tmpdir(), 'holdline-link-'));
  before(() => {
    process.env.TMPDIR = temporary;
  });
  after(() => {
    if (shared === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = shared;
    rmSync(temporary, { recursive: true, force: true });
  });
  const profiles = () => readdirSync(temporary).filter((name) => name.startsWith('holdline-passkey-'));
  const profilesLeft: string[] = [];
  after(assertNothingLeft);

  async function open(replies: boolean[] | null = []) {
    const session = new Session();
    const posts: Record<string, () => readonly [number, unknown, Record<string, string>?]> = {};
    const gateway = new ScriptedGateway(({ method, path }) => {
      const name = path.replace('/wa/api/', '');
      if (name === 'status') return [200, { state: session.state, last_error: session.last_error }];
      if (method === 'POST') return posts[name.replace('auth/passkey/', '')]?.() ?? [500, {}];
      return session.view
        ? [200, session.view]
        : refusal(404, 'passkey_not_pending', 'WhatsApp asks for nothing');
    });
    const url = await gateway.listen();
    closing.push(() => gateway.close());
    const terminal = scriptedTerminal(replies);
    const stopping = new AbortController();
    const pages: Page[] = [];
    const ended = linkWithPasskey({
      gateway: new Gateway(`${url}/wa/`, key),
      browser: {
        environment: process.env,
        executable: '/usr/bin/chromium',
        profile: undefined,
        args: desktopArgs,
        say: terminal.say,
      },
      terminal,
      signal: stopping.signal,
      pollMs: 50,
      onPage: async (page) => {
        await playWhatsApp(page);
        pages.push(page);
      },
    });
    const result = ended.then(
      () => null,
      (error: Error) => error,
    );
    closing.push(async () => {
      stopping.abort();
      await result;
      profilesLeft.push(...profiles());
    });
    return {
      ...{ session, posts, gateway, terminal, stopping, result, pages, url: `${url}/wa` },
      press: async () => {
        const page = (await eventually(() => pages[0])) as Page;
        await page.waitForSelector(passkeyButton);
        await page.click(passkeyButton);
      },
      says: (text: RegExp) =>
        eventually(() => terminal.lines.some((line) => text.test(line)), {
          message: `it says ${text}: ${terminal.lines}`,
        }),
      sent: (name: string) => gateway.calls.filter(({ path }) => path === `/wa/api/auth/passkey/${name}`),
    };
  }

  it('waits for a request, shows the button, sends the answer, and tells that the account is linked', async () => {
    const { session, posts, gateway, says, press, sent, result, terminal } = await open();
    await says(/waiting until WhatsApp asks for a passkey \(the state is qr\): scan the code at .*\/wa\/qr$/);
    posts.answer = accepted(() => session.at('phone'));
    session.at('answer');
    await press();
    await says(/keep WhatsApp open/);
    session.linked();
    assert.equal(await result, null);
    assert.equal(terminal.lines.at(-1), 'the account is linked');
    const [answer, ...more] = sent('answer');
    assert.deepEqual(more, []);
    const { id, credential } = answer?.body ?? assert.fail('no answer');
    const client = JSON.parse(Buffer.from(credential.response.clientDataJSON, 'base64url').toString());
    assert.deepEqual(
      [id, credential.type, client.type, client.challenge, client.origin],
      ['r1', 'public-key', 'webauthn.get', options.challenge, 'https://web.whatsapp.com'],
    );
    assert.ok(gateway.calls.every(({ authorization }) => authorization === `Bearer ${key}`));
    const said = terminal.lines.join('\n');
    for (const secret of [key, options.challenge, credential.response.signature])
      assert.ok(!said.includes(secret));
  });

  it('says why an answer is refused, and shows the button again', async () => {
    const { session, posts, press, says, sent, result } = await open();
    session.at('answer');
    posts.answer = () =>
      refusal(422, 'passkey_not_acceptable', 'it was made for \u001b[31manother\n request');
    await press();
    await says(/^the answer was not accepted: it was made for \[31manother request; if the button/);
    posts.answer = accepted(() => session.linked());
    await press();
    assert.equal(await result, null);
    assert.equal(sent('answer').length, 2);
  });

  it('says that it is not known whether an answer arrived, when the server could not tell', async () => {
    const { session, posts, press, says, result } = await open();
    session.at('answer');
    posts.answer = () => refusal(504, 'timeout', 'the session did not answer in time');
    await press();
    await says(
      /^it is not known whether the answer arrived: .* answers 504 now: the session did not .*; if the/,
    );
    posts.answer = accepted(() => session.linked());
    await press();
    assert.equal(await result, null);
  });

  it('compares the code, and confirms it after a yes', async () => {
    const { session, posts, says, sent, result } = await open([true]);
    session.at('code', { code: 'K7QX2M4P' });
    posts.confirm = () => {
      session.linked();
      return [202, { ok: true }];
    };
    await says(/^Does the phone show K7QX-2M4P\?$/);
    assert.equal(await result, null);
    assert.deepEqual(
      sent('confirm').map(({ body }) => body),
      [{ id: 'r1', code: 'K7QX2M4P' }],
    );
  });

  it('cancels after a no', async () => {
    const { session, posts, sent, result } = await open([false]);
    session.at('code', { code: 'K7QX2M4P' });
    posts.cancel = () => {
      session.view = null;
      session.state = 'qr';
      return [202, { ok: true, passkey: null }];
    };
    assert.match((await result)?.message ?? '', /nothing was linked: the request was cancelled/);
    assert.deepEqual([sent('cancel').length, sent('confirm').length], [1, 0]);
  });

  it('leaves a question when the request goes on without it', async () => {
    const { session, says, result } = await open([]);
    session.at('code', { code: 'K7QX2M4P' });
    await says(/^Does the phone show/);
    session.at('linking');
    await says(/WhatsApp links the account/);
    session.linked();
    assert.equal(await result, null);
  });

  it('asks nothing without a terminal, and says what to call', async () => {
    const { session, says, result, url } = await open(null);
    session.at('code', { code: 'K7QX2M4P' });
    await says(/confirm it: POST .*\/wa\/api\/auth\/passkey\/confirm with \{"id":"r1","code":"K7QX-2M4P"\}/);
    session.at('failed', { problem: 'the phone did not go on in time' });
    await says(/^this attempt failed: the phone did not go on in time$/);
    await says(new RegExp(`to try again: POST ${url}/api/auth/passkey/retry with`));
    session.linked();
    assert.equal(await result, null);
  });

  it('tries again after a failure with a new request in the same browser', async () => {
    const { session, posts, press, says, result, pages, sent } = await open([true]);
    session.at('answer');
    posts.answer = accepted(() => session.at('failed', { problem: 'WhatsApp did not accept the passkey' }));
    posts.retry = () => {
      session.at('answer', { id: 'r2', attempt: 2, options: { ...options, challenge: 'c2Vjb25k' } });
      return [202, { ok: true }];
    };
    await press();
    await says(/^Try again\?$/);
    await eventually(() => session.view?.id === 'r2');
    posts.answer = accepted(() => session.linked());
    await press();
    assert.equal(await result, null);
    assert.deepEqual([pages.length, ...sent('answer').map(({ body }) => body.id)], [1, 'r1', 'r2']);
  });

  it('ends when it may not try again', async () => {
    const { session, posts, result } = await open([true]);
    session.at('failed', { problem: 'WhatsApp did not accept the passkey' });
    posts.retry = () => refusal(429, 'rate_limited', 'it was tried 3 times; cancel it and scan again');
    assert.match((await result)?.message ?? '', /nothing was linked: it was tried 3 times/);
  });

  it('asks again when the server is only busy', async () => {
    const { session, posts, says, result } = await open([true, true]);
    const busy = refusal(429, 'rate_limited', 'more than 10 calls for a passkey a minute');
    const replies = [[...busy, { 'retry-after': '1' }] as const];
    posts.retry = () => replies.pop() ?? accepted(() => session.linked())();
    session.at('failed', { problem: 'WhatsApp did not accept the passkey' });
    await says(/^more than 10 calls/);
    assert.equal(await result, null);
  });

  for (const [when, hasAsked] of [
    ['from the start', false],
    ['after a request', true],
  ] as const) {
    it(`ends when the server has WHATSAPP_PASSKEY=off, ${when}`, async () => {
      const { session, says, result } = await open();
      if (hasAsked) {
        session.at('phone');
        await says(/keep WhatsApp open/);
      }
      Object.assign(session, { view: null, state: 'passkey_required', last_error: off });
      assert.match(
        (await result)?.message ?? '',
        /^nothing was linked: .*\/wa has WHATSAPP_PASSKEY=off, .*: set it to on, start .* again, and scan again$/,
      );
    });
  }

  it('waits on when WhatsApp asks in another way, and says the reason of the server', async () => {
    const { session, says, stopping, result } = await open();
    Object.assign(session, { state: 'passkey_required', last_error: notKnown });
    await says(new RegExp(`\\(the state is passkey_required\\): ${notKnown}`));
    stopping.abort();
    assert.equal((await result)?.name, 'AbortError');
  });

  it('leaves no profile of a browser when the process ends at once', async () => {
    const program = fileURLToPath(new URL('../../support/programs/desktop-that-exits.js', import.meta.url));
    const child = spawn(process.execPath, [program], {
      env: process.env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [shown, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
    assert.deepEqual([code, shown], [130, 'profiles: 1\n']);
    assert.deepEqual(profiles(), []);
  });

  it('says why a request ended without a link', async () => {
    const { session, says, result } = await open();
    session.at('phone');
    await says(/keep WhatsApp open/);
    Object.assign(session, {
      view: null,
      state: 'qr',
      last_error: 'nobody used the passkey in time; scan again',
    });
    assert.match(
      (await result)?.message ?? '',
      /^nothing was linked: nobody used the passkey in time; scan again$/,
    );
  });

  it('brings the button back after a reload of the page', async () => {
    const { session, posts, press, pages, result } = await open();
    session.at('answer');
    posts.answer = accepted(() => session.linked());
    const page = (await eventually(() => pages[0])) as Page;
    await page.waitForSelector(passkeyButton);
    await page.reload();
    await press();
    assert.equal(await result, null);
  });

  it('says once that it shows no button on another page, and shows it when the owner is back', async () => {
    const { session, posts, press, pages, says, terminal, gateway, result } = await open();
    session.at('answer');
    posts.answer = accepted(() => session.linked());
    const page = (await eventually(() => pages[0])) as Page;
    await page.waitForSelector(passkeyButton);
    await page.goto('data:text/html,<p>elsewhere');
    await says(/no button: Open https:\/\/web\.whatsapp\.com first/);
    const polls = gateway.calls.length;
    await eventually(() => gateway.calls.length > polls + 3);
    assert.equal(terminal.lines.filter((line) => /no button/.test(line)).length, 1);
    await page.goto('https://web.whatsapp.com/');
    await press();
    assert.equal(await result, null);
  });

  it('takes nothing from the page but an answer to this request', async () => {
    const { session, pages, says, sent } = await open();
    session.at('answer');
    const page = (await eventually(() => pages[0])) as Page;
    await page.waitForSelector(passkeyButton);
    for (const text of ['{', JSON.stringify({ id: 'other', credential: {} }), 'x'.repeat(20_000)]) {
      await page.evaluate(`window.holdlineTakeAnswer(${JSON.stringify(text)})`);
    }
    await says(/no answer/);
    assert.deepEqual(sent('answer'), []);
  });

  it('ends with a sentence when the browser is closed', async () => {
    const { session, pages, result } = await open();
    session.at('answer');
    const page = (await eventually(() => pages[0])) as Page;
    await page.waitForSelector(passkeyButton);
    await page.browser().close();
    assert.match((await result)?.message ?? '', /the browser was closed before the passkey was used/);
  });

  it('ends when it is aborted, also in a question', async () => {
    const { session, says, stopping, result } = await open([]);
    session.at('code', { code: 'K7QX2M4P' });
    await says(/^Does the phone show/);
    stopping.abort();
    assert.equal((await result)?.name, 'AbortError');
  });

  it('goes on when the server is away for a while', async () => {
    const { session, gateway, says, result } = await open();
    session.at('phone');
    await says(/keep WhatsApp open/);
    const { reply } = gateway;
    gateway.reply = () => refusal(503, 'redis_unavailable', 'Redis cannot be reached');
    await says(/answers 503 now: Redis cannot be reached; trying again/);
    gateway.reply = reply;
    session.linked();
    assert.equal(await result, null);
  });
});
