import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { ApiError } from '../../../../src/contract/errors.js';
import { passkeyRetriesMax } from '../../../../src/contract/passkey.js';
import { passkeyCommand } from '../../../../src/contract/passkey-command.js';
import { type SessionState, sessionStates } from '../../../../src/contract/status.js';
import { localAdmin } from '../../../../src/http/auth/authenticate.js';
import { guestQrPage } from '../../../../src/http/pages/guest-qr-page.js';
import { html } from '../../../../src/http/pages/html.js';
import { pagePolicy } from '../../../../src/http/pages/layout.js';
import { liveScript } from '../../../../src/http/pages/live-script.js';
import { topPlace } from '../../../../src/http/pages/place.js';
import { problemPage } from '../../../../src/http/pages/problem-page.js';
import { codeFormPage, formProblemPage } from '../../../../src/http/pages/qr-forms.js';
import { type QrPageInput, qrPage, secondsLeft } from '../../../../src/http/pages/qr-page.js';
import { pageStates } from '../../../pages/states.js';
import {
  linkedAccount as account,
  askedForPasskey,
  passkeySituation,
  qrSituation,
  withQr,
} from '../../../support/qr-situation.js';

const noQr = 'No QR is available yet. Start auth, then refresh this page.';
const atQr = { caller: localAdmin, target: { path: '/qr', search: '' } };
const nowMs = Date.parse('2026-01-01T00:00:00.000Z');
const evil = `"><script>alert(1)</script><img src=x onerror='alert(2)'>&amp;`;
function page(state: SessionState, input: Partial<QrPageInput> = {}): string {
  return qrPage({
    ...{ ...qrSituation(state), baseUrl: 'http://localhost:8790', place: topPlace },
    ...{ secondsLeft: 17, needsKey: false, isOperator: true, isLoggedIn: false },
    ...input,
  });
}

/** The page with a code. */
function scanPage(change: Partial<QrPageInput> = {}): string {
  return page('qr', { ...withQr('aGVsbG8='), ...change });
}

