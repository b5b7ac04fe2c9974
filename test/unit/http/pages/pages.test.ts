import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { ApiError } from '../../../../src/contract/errors.js';
import {
  composeStatus,
  neverStarted,
  type SessionState,
  type Status,
  sessionStates,
} from '../../../../src/contract/status.js';
import { guestQrPage } from '../../../../src/http/pages/guest-qr-page.js';
import { pagePolicy } from '../../../../src/http/pages/layout.js';
import { liveScript } from '../../../../src/http/pages/live-script.js';
import { problemPage } from '../../../../src/http/pages/problem-page.js';
import { type QrPageInput, qrPage, secondsLeft } from '../../../../src/http/pages/qr-page.js';

const noQr = 'No QR is available yet. Start auth, then refresh this page.';
const nowMs = Date.parse('2026-01-01T00:00:00.000Z');
const evil = `"><script>alert(1)</script><img src=x onerror='alert(2)'>&amp;`;
const facts = neverStarted({ auth_dir: '', chrome_executable: '', headless: true, session: 'default' });

function status(state: SessionState, change: Partial<Status> = {}): Status {
  const qr = { number: 2, issued_at: '2026-01-01T00:00:00.000Z', expires_at: '2026-01-01T00:00:17.000Z' };
  const composed = composeStatus(facts, { state, lastError: null, account: null, qr }, null);
  return { ...composed, ...change };
}

function page(state: SessionState, input: Partial<QrPageInput> = {}): string {
  return qrPage({
    ...{ status: status(state), heartbeat: 'live', image: null, baseUrl: 'http://localhost:8790' },
    ...{ secondsLeft: 17, needsKey: false, isLoggedIn: false },
    ...input,
  });
}

describe('the /qr page', () => {
  for (const state of sessionStates) {
    it(`says in ${state} what to do, then the no-QR sentence, then the state`, () => {
      const text = page(state, { heartbeat: state === 'stopped' ? null : 'live' });
      const [heading, sentence, word] = ['<h1>', noQr, `<strong>${state}</strong>`].map((part) =>
        text.indexOf(part),
      ) as [number, number, number];
      assert.ok(heading > 0 && heading < sentence && sentence < word, text);
      assert.match(text, /<noscript><meta http-equiv="refresh" content="5"><\/noscript>/);
      assert.match(text, /Settings -> Linked devices -> Link a device/);
      assert.doesNotMatch(withoutOurScript(text), /<script|<img|undefined|\[object/);
      assert.match(text, /^<!doctype html>\n<html lang="en">/);
    });
  }

  it('shows a code with its size, description, number and time left', () => {
    const text = page('qr', { image: 'aGVsbG8=' });
    assert.match(
      text,
      /<img src="data:image\/png;base64,aGVsbG8=" width="360" height="360" alt="QR code number 2: [^"]+">/,
    );
    assert.match(text, /Code 2, <span data-left="17">replaced in 17 s<\/span>/);
    assert.ok(!text.includes(noQr));
    assert.ok(text.indexOf('<img') < text.indexOf('<strong>qr</strong>'));
  });

  it('shows no time left that is unknown or over', () => {
    const qr = { number: 1, issued_at: '2026-01-01T00:00:00.000Z', expires_at: null };
    const unknown = status('qr', { qr });
    assert.equal(secondsLeft(unknown, nowMs), null);
    assert.match(
      page('qr', { image: 'x', status: unknown, secondsLeft: null }),
      /Code 1, replaced by itself/,
    );
    assert.match(page('qr', { image: 'x', secondsLeft: 0 }), /replaced any moment/);
  });

  it('rounds the seconds left up, and never goes below 0', () => {
    const left = [0, 1, 999, 1_000, 17_000, 60_000].map((ms) => secondsLeft(status('qr'), nowMs + ms));
    assert.deepEqual(left, [17, 17, 17, 16, 0, 0]);
  });

  it('says how to start a stopped session, with the URL of the request', () => {
    assert.match(
      page('stopped', { heartbeat: null }),
      /curl -X POST http:\/\/localhost:8790\/api\/auth\/start/,
    );
  });

  it('explains a passkey request, that it cannot be answered here, and what to do', () => {
    const lastError = 'WhatsApp asks for a passkey before it links this device';
    const asked = status('passkey_required', { last_error: lastError });
    const text = page('passkey_required', { status: asked, needsKey: true });
    assert.match(text, /<h1><bdi>WhatsApp asks for a passkey<\/bdi><\/h1>/);
    assert.ok(text.includes(lastError));
    assert.match(text, /the browser on this server does not have it/);
    assert.match(text, /cannot be linked here for now/);
    for (const path of ['stop', 'auth/start']) {
      assert.ok(text.includes(`curl -X POST http://localhost:8790/api/${path} -H`), path);
    }
    const guestPage = guestQrPage('passkey_required', null);
    assert.match(guestPage, /the browser on this server does not have it/);
    assert.ok(guestPage.includes(noQr) && guestPage.indexOf('passkey') < guestPage.indexOf(noQr));
    assert.doesNotMatch(withoutOurScript(guestPage), /curl|localhost|<img/);
  });

  it('shows what the page of a ready session cannot do', () => {
    const problem = 'media is broken: WAWebPrepRawMedia.prepRawMedia is missing';
    const text = page('ready', { status: status('ready', { last_error: problem }) });
    assert.match(text, /Linked as/);
    assert.ok(text.includes(problem));
    assert.match(text, /works again after an update/);
    assert.match(page('ready'), /Nothing to do/);
    assert.doesNotMatch(page('ready'), /class="why"/);
  });

  it('names the linked account', () => {
    const account = { wid: '491511234567:3@c.us', pushname: 'Ada', platform: 'android' };
    const text = page('ready', { status: status('ready', { account }) });
    assert.match(text, /Linked as Ada/);
    assert.match(text, /\+491511234567/);
  });

  it('distinguishes a retry, a final failure and a missing owner', () => {
    const failed = status('disconnected', { last_error: 'the network is down' });
    assert.match(
      page('disconnected', { status: failed }),
      /the session reconnects by itself, and the login is kept/,
    );
    assert.match(page('disconnected', { status: failed, heartbeat: 'ended' }), /does not restart by itself/);
    assert.match(page('disconnected', { status: failed, heartbeat: null }), /Another supervisor takes over/);
    for (const heartbeat of ['live', 'ended', null] as const) {
      assert.match(page('disconnected', { status: failed, heartbeat }), /the network is down/);
    }
  });

  it('escapes every text that other people can set', () => {
    const account = { wid: evil, pushname: evil, platform: evil };
    for (const state of sessionStates) {
      for (const heartbeat of ['live', 'ended', null] as const) {
        const text = page(state, {
          ...{ heartbeat, baseUrl: `http://${evil}`, image: state === 'qr' ? evil : null },
          status: status(state, { account, last_error: evil, supervisor: evil, session: evil }),
        });
        assert.doesNotMatch(withoutOurScript(text), /<script|onerror='|<img src=x/);
      }
    }
    const problem = problemPage(new ApiError('internal_error', evil));
    assert.doesNotMatch(withoutOurScript(problem), /<script|onerror='/);
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

it('the page of an outage names the error, with the state unknown', () => {
  const text = problemPage(new ApiError('redis_unavailable', 'Redis does not answer'));
  assert.match(text, /Redis does not answer/);
  assert.match(text, /State: <strong>unknown<\/strong>/);
  assert.ok(text.includes(noQr));
});
