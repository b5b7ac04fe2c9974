import { toBuffer } from 'qrcode';
import { ApiError } from '../../src/contract/errors.js';
import { passkeyRetriesMax } from '../../src/contract/passkey.js';
import { passkeyCommand } from '../../src/contract/passkey-command.js';
import { unconfigured } from '../../src/contract/session-record.js';
import { localAdmin } from '../../src/http/auth/authenticate.js';
import type { Caller } from '../../src/http/core/caller.js';
import { guestQrPage } from '../../src/http/pages/guest-qr-page.js';
import { homePage } from '../../src/http/pages/home-page.js';
import { loginPage } from '../../src/http/pages/login-page.js';
import { placeOfSession, topPlace } from '../../src/http/pages/place.js';
import { problemPage, strayPage } from '../../src/http/pages/problem-page.js';
import {
  codeFormPage,
  formProblemPage,
  logoutFormPage,
  passkeyFormPage,
  stopFormPage,
} from '../../src/http/pages/qr-forms.js';
import { qrLinkPage, qrLinkProblemPage } from '../../src/http/pages/qr-link-page.js';
import { qrPage } from '../../src/http/pages/qr-page.js';
import type { QrPageView } from '../../src/http/session/qr-page-view.js';
import { sessionNotFound } from '../../src/http/session/session-register.js';
import * as passkeySentences from '../../src/session-worker/passkey-sentences.js';
import {
  linkedAccount as account,
  askedForPasskey,
  passkeySituation,
  qrSituation,
  withQr,
} from '../support/qr-situation.js';

/** As long as a real code of WhatsApp: the denser the code, the harder it is to scan from a small screen. */
export const qrText = `2@${'x1Yb+/3Q'.repeat(28)},${'k'.repeat(43)}=,${'m'.repeat(43)}=,${'s'.repeat(43)}=,1`;

const baseUrl = 'http://127.0.0.1:8790';
const unreachable =
  'web.whatsapp.com cannot be reached: its name could not be resolved (ERR_NAME_NOT_RESOLVED)';
const unlinked = 'the device was unlinked on the phone; scan a new QR';
const changedPage =
  'the page of WhatsApp Web (2.3000.1043121234) has changed: chats is broken, WAWebCollections.Chat.getModelsArray is missing';
const longName = {
  ...account,
  pushname: `Ada \u202e <b>${'Wwwwwwwwww'.repeat(9)}</b> \u{1f469}\u200d\u{1f4bb}`,
};
const guest: Caller = { keyName: '', scope: 'guest', via: 'cookie', boundTo: null };
const request = {
  ...{ caller: localAdmin, target: { path: '/qr', search: '' } },
  admission: { baseUrl, listedOrigin: null, isOwnOrigin: false, isCrossOrigin: false },
};