/** The forms and links to forms on a page. */
const offered = (text: string) =>
  [...text.matchAll(/(?:name="do" value="|qr-form\?do=)([\w-]+)/g)].map(([, action]) => action).sort();

describe('the /qr page', () => {
  for (const state of sessionStates) {
    it(`says in ${state} what to do, then the state, and at the foot the no-QR sentence`, () => {
      const text = page(state);
      const [heading, word, sentence] = ['<h1>', `<strong>${state}</strong>`, noQr].map((part) =>
        text.indexOf(part),
      ) as [number, number, number];
      assert.ok(heading > 0 && heading < word && word < sentence, text);
      assert.match(text, /<noscript><meta http-equiv="refresh" content="5"><\/noscript>/);
      assert.match(text, /Settings -> Linked devices -> Link a device/);
      assert.doesNotMatch(withoutOurScript(text), /<script|<img|undefined|\[object/);
      assert.match(text, /^<!doctype html>\n<html lang="en">/);
    });
  }

  it('shows a code with its size, description, number and time left', () => {
    const text = scanPage();
    assert.match(
      text,
      /<img src="data:image\/png;base64,aGVsbG8=" width="360" height="360" alt="QR code number 2: [^"]+">/,
    );
    assert.match(text, /Code 2, replaced <span data-left="17">in 17 s<\/span>/);
    assert.ok(!text.includes(noQr));
    assert.ok(text.indexOf('<img') < text.indexOf('<strong>qr</strong>'));
  });

  it('shows no time left that is unknown or over', () => {
    const unknown = withQr('x', 1);
    assert.equal(secondsLeft(unknown, nowMs), null);
    assert.match(page('qr', { ...unknown, secondsLeft: null }), /Code 1, replaced by itself/);
    assert.match(scanPage({ secondsLeft: 0 }), /replaced <span data-left="0">any moment/);
  });

  it('rounds the seconds left up, and never goes below 0', () => {
    const code = withQr('x', 1, '2026-01-01T00:00:17.000Z');
    const left = [0, 1, 999, 1_000, 17_000, 60_000].map((ms) => secondsLeft(code, nowMs + ms));
    assert.deepEqual(left, [17, 17, 17, 16, 0, 0]);
  });

  it('starts a stopped session with a button, and says how a program does', () => {
    const text = page('stopped');
    assert.match(text, /<form method="post" action="qr-form"><button type="submit" name="do" value="start">/);
    assert.match(text, /curl -X POST http:\/\/localhost:8790\/api\/auth\/start/);
    assert.match(page('stopped', { needsKey: true }), /-H &quot;Authorization: Bearer \$KEY&quot;/);
  });

  it('offers each form only where it can work', () => {
    assert.deepEqual(offered(page('stopped')), ['code', 'start']);
    assert.deepEqual(offered(page('stopped', qrSituation('stopped', { account }))), ['logout', 'start']);
    assert.deepEqual(offered(page('stopped', { start: 'waiting' })), []);
    assert.deepEqual(offered(page('starting')), ['stop']);
    assert.deepEqual(offered(scanPage()), ['code', 'stop']);
    assert.deepEqual(offered(page('passkey_required')), ['restart', 'stop']);
    assert.deepEqual(offered(page('ready', qrSituation('ready', { account }))), ['logout', 'stop']);
    assert.deepEqual(offered(page('disconnected')), ['stop']);
    assert.deepEqual(offered(page('auth_failure')), ['start']);
  });

  it('shows a pairing code with its number and its end, and never to a guest', () => {
    const pairingCode = {
      ...{ code: 'ABCD1234', phone_number: '15557654321' },
      expires_at: '2026-01-01T00:02:51.000Z',
    };
    const view = { ...qrSituation('qr'), pairingCode };
    assert.equal(secondsLeft(view, nowMs), 171);
    const text = page('qr', { ...view, secondsLeft: 171 });
    assert.match(text, /ABCD<span aria-hidden="true">-<\/span>1234/);
    assert.match(text, /<strong>\+15557654321<\/strong>/);
    assert.match(text, /Expires <span data-left="171">in 171 s<\/span>/);
    assert.ok(text.includes(noQr));
    assert.doesNotMatch(guestQrPage(view, topPlace), /ABCD|1234|1555/);
    assert.match(guestQrPage(view, topPlace), /The QR comes back here/);
  });

  it('keeps the reason why a new code is needed beside the code', () => {
    const loginLost = 'the device was unlinked on the phone; scan a new QR';
    for (const text of [scanPage({ loginLost }), page('qr', { loginLost })]) {
      assert.ok(text.includes(`Why a new code is needed: ${loginLost}`));
    }
    assert.doesNotMatch(guestQrPage({ ...withQr('x'), loginLost }, topPlace), /unlinked/);
  });

  it('says what the last logout did', () => {
    assert.match(page('stopped', { ended: { unlinked: true, reason: null } }), /no longer lists this device/);
    assert.match(page('stopped', { ended: { unlinked: false, reason: 'told nobody' } }), /told nobody/);
    assert.doesNotMatch(page('stopped', { ended: { unlinked: false, reason: null } }), /class="why/);
  });

  it('says that a start waits, and for whom', () => {
    assert.match(page('stopped', { start: 'waiting' }), /<bdi>Starting</);
    const unattended = page('stopped', { start: 'unattended', hasSupervisor: false });
    assert.match(unattended, /<bdi>No supervisor is running</);
    assert.match(unattended, /npm start -- supervisor/);
    for (const start of ['waiting', 'unattended'] as const) {
      assert.match(guestQrPage({ ...qrSituation('stopped'), start }, topPlace), /<h1>Starting</);
    }
  });

  it('says why a passkey request cannot be answered, when it cannot', () => {
    const lastError = 'WhatsApp asks for a passkey before it links this device; WHATSAPP_PASSKEY=off';
    const text = page('passkey_required', qrSituation('passkey_required', { last_error: lastError }));
    assert.match(text, /<h1><bdi>WhatsApp asks for a passkey<\/bdi><\/h1>/);
    assert.ok(text.includes(lastError));
    assert.deepEqual(offered(text), ['restart', 'stop']);
  });

  it('leads the operator through a passkey request, and gives nobody else what links the account', () => {
    const command = passkeyCommand({ ...askedForPasskey, gateway: 'http://localhost:8790/qr' });
    const asked = passkeySituation('answer');
    const text = page('passkey_required', asked);
    assert.match(text, /<h1><bdi>Use your passkey<\/bdi><\/h1>/);
    assert.ok(text.includes(html`${command}`.text));
    // With and without JavaScript.
    assert.deepEqual(offered(text), ['passkey', 'passkey', 'passkey-cancel', 'stop']);
    assert.match(text, /<body class="busy" data-tabs="1">/);
    for (const other of [
      page('passkey_required', { ...asked, isOperator: false }),
      guestQrPage(asked, topPlace),
    ]) {
      assert.ok(!other.includes(askedForPasskey.options.challenge));
      assert.doesNotMatch(other, /navigator\.credentials|passkey-cancel|passkey-answer/);
    }
    const coded = passkeySituation('code');
    assert.match(page('passkey_required', coded), /K7QX-2M4P/);
    assert.deepEqual(offered(page('passkey_required', coded)), ['passkey-cancel', 'passkey-confirm', 'stop']);
    for (const other of [
      page('passkey_required', { ...coded, isOperator: false }),
      guestQrPage(coded, topPlace),
    ]) {
      assert.doesNotMatch(other, /K7QX/);
    }
    const failed = passkeySituation('failed', 'the phone did not go on in time');
    const failedPage = page('passkey_required', failed);
    assert.match(failedPage, /the phone did not go on in time/);
    assert.deepEqual(offered(failedPage), ['passkey-cancel', 'passkey-retry', 'stop']);
    const isOver = passkeySituation('failed', 'the phone did not go on in time', true, passkeyRetriesMax + 1);
    assert.deepEqual(offered(page('passkey_required', isOver)), ['passkey-cancel', 'stop']);
  });

  it('advises no key among the arguments of a program, which other users of the machine see', () => {
    const text = page('passkey_required', { ...passkeySituation('answer'), needsKey: true });
    assert.match(text, />HOLDLINE_KEY=YOUR_KEY npm run passkey -- --url http:\/\/localhost:8790</);
    assert.doesNotMatch(text, /--key/);
    assert.match(page('passkey_required', passkeySituation('answer')), />npm run passkey -- --url http:/);
  });

  it('tells nobody to do what only the operator can, and says what the operator has to do', () => {
    const steps = [
      [passkeySituation('code'), /compare it with the one/, /to confirm it/],
      [passkeySituation('failed', 'the phone was silent'), /[Nn]othing has been linked/, /try again/],
    ] as const;
    for (const [asked, ...expected] of steps) {
      const elsewhere = page('passkey_required', { ...asked, isOperator: false });
      const guest = guestQrPage(asked, topPlace);
      for (const text of [elsewhere, guest].map((each) => each.replace(/\s+/g, ' '))) {
        for (const part of expected) assert.match(text, part);
        assert.doesNotMatch(text, /Is it this one|Try again, with|Or cancel, and/);
      }
      assert.match(elsewhere, /Only the operator|The operator has to/);
      assert.match(elsewhere, /WHATSAPP_API_KEYS/);
      assert.deepEqual(offered(elsewhere), ['restart', 'stop']);
      assert.match(guest, /wants the passkey of the person/);
      assert.match(guest, /tell the person who runs this\sserver, who has to/);
    }
  });

  it('tells in qr why the last scan did not link', () => {
    const last_error = 'linking with a passkey did not succeed: it was cancelled; scan again';
    assert.ok(scanPage(qrSituation('qr', { last_error })).includes(last_error));
  });

  it('shows what the page of a ready session cannot do', () => {
    const problem = 'media is broken: WAWebPrepRawMedia.prepRawMedia is missing';
    const text = page('ready', qrSituation('ready', { last_error: problem }));
    assert.match(text, /Linked as/);
    assert.ok(text.includes(problem));
    assert.match(text, /works again after an update/);
    assert.match(page('ready'), /Nothing to do/);
    assert.doesNotMatch(page('ready'), /class="why/);
  });

  it('names the linked account', () => {
    const text = page('ready', qrSituation('ready', { account }));
    assert.match(text, /Linked as Ada/);
    assert.match(text, /\+491511234567/);
    assert.match(text, /<dt>Phone<\/dt><dd><bdi>Android</);
  });

  it('distinguishes a retry, a final failure and a missing owner', () => {
    const failed = qrSituation('disconnected', { last_error: 'the network is down' });
    const linked = qrSituation('disconnected', { last_error: 'the network is down', account });
    assert.match(page('disconnected', linked), /the session reconnects by itself, and the login is kept/);
    assert.match(page('disconnected', failed), /the session tries again by itself/);
    assert.doesNotMatch(page('disconnected', failed), /kept/);
    assert.match(page('disconnected', { ...failed, heartbeat: 'ended' }), /does not restart by itself/);
    const ownerGone = { ...failed, heartbeat: null };
    assert.match(page('disconnected', ownerGone), /Another supervisor takes over/);
    assert.match(page('disconnected', { ...ownerGone, hasSupervisor: false }), /npm start -- supervisor/);
    for (const heartbeat of ['live', 'ended', null] as const) {
      assert.match(page('disconnected', { ...failed, heartbeat }), /the network is down/);
    }
  });

  it('escapes every text that other people can set', () => {
    const account = { wid: evil, pushname: evil, platform: evil };
    for (const state of sessionStates) {
      for (const heartbeat of ['live', 'ended', null] as const) {
        const view = qrSituation(state, { account, last_error: evil, supervisor: evil, session: evil });
        const pairingCode = { code: evil, phone_number: evil, expires_at: evil };
        const codes = [{ image: state === 'qr' ? evil : null }, { pairingCode }];
        for (const code of codes) {
          const ended = { unlinked: false, reason: evil };
          const input = { ...view, ...code, heartbeat, ended, loginLost: evil, baseUrl: `http://${evil}` };
          assert.doesNotMatch(withoutOurScript(page(state, input)), /<script|onerror='|<img src=x/);
        }
      }
    }
    const error = new ApiError('internal_error', evil);
    const problem = problemPage(error, atQr);
    assert.doesNotMatch(withoutOurScript(problem), /<script|onerror='/);
    for (const text of [
      formProblemPage(error, topPlace),
      codeFormPage(topPlace, { phoneNumber: evil, problem: evil }),
    ]) {
      assert.doesNotMatch(text, /<script|onerror='/);
    }
  });
});

describe('every page in every state', () => {
  it('has one heading, the contract words where a code belongs, and regions in the same order', async () => {
    for (const [name, text] of await pageStates()) {
      assert.equal(text.match(/<h1>/g)?.length, 1, name);
      assert.doesNotMatch(text, /undefined|\[object|NaN/, name);
      if (!/^(qr|guest)\//.test(name)) continue;
      const ids = [...text.matchAll(/<(?:div|p) id="(\w+)"/g)].map(([, id]) => id);
      assert.deepEqual(
        ids.filter((id) => id !== 'problem'),
        ['now', 'code', 'state', 'facts', 'actions', 'where', 'foot'],
      );
      assert.match(text, /Settings -> Linked devices -> Link a device/, name);
      assert.equal(text.includes(noQr), !text.includes('<img'), name);
    }
  });

  it('asks a guest to press nothing, and tells him nothing about the server or the account', async () => {
    for (const [name, text] of await pageStates()) {
      if (!name.startsWith('guest/')) continue;
      assert.doesNotMatch(withoutOurScript(text), /<form|curl|127\.0\.0\.1|Ada|4915|npm start|ERR_/, name);
    }
  });
});

it('the content security policy of a page allows only its own style and script, by their hashes', () => {
  assert.match(pagePolicy, /^default-src 'none'; img-src data:; /);
  for (const element of ['style', 'script']) {
    const content = new RegExp(`<${element}>([\\s\\S]*)</${element}>`).exec(page('stopped'))?.[1] ?? '';
    const hash = createHash('sha256').update(content).digest('base64');
    assert.ok(pagePolicy.includes(`${element}-src 'sha256-${hash}'`), element);
  }
});

/** The page without its own script. Tests assert that no other is left. */
function withoutOurScript(text: string): string {
  assert.ok(text.includes(`<script>${liveScript}</script>`));
  return text.replace(`<script>${liveScript}</script>`, '');
}

it('a form that failed answers with a page that stays, and says why', () => {
  const text = formProblemPage(new ApiError('rate_limited', 'more than 5 requests a minute'), topPlace);
  assert.match(text, /more than 5 requests a minute/);
  assert.doesNotMatch(text, /<script|http-equiv="refresh"|State:|No QR is available/);
});

it('the page of an outage names the error, with the state unknown', () => {
  const text = problemPage(new ApiError('redis_unavailable', 'Redis does not answer'), {
    ...atQr,
  });
  assert.match(text, /Redis does not answer/);
  assert.match(text, /State: <strong>unknown<\/strong>/);
  assert.ok(text.includes(noQr));
});
