import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import puppeteer, { type Page } from 'puppeteer';
import { preparedPage } from '../../src/contract/names.js';
import { loadConfig } from '../../src/platform/config/config.js';
import { PortTransport } from '../../src/session-worker/whatsapp/port-transport.js';
import { type BrowserProxy, endlessLease, launchBrowser } from '../../src/supervisor/browser/browser.js';
import { browserSettings } from '../../src/supervisor/browser/browser-settings.js';
import { chromeArgsVariable } from './chrome-args.js';
import { eventually } from './eventually.js';

export interface OpenChromium {
  readonly page: Page;
  /** Warnings of the start. */
  readonly warnings: readonly string[];
  close(): Promise<void>;
}

interface Options {
  /** Parent directory of the profile. */
  readonly dir: string;
  readonly chromeArgs?: readonly string[];
  readonly proxy?: BrowserProxy;
  readonly environment?: Readonly<Record<string, string>>;
  /** false: started without the arguments that set the browser's identity. */
  readonly hasIdentity?: boolean;
}

/** Starts a real Chromium as the product does, with the prepared page for the thread. */
export async function openChromium(options: Options): Promise<OpenChromium> {
  const { dir, chromeArgs = [], environment = {}, proxy = null, hasIdentity = true } = options;
  const config = loadConfig('all', {
    ...process.env,
    WHATSAPP_CHROME_ARGS: chromeArgsVariable(chromeArgs),
    ...environment,
  });
  const warnings: string[] = [];
  const settings = await browserSettings(config, (message) => warnings.push(message));
  const bare = { identity: null, extraArgs: config.chromeArgs, environment: config.browserEnvironment };
  const browser = await launchBrowser({
    ...settings,
    ...(hasIdentity ? {} : bare),
    proxy,
    timing: { browserStartMs: 60_000, guardTimeoutMs: 600_000 },
    profileDir: mkdtempSync(join(dir, 'profile-')),
    lease: endlessLease(),
    abandon: new AbortController().signal,
  });
  const connection = await puppeteer.connect({
    transport: new PortTransport(browser.openPort()),
    defaultViewport: null,
  });
  const findPage = async () => (await connection.pages()).find((each) => each.url() === preparedPage);
  const page = (await eventually(findPage)) as Page;
  return {
    page,
    warnings,
    async close() {
      await connection.disconnect();
      await browser.kill();
    },
  };
}
