import assert from 'node:assert/strict';
import { join } from 'node:path';
import puppeteer from 'puppeteer';
import { messageOf } from '../../src/contract/errors.js';
import { unconfigured } from '../../src/contract/session-record.js';
import { loadConfig } from '../../src/platform/config/config.js';
import { deferred, pause, withDeadline } from '../../src/platform/deadline.js';
import { WhatsAppClient } from '../../src/session-worker/whatsapp/client.js';
import { PortTransport } from '../../src/session-worker/whatsapp/port-transport.js';
import { type Browser, endlessLease, launchBrowser } from '../../src/supervisor/browser/browser.js';
import { browserSettings } from '../../src/supervisor/browser/browser-settings.js';
import type { LoginSource } from '../../src/supervisor/credentials/take-snapshot.js';
import type { WhatsAppWeb } from '../whatsapp-web/index.js';
import { chromeArgsVariable } from './chrome-args.js';

/** The real client in a real Chromium on a profile, without a supervisor. */
export interface LiveLogin {
  readonly client: WhatsAppClient;
  readonly source: LoginSource;
  /** Whichever came first; rejects if the start failed. */
  readonly outcome: Promise<'ready' | 'qr'>;
  /** The text of the newest code. */
  readonly qr: () => string | null;
  /** Runs a script in the page over a connection of its own. */
  readonly run: <T>(script: string, argument: unknown) => Promise<T>;
  close(graceMs: number): Promise<void>;
}

const never = new AbortController().signal;

export async function openLogin(whatsApp: WhatsAppWeb, profileDir: string): Promise<LiveLogin> {
  const args = chromeArgsVariable(whatsApp.chromeArgs);
  const config = loadConfig('all', { ...process.env, WHATSAPP_CHROME_ARGS: args });
  const browser: Browser = await launchBrowser({
    ...(await browserSettings(config, assert.fail)),
    profileDir,
    timing: { browserStartMs: 60_000, guardTimeoutMs: 600_000 },
    lease: endlessLease(),
    abandon: never,
  });
  const first = deferred<'ready' | 'qr'>();
  let qr: string | null = null;
  const client = new WhatsAppClient({
    browser: browser.openPort(),
    deviceName: 'Holdline',
    webVersion: null,
    webVersionsDir: join(profileDir, 'unused'),
    loginStorage: null,
    authTimeoutMs: 60_000,
    protocolTimeoutMs: 120_000,
    callTimeoutMs: 60_000,
    pairingCodeMs: 180_000,
    relaysPasskey: false,
    ignore: unconfigured.ignore,
    events: {
      onQr(text) {
        qr = text;
        first.resolve('qr');
      },
      onPairingCode: () => undefined,
      onFreshQrs: () => undefined,
      onReady: () => first.resolve('ready'),
      onAuthFailure: () => undefined,
      onDisconnected: () => undefined,
      onPageCrashed: () => undefined,
      onExamined: () => undefined,
      onChatEvents: async () => undefined,
      onPasskeyAsked: async () => ({ error: { name: 'NotAllowedError', message: '' } }),
      onPasskeyAborted: () => undefined,
      onWrongVersion: () => undefined,
      onHttpError: () => undefined,
    },
  });
  // A successful start does not settle this; a failed one rejects. A supervisor would start again.
  const failed = client.initialize().then(
    () => new Promise<never>(() => {}),
    (error: unknown) => Promise.reject(new Error(`the start failed: ${messageOf(error)}`)),
  );
  failed.catch(() => undefined);
  const firstEvent = Promise.race([first.promise, failed]);
  void makeUpForReady(client, firstEvent);
  const outcome = withDeadline(firstEvent, 60_000, 'WhatsApp Web').catch(async (error: unknown) => {
    const report = await client.report().catch(messageOf);
    throw new Error(`${messageOf(error)}; the page: ${JSON.stringify(report)}`);
  });
  outcome.catch(() => undefined);
  return {
    client,
    source: {
      profileDir,
      account: null,
      wipedEpoch: 0,
      storage: null,
      whileFrozen: (work) => browser.whileFrozen(work),
    },
    outcome,
    qr: () => qr,
    run: (script, argument) => runInPage(browser, script, argument),
    async close(graceMs) {
      await client.detach().catch(() => undefined);
      await browser.stop(graceMs, never);
    },
  };
}

async function runInPage<T>(browser: Browser, script: string, argument: unknown): Promise<T> {
  const beside = await puppeteer.connect({
    transport: new PortTransport(browser.openPort()),
    defaultViewport: null,
  });
  try {
    const page = (await beside.pages()).find((each) => each.url().startsWith('https://web.whatsapp.com'));
    if (page === undefined) throw new Error('there is no page of WhatsApp Web');
    return (await page.evaluate(`(${script})(${JSON.stringify(argument)})`)) as T;
  } finally {
    await beside.disconnect();
  }
}

/** The library misses a sync that ends before it listens. The product therefore polls the page, and so does this. */
async function makeUpForReady(client: WhatsAppClient, first: Promise<unknown>): Promise<void> {
  const done = new AbortController();
  void first.catch(() => undefined).then(() => done.abort());
  for (let checks = 0; checks < 300 && !done.signal.aborted; checks++) {
    await pause(300, done.signal);
    const report = await client.report().catch(() => null);
    if (report?.isInjected && report.hasSynced && !report.hasBegunReadySteps) {
      await client.makeReady().catch(() => undefined);
    }
  }
}
