import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import puppeteer, { type Browser, type Page } from 'puppeteer';
import { messageOf, OperatorError } from '../contract/errors.js';
import { whatsAppOrigin } from '../contract/passkey.js';
import { findBrowser } from '../platform/config/browser-executable.js';
import { atMost } from '../platform/deadline.js';
import { isExecutableFile } from '../platform/files.js';
import { plain } from './gateway.js';

export interface BrowserOptions {
  readonly executable: string;
  /** A profile that is kept; undefined: a new one, which is deleted at the end. */
  readonly profile: string | undefined;
  /** Further arguments of the browser. */
  readonly args?: readonly string[];
  /** Without the keys of this program. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly say: (line: string) => void;
}

/** Where browsers are that are not on the PATH. */
const commonPlaces: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  linux: [
    '/usr/bin/microsoft-edge-stable',
    '/opt/google/chrome/chrome',
    '/opt/microsoft/msedge/msedge',
    '/snap/bin/chromium',
  ],
  darwin: [
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
  ],
  win32: ['C:\\Program Files', 'C:\\Program Files (x86)', join(homedir(), 'AppData', 'Local')].flatMap(
    (folder) => [
      join(folder, 'Google', 'Chrome', 'Application', 'chrome.exe'),
      join(folder, 'Microsoft', 'Edge', 'Application', 'msedge.exe'),
    ],
  ),
};

/** The profiles that the browsers use by themselves. */
const defaultProfiles = [
  ...['google-chrome', 'chromium', 'microsoft-edge'].map((name) => join('.config', name)),
  ...['Google/Chrome', 'Chromium', 'Microsoft Edge'].map((name) => join('Library/Application Support', name)),
  ...['Google/Chrome', 'Chromium', 'Microsoft/Edge'].map((name) => join('AppData/Local', name, 'User Data')),
].map((path) => join(homedir(), path));

/** The browser that is named, else one of this computer. Throws an {@link OperatorError} if there is none. */
export function findDesktopBrowser(named: string | undefined, path: string): string {
  const found = findBrowser(named, path);
  if (found !== '') return found;
  if (named !== undefined)
    throw new OperatorError(`${named} is not an executable file: name a Chrome, Chromium or Edge`);
  const place = commonPlaces[process.platform]?.find(isExecutableFile);
  if (place !== undefined) return place;
  throw new OperatorError(
    'no Chrome, Chromium or Edge was found on this computer: install one, or name it with --browser PATH',
  );
}

/** Throws an {@link OperatorError} for a profile that no program can control. */
export async function checkProfile(profile: string): Promise<void> {
  const path = await realpath(profile).catch(() => resolve(profile));
  const isDefault = defaultProfiles.some((other) => path === other || path.startsWith(join(other, '/')));
  if (isDefault) {
    throw new OperatorError(
      `${profile} is a default profile of the browser, and since version 136 Chrome lets no program control that: name another folder, or leave --profile out`,
    );
  }
}

/** The owner's browser with WhatsApp's page. */
export class DesktopBrowser {
  readonly page: Page;
  readonly #browser: Browser;
  readonly #temporary: string | null;

  private constructor(browser: Browser, page: Page, temporary: string | null) {
    this.#browser = browser;
    this.page = page;
    this.#temporary = temporary;
    // After the listener of Puppeteer, which kills the browser.
    if (temporary !== null) process.once('exit', this.#removeAtExit);
  }

  readonly #removeAtExit = (): void => rmSync(this.#temporary as string, removal);

  /** Opens an empty page. Throws an {@link OperatorError} if the browser does not start. */
  static async start(
    { executable, profile, args = [], environment, say }: BrowserOptions,
    signal: AbortSignal,
  ): Promise<DesktopBrowser> {
    const temporary = profile === undefined ? await mkdtemp(join(tmpdir(), 'holdline-passkey-')) : null;
    const userDataDir = temporary ?? resolve(profile as string);
    let browser: Browser | undefined;
    try {
      if (temporary === null) await mkdir(userDataDir, { recursive: true, mode: 0o700 });
      const isRoot = process.platform === 'linux' && process.getuid?.() === 0;
      if (isRoot) say('the browser runs without its sandbox, because this is root: better use another user');
      browser = await puppeteer.launch({
        executablePath: executable,
        // Puppeteer's own arguments switch off extensions, the keychain and sync: what may have the passkey.
        ignoreDefaultArgs: true,
        args: [
          `--user-data-dir=${userDataDir}`,
          ...['--no-first-run', '--no-default-browser-check'],
          ...(isRoot ? ['--no-sandbox'] : []),
          ...args,
          'about:blank',
        ],
        // Other users of the computer can reach a port.
        pipe: true,
        env: environment,
        signal,
        defaultViewport: null,
        ...{ handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false },
      });
      const [page = await browser.newPage()] = await browser.pages();
      return new DesktopBrowser(browser, page, temporary);
    } catch (error) {
      await browser?.close().catch(() => {});
      await remove(temporary);
      signal.throwIfAborted();
      throw new OperatorError(
        `the browser ${executable} did not start (${plain(messageOf(error)).slice(0, 300)}): see that it is a Chrome, Chromium or Edge, that there is a screen, and that no other browser uses the profile; or name another with --browser PATH`,
        { cause: error },
      );
    }
  }

  get isOpen(): boolean {
    return this.#browser.connected && !this.page.isClosed();
  }

  /** Throws an {@link OperatorError} if WhatsApp Web does not load. */
  async openWhatsApp(): Promise<void> {
    try {
      await this.page.goto(whatsAppOrigin, { waitUntil: 'domcontentloaded', timeout: 60_000 });
    } catch (error) {
      throw new OperatorError(
        `${whatsAppOrigin} does not load in the browser (${plain(messageOf(error))}): check the connection of this computer`,
        { cause: error },
      );
    }
    await this.page.bringToFront();
  }

  /** A browser that its user has closed still writes into its profile. */
  async #exit(): Promise<void> {
    const child = this.#browser.process();
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    await atMost(once(child, 'exit'), exitMs);
  }

  /** Ends the browser, and deletes its profile unless it was named. */
  async close(): Promise<void> {
    await this.#browser.close().catch(() => {});
    await this.#exit();
    await remove(this.#temporary);
    process.off('exit', this.#removeAtExit);
  }
}

/** How long a browser may take to end after its window was closed. */
const exitMs = 5_000;

/** The browser's last process can still write when its main process is gone. */
const removal = { recursive: true, force: true, maxRetries: 10, retryDelay: 200 };

async function remove(profile: string | null): Promise<void> {
  if (profile !== null) await rm(profile, removal);
}
