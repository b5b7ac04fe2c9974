import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeadlineError } from '../../../../src/contract/errors.js';
import type { ExitReason } from '../../../../src/contract/exit-reasons.js';
import * as exits from '../../../../src/session-worker/whatsapp/exit-classifier.js';
import { answeredValue } from '../../../../src/session-worker/whatsapp/page-errors.js';

const url = 'https://web.whatsapp.com/';

/** What `initialize()` rejects with, and the message for the operator. */
const starts: readonly [fault: string, error: unknown, reason: ExitReason, message: string][] = [
  [
    'refused',
    new Error(`net::ERR_CONNECTION_REFUSED at ${url}`),
    'whatsapp_unreachable',
    'web.whatsapp.com cannot be reached: the connection was refused (ERR_CONNECTION_REFUSED)',
  ],
  [
    'no such name',
    new Error(`net::ERR_NAME_NOT_RESOLVED at ${url}`),
    'whatsapp_unreachable',
    'web.whatsapp.com cannot be reached: its name could not be resolved (ERR_NAME_NOT_RESOLVED)',
  ],
  [
    'reset',
    new Error(`net::ERR_CONNECTION_RESET at ${url}`),
    'whatsapp_unreachable',
    'web.whatsapp.com cannot be reached: the connection was reset (ERR_CONNECTION_RESET)',
  ],
  [
    'an untrusted certificate',
    new Error(`net::ERR_CERT_AUTHORITY_INVALID at ${url}`),
    'whatsapp_unreachable',
    'web.whatsapp.com cannot be reached: its certificate was not accepted (ERR_CERT_AUTHORITY_INVALID)',
  ],
  [
    'TCP without TLS',
    new Error(`net::ERR_TIMED_OUT at ${url}`),
    'whatsapp_unreachable',
    'web.whatsapp.com cannot be reached: it did not answer in time (ERR_TIMED_OUT)',
  ],
  [
    'dropped packets',
    new Error(`net::ERR_CONNECTION_TIMED_OUT at ${url}`),
    'whatsapp_unreachable',
    'web.whatsapp.com cannot be reached: the connection timed out (ERR_CONNECTION_TIMED_OUT)',
  ],
  [
    'a network error without its own sentence',
    new Error(`net::ERR_SSL_PROTOCOL_ERROR at ${url}`),
    'whatsapp_unreachable',
    'web.whatsapp.com cannot be reached: the network failed (ERR_SSL_PROTOCOL_ERROR)',
  ],
  [
    'HTTP that never answers',
    new Error(
      "Page.navigate timed out. Increase the 'protocolTimeout' setting in launch/connect calls for a higher timeout if needed.",
    ),
    'whatsapp_unreachable',
    "web.whatsapp.com cannot be reached: it did not answer in time (Page.navigate timed out. Increase the 'protocolTimeout' setting in launch/connect calls for a higher timeout if needed.)",
  ],
  [
    'a page without window.Debug: a bare string',
    'auth timeout',
    'incompatible_page',
    'incompatible WhatsApp Web page: it loaded, but window.Debug.VERSION never appeared',
  ],
  [
    'a page with other modules',
    new Error(
      "Cannot read properties of undefined (reading 'Socket')\n    at https://static.whatsapp.net/x.js:1",
    ),
    'incompatible_page',
    "incompatible WhatsApp Web page: Cannot read properties of undefined (reading 'Socket')",
  ],
  [
    'a reload, or an unlink while it was off',
    new Error('Execution context was destroyed, most likely because of a navigation.'),
    'start_failed',
    'WhatsApp Web could not be set up: Execution context was destroyed, most likely because of a navigation.',
  ],
];

test('a page that does not start because one of its scripts failed to load is an outage, not an incompatible page', () => {
  const exit = exits.exitOfStart('auth timeout', false, 'HTTP 500');
  assert.deepEqual(exit, {
    reason: 'whatsapp_unreachable',
    message: 'web.whatsapp.com cannot be reached: a script of its page did not load (HTTP 500)',
  });
});

for (const [fault, error, reason, message] of starts) {
  test(`a start that fails by ${fault} is ${reason}, in a sentence`, () => {
    assert.deepEqual(exits.exitOfStart(error, false, null), { reason, message });
  });
}

test('a start that ends on the logged-out URL is logged_out, whatever its error', () => {
  for (const [, error] of starts) assert.equal(exits.exitOfStart(error, true, null).reason, 'logged_out');
});

test('a start past its deadline says how far it got', () => {
  assert.deepEqual(exits.exitOfStartDeadline(60_000, false, null), {
    reason: 'whatsapp_unreachable',
    message: 'web.whatsapp.com cannot be reached: it did not answer within 60 s (ERR_TIMED_OUT)',
  });
  assert.deepEqual(exits.exitOfStartDeadline(60_000, true, 'OPENING'), {
    reason: 'whatsapp_unreachable',
    message: 'web.whatsapp.com cannot be reached: its page loaded but stayed in state OPENING for 60 s',
  });
  assert.deepEqual(exits.exitOfStartDeadline(60_000, true, null), {
    reason: 'start_timed_out',
    message: 'WhatsApp Web did not start within 60 s',
  });
});

test('an HTTP error names the host and the status', () => {
  assert.deepEqual(exits.exitOfHttpError(500), {
    reason: 'whatsapp_unreachable',
    message: 'web.whatsapp.com cannot be reached: it answered HTTP 500',
  });
  assert.deepEqual(exits.exitOfHttpError(407), {
    reason: 'whatsapp_unreachable',
    message:
      'web.whatsapp.com cannot be reached: the proxy asks for a user name and a password, or refused them (HTTP 407)',
  });
});

test('a disconnect says what its code means, and keeps an unknown code', () => {
  assert.deepEqual(exits.exitOfDisconnect('CONFLICT'), {
    reason: 'whatsapp_disconnected',
    message: 'WhatsApp ended the connection: another browser took the session over (CONFLICT)',
  });
  assert.equal(
    exits.exitOfDisconnect('SOMETHING_NEW').message,
    'WhatsApp ended the connection: SOMETHING_NEW',
  );
  assert.deepEqual(exits.exitOfDisconnect('LOGOUT'), exits.exitOfLogout());
});

test('every message is one line', () => {
  const sentences = starts.map(([, error]) => exits.exitOfStart(error, false, null).message);
  for (const sentence of sentences) assert.doesNotMatch(sentence, /\n/);
});

/** What a call throws in a page that has reloaded and is not set up yet. */
function reloaded(): unknown {
  try {
    return answeredValue({ type: 'absent' });
  } catch (error) {
    return error;
  }
}

for (const [error, isNavigation, isPageGone, isInterruption] of [
  [reloaded(), true, true, true],
  [new Error('Execution context was destroyed, most likely because of a navigation.'), true, true, true],
  [new Error('Protocol error (Runtime.callFunctionOn): Target closed'), false, true, true],
  [new Error('Attempted to use detached Frame'), false, true, true],
  [new Error('Session closed. Most likely the page has been closed.'), false, false, true],
  [new DeadlineError('the page', 1_000), false, false, true],
  [new Error('not-authorized'), false, false, false],
  [null, false, false, false],
] as const) {
  test(`the error of a call says whether the page went away, and whether it may have acted: ${String(error)}`, () => {
    assert.deepEqual(
      [exits.isNavigation(error), exits.isPageGone(error), exits.isInterruption(error)],
      [isNavigation, isPageGone, isInterruption],
    );
  });
}