/** Every page of the product in every state, by name. */
export async function pageStates(): Promise<ReadonlyMap<string, string>> {
  const png = await toBuffer(qrText, { width: 360, margin: 2, errorCorrectionLevel: 'L' });
  const image = png.toString('base64');
  const pairingCode = {
    ...{ code: 'ABCD1234', phone_number: '15557654321' },
    expires_at: '2026-01-01T00:03:00.000Z',
  };
  const lost: Partial<QrPageView> = { loginLost: unlinked };
  const views: Record<string, QrPageView> = {
    'stopped-never-linked': qrSituation('stopped'),
    'stopped-linked': qrSituation('stopped', { account }),
    'stopped-logged-out': { ...qrSituation('stopped'), ended: { unlinked: true, reason: null } },
    'stopped-phone-not-told': {
      ...qrSituation('stopped'),
      ended: {
        unlinked: false,
        reason:
          'WhatsApp did not get the logout: remove this device on the phone, under Settings -> Linked devices',
      },
    },
    'start-waits': { ...qrSituation('stopped'), start: 'waiting' },
    'start-unattended': { ...qrSituation('stopped'), start: 'unattended', hasSupervisor: false },
    starting: qrSituation('starting'),
    'starting-again': qrSituation('starting', { last_error: unreachable }),
    scan: withQr(image),
    'scan-after-unlink': { ...withQr(image), ...lost },
    'between-codes': qrSituation('qr'),
    'between-codes-after-unlink': { ...qrSituation('qr'), ...lost },
    'pairing-code': { ...qrSituation('qr'), pairingCode },
    'passkey-off': qrSituation('passkey_required', { last_error: passkeySentences.off }),
    'passkey-answer': passkeySituation('answer'),
    'passkey-answer-with-code': passkeySituation('answer', null, true),
    'passkey-phone': passkeySituation('phone'),
    'passkey-code': passkeySituation('code'),
    'passkey-linking': passkeySituation('linking'),
    'passkey-failed': passkeySituation(
      'failed',
      'WhatsApp did not accept the passkey (its reason: server_error)',
    ),
    'scan-after-passkey': withError(withQr(image), passkeySentences.scanAgain('it was cancelled')),
    linking: qrSituation('authenticated'),
    ready: qrSituation('ready', { account }),
    'ready-without-a-name': qrSituation('ready', { account: { ...account, pushname: null, platform: null } }),
    'ready-long-name': qrSituation('ready', { account: longName }),
    'ready-on-a-changed-page': qrSituation('ready', { account, last_error: changedPage }),
    'disconnected-never-linked': qrSituation('disconnected', { last_error: unreachable }),
    'disconnected-linked': qrSituation('disconnected', { account, last_error: unreachable, restarts: 3 }),
    'disconnected-after-unlink': { ...qrSituation('disconnected', { last_error: unlinked }), ...lost },
    'gave-up': {
      ...qrSituation('disconnected', {
        account,
        last_error: 'restarted 10 times within 30 minutes: the page crashed',
      }),
      heartbeat: 'ended',
    },
    'auth-failure': qrSituation('auth_failure', { last_error: 'WhatsApp refused the login: 401' }),
    'owner-gone': { ...qrSituation('disconnected', { account }), heartbeat: null },
    'owner-gone-no-supervisor': {
      ...qrSituation('disconnected', { account }),
      ...{ heartbeat: null, hasSupervisor: false },
    },
  };
  const operator = (view: QrPageView, needsKey = false, isOperator = true) => {
    const left = view.passkey !== null ? 534 : view.pairingCode === null ? 17 : 171;
    return qrPage({
      ...view,
      baseUrl,
      place: topPlace,
      secondsLeft: left,
      needsKey,
      isOperator,
      isLoggedIn: needsKey,
    });
  };
  const ready = qrSituation('ready', { account });
  const sales = placeOfSession('sales');
  const atSales = { path: '/sessions/sales/qr', search: '' };
  const ofSession = (view: QrPageView) =>
    qrPage({
      ...{ ...view, baseUrl, place: sales, secondsLeft: 17 },
      ...{ needsKey: true, isOperator: true, isLoggedIn: true },
    });
  const home = (sessions: ReturnType<typeof listed>, isLoggedIn: boolean, isUnbound = true) =>
    homePage({ list: { sessions, next_cursor: null }, isUnbound, baseUrl, isLoggedIn });
  const command = passkeyCommand({ ...askedForPasskey, gateway: `${baseUrl}/qr`, showsAnswer: true });
  const down = new ApiError('redis_unavailable', 'Redis does not answer');
  const forbidden = new ApiError('forbidden', 'this needs the scope admin; this caller has read');
  const host = new ApiError('host_not_allowed', 'this Host is not served here');
  return new Map([
    ...Object.entries(views).map(([name, view]) => [`qr/${name}`, operator(view)] as const),
    ['qr/passkey-answer-with-keys', operator(passkeySituation('answer'), true)],
    ['qr/passkey-answer-elsewhere', operator(passkeySituation('answer'), false, false)],
    ['qr/passkey-code-elsewhere', operator(passkeySituation('code'), false, false)],
    [
      'qr/passkey-failed-elsewhere',
      operator(passkeySituation('failed', 'the phone did not go on in time'), false, false),
    ],
    ['qr/stopped-with-keys', operator(qrSituation('stopped'), true)],
    ...Object.entries(views).map(([name, view]) => [`guest/${name}`, guestQrPage(view, topPlace)] as const),
    ['problem/redis-down', problemPage(down, request)],
    ['problem/forbidden', problemPage(forbidden, request)],
    ['problem/forbidden-for-a-guest', problemPage(forbidden, { ...request, caller: guest })],
    ['problem/no-such-page', strayPage(new ApiError('not_found', 'there is nothing at this path'), request)],
    ['problem/host-not-served', strayPage(host, request)],
    ['form/logout', logoutFormPage(topPlace)],
    ['form/stop', stopFormPage(topPlace)],
    ['form/code', codeFormPage(topPlace)],
    [
      'qr/passkey-failed-for-good',
      operator(
        passkeySituation('failed', 'the phone did not go on in time', true, passkeyRetriesMax + 1),
        false,
      ),
    ],
    ['form/passkey', passkeyFormPage(topPlace, { command })],
    [
      'form/passkey-refused',
      passkeyFormPage(topPlace, { command: null, answer: 'rubbish <b>', problem: 'This is not the answer.' }),
    ],
    ['form/failed', formProblemPage(down, topPlace)],
    [
      'form/code-refused',
      codeFormPage(topPlace, {
        phoneNumber: '555 <b>"12"</b>',
        problem: 'phone_number must include country code and contain 8-15 digits',
      }),
    ],
    ['link/open', qrLinkPage],
    ['link/used', qrLinkProblemPage(new ApiError('not_found', 'this link has been used'))],
    ['link/redis-down', qrLinkProblemPage(down)],
    ['login/first', loginPage({ next: 'qr' })],
    ['login/from-another-site', loginPage({ next: 'qr', mayBeLoggedIn: true })],
    ['login/ended', loginPage({ next: 'qr', ended: 'login' })],
    ['login/link-ended', loginPage({ next: 'qr', ended: 'link' })],
    ['login/wrong-key', loginPage({ next: 'qr', error: new ApiError('unauthorized', 'not known here') })],
    ['home/ready', home(listed('default', ready), true)],
    ['home/stopped', home(listed('default', qrSituation('stopped')), false)],
    [
      'home/sessions',
      home(
        [
          ...listed('default', ready),
          ...['sales', 'support-2', 'w'.repeat(64)].flatMap((name) => listed(name, qrSituation('starting'))),
        ],
        true,
      ),
    ],
    ['home/bound-key', home(listed('sales', ready), true, false)],
    ['session/ready', ofSession(ready)],
    ['session/qr', ofSession({ ...qrSituation('qr'), ...withQr(image) })],
    ['session/stopped', ofSession(qrSituation('stopped'))],
    ['session/not-found', problemPage(sessionNotFound('sales', guest), { ...request, target: atSales })],
    ['session/logout', logoutFormPage(sales)],
    ['session/redis-down', problemPage(down, { ...request, target: atSales })],
  ]);
}

function listed(session: string, { status }: QrPageView) {
  return [{ session, ...unconfigured, status: { ...status, session } }];
}

function withError(view: QrPageView, last_error: string): QrPageView {
  return { ...view, status: { ...view.status, last_error } };
}
