import { after } from 'node:test';
import { ChromiumStage } from '../support/chromium-stage.js';
import { eventually } from '../support/eventually.js';
import { faultMatrix } from '../support/matrix/fault-matrix.js';
import { type FaultRow, type HeldState, lasting, type SteadySession } from '../support/matrix/fault-row.js';
import { startUnresponsiveServers, type UnresponsiveServers } from '../support/unresponsive-servers.js';
import type { Faults } from '../whatsapp-web/control.js';

/** Class 5: faults of WhatsApp, of its page and of the network to it. */
type Row = FaultRow<ChromiumStage>;
const linkedFirst: readonly [HeldState, ...HeldState[]] = ['ready', 'qr'];
const unresponsive: Promise<UnresponsiveServers> = startUnresponsiveServers();

/** A page that has synced and is not ready is incompatible after five times the grace, which is before the deadline. */
const timing = { startDeadlineMs: 5_000, syncDeadlineMs: 4_000, readyGraceMs: 500 };

/** Kills the browser; the next one meets this fault. */
function meets(fault: string, settings: Parameters<Faults['set']>[0], says: RegExp): Row {
  return {
    fault,
    states: linkedFirst,
    inject: async (stage) => {
      await stage.whatsApp.faults.set(settings);
      stage.killBrowser();
    },
    expect: { recovery: 'new browser', says },
  };
}

/** Restarts the supervisor on a machine with this network to WhatsApp. */
function behind(fault: string, chromeArgs: (whatsAppPort: number) => Promise<string>, says: RegExp): Row {
  return {
    fault,
    states: linkedFirst,
    inject: async (stage) =>
      stage.moveTo({ WHATSAPP_CHROME_ARGS: await chromeArgs(stage.whatsApp.httpsPort) }),
    expect: { recovery: 'anybody', says },
  };
}

const mapTo = (target: string) => `--host-resolver-rules="MAP web.whatsapp.com:443 ${target}"`;

const unreachable: readonly Row[] = [
  behind(
    'the name does not resolve',
    async () => '--host-resolver-rules="MAP web.whatsapp.com ~NOTFOUND"',
    /^web\.whatsapp\.com cannot be reached: its name could not be resolved \(ERR_NAME_NOT_RESOLVED\)$/,
  ),
  behind(
    'the connection is refused',
    async () => mapTo('127.0.0.1:1'),
    /cannot be reached: the connection was refused \(ERR_CONNECTION_REFUSED\)$/,
  ),
  behind(
    'the certificate is not trusted',
    async (port) => mapTo(`127.0.0.1:${port}`),
    /cannot be reached: its certificate was not accepted \(ERR_CERT_\w+\)$/,
  ),
  behind(
    'packets are dropped',
    async () => mapTo(`127.0.0.1:${(await unresponsive).droppingPort}`),
    /cannot be reached: it did not answer within 5 s/,
  ),
  behind(
    'the server accepts TCP and does not speak TLS',
    async () => mapTo(`127.0.0.1:${(await unresponsive).silentPort}`),
    /cannot be reached: it did not answer within 5 s/,
  ),
  meets('connections are reset', { server: 'reset' }, /cannot be reached: .*\(ERR_/),
  meets('HTTP gets no answer', { server: 'silent' }, /cannot be reached: it did not answer within 5 s/),
  meets('the page stalls', { server: 'scripts-stall' }, /cannot be reached: it did not answer within 5 s/),
  meets('HTTP 500', { server: 'error-500' }, /cannot be reached: it answered HTTP 500$/),
];

const pages: readonly Row[] = [
  meets('a page without window.Debug', { withoutDebug: true }, /^incompatible WhatsApp Web page: /),
  meets(
    'a page without the module that shows codes',
    { missingModules: ['WAWebSocketModel'] },
    /^incompatible WhatsApp Web page: .*on WhatsApp Web 2\.3000\.\d+: qr broken \(WAWebSocketModel\.Socket is missing/,
  ),
  {
    ...meets(
      'a page without a module that ready needs',
      { missingModules: ['WAWebCollections'] },
      /^incompatible WhatsApp Web page: /,
    ),
    states: ['ready'],
  },
  meets(
    'the state stays OPENING',
    { stayOpening: true },
    /its page loaded but stayed in state OPENING for 5 s$/,
  ),
  {
    fault: 'the renderer hangs while it loads',
    states: ['ready'],
    inject: async (stage) => {
      await stage.whatsApp.faults.set({ hangAt: { step: 'connected' } });
      stage.killBrowser();
      await eventually(async () => (await stage.whatsApp.faults.current()).hangAt === null, {
        timeoutMs: 60_000,
        message: 'the page hangs',
      });
    },
    expect: { recovery: 'new browser', says: /stopped answering|did not answer/ },
  },
  {
    ...meets('the account never syncs', { neverSynced: true }, /^the account did not sync within 4 s$/),
    states: ['ready'],
  },
  {
    ...meets(
      'the account has synced before the library listens',
      { alreadySynced: true },
      /the browser died/,
    ),
    states: ['ready'],
    inject: async (stage) => {
      await stage.whatsApp.faults.set({ alreadySynced: true });
      stage.killBrowser();
      await stage.until((s) => s.ready && s.last_error === null, 'ready in spite of the missed event');
    },
  },
];

const codes: readonly Row[] = [
  {
    fault: 'the page asks for a login before it has a code',
    states: ['qr'],
    inject: async (stage) => {
      await stage.whatsApp.timing.set({ refDelayMs: 700 });
      stage.killBrowser();
      await stage.until((s) => s.has_qr && s.restarts > 0, 'a QR');
    },
    expect: { recovery: 'new browser', says: /the browser died/ },
  },
  {
    fault: 'the page reloads a moment after its first code',
    states: ['qr'],
    inject: async (stage) => {
      await stage.whatsApp.faults.set({ reloadAt: { step: 'first-ref', delayMs: 20 } });
      stage.killBrowser();
      await eventually(async () => (await stage.whatsApp.faults.current()).reloadAt === null, {
        timeoutMs: 60_000,
      });
      await lasting(500);
    },
    expect: { recovery: 'same run', says: /the browser died/ },
  },
  {
    fault: 'codes expire and run out, again and again',
    states: ['qr'],
    inject: async ({ whatsApp }) => {
      const issued = async () => (await whatsApp.phone.state()).refs.length;
      const before = await issued();
      await whatsApp.timing.set({ firstRefMs: 500, nextRefMs: 400, refsPerBatch: 3 });
      await whatsApp.faults.cutNow();
      await eventually(async () => (await issued()) >= before + 8, {
        timeoutMs: 60_000,
        message: 'three batches',
      });
    },
    expect: { recovery: 'same thread' },
  },
];

const accounts: readonly Row[] = [
  {
    fault: 'the device is unlinked on the phone',
    states: ['ready'],
    inject: async (stage) => {
      await stage.whatsApp.phone.unlink();
      await stage.scanned();
    },
    expect: {
      recovery: 'new browser',
      says: /^the device was unlinked on the phone; scan a new QR$/,
      noticedMs: 2_500,
      needsScan: true,
      isEnded: true,
      mayLoseSends: true,
    },
  },
  {
    fault: 'the device is unlinked on the phone while the session is stopped',
    states: ['ready'],
    inject: async (stage) => {
      await stage.replica.post('/api/stop');
      await stage.whatsApp.phone.unlink();
      await stage.replica.post('/api/auth/start', { headers: { prefer: 'wait=0' } });
      await stage.scanned();
    },
    expect: {
      recovery: 'same owner',
      says: /scan a new QR$/,
      needsScan: true,
      isEnded: true,
      mayLoseSends: true,
    },
  },
  {
    fault: 'another browser takes the session over',
    states: ['ready'],
    inject: ({ whatsApp }) => whatsApp.phone.conflict(),
    expect: {
      recovery: 'same browser',
      says: /another browser took the session over \(CONFLICT\)$/,
      noticedMs: 2_500,
    },
  },
  {
    fault: 'WhatsApp no longer accepts the version of its page',
    states: ['ready'],
    inject: ({ whatsApp }) => whatsApp.phone.showState('DEPRECATED_VERSION'),
    expect: { recovery: 'same browser', says: /\(DEPRECATED_VERSION\)$/, noticedMs: 2_500 },
  },
  {
    fault: 'WhatsApp blocks the account',
    states: ['ready'],
    inject: ({ whatsApp }) => whatsApp.phone.showState('TOS_BLOCK'),
    expect: { recovery: 'same browser', says: /blocked the account .*\(TOS_BLOCK\)$/, noticedMs: 2_500 },
  },
];

const connection: readonly Row[] = [
  {
    fault: 'the socket flaps',
    states: ['ready', 'qr'],
    inject: async ({ whatsApp }) => {
      for (let i = 0; i < 10; i++) {
        await whatsApp.faults.cutNow();
        await lasting(200);
      }
    },
    expect: { recovery: 'same thread' },
  },
  {
    fault: 'WhatsApp becomes unreachable, and its page still says connected',
    states: ['ready'],
    inject: async ({ whatsApp }) => {
      await whatsApp.faults.set({ server: 'reset' });
      await lasting(4_000);
    },
    expect: { recovery: 'same run', isUnnoticed: true },
  },
  {
    fault: 'WhatsApp becomes unreachable, and its page says so',
    states: ['ready'],
    inject: async ({ whatsApp }) => {
      await whatsApp.phone.showState('OPENING');
    },
    expect: { recovery: 'same browser', says: /stayed without a connection for 3 s$/, noticedMs: 2_500 },
  },
];

after(async () => (await unresponsive).close());
faultMatrix<SteadySession, ChromiumStage>(
  () => ChromiumStage.open({ timing }),
  [...unreachable, ...pages, ...codes, ...accounts, ...connection],
);
