import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MessagePort } from 'node:worker_threads';
import puppeteer, { type HTTPResponse, type Page } from 'puppeteer';
import { HoldlineError, messageOf } from '../contract/errors.js';
import type { Config } from '../platform/config/config.js';
import { PortTransport } from '../session-worker/whatsapp/port-transport.js';
import { type Browser, endlessLease, launchBrowser } from '../supervisor/browser/browser.js';
import { browserSettings } from '../supervisor/browser/browser-settings.js';
import type { ExportList } from './export-list.js';
import type { Look } from './judge.js';

const url = 'https://web.whatsapp.com/';

/** WhatsApp Web did not come, or not as far as saying its version. */
export class UnreachableError extends HoldlineError {
  constructor(why: string, cause?: unknown) {
    super('unreachable', `web.whatsapp.com cannot be looked at from here: ${why}`, { cause });
  }
}

export interface LivePage {
  readonly version: string;
  /** The start page as it was served. */
  readonly html: string;
  readonly exports: ExportList;
  readonly look: Look;
}

interface Questions {
  /** Of which the exports are listed. */
  readonly modules: readonly string[];
  /** Paths into modules that are looked for, e.g. `['WAWebCmd', 'Cmd', 'on']`. */
  readonly paths: readonly (readonly string[])[];
}

/** Loads WhatsApp Web in a browser of its own, without a login, and looks at it. Throws {@link UnreachableError}. */
export async function readLivePage(
  config: Config,
  questions: Questions,
  warn: (message: string) => void,
): Promise<LivePage> {
  const profileDir = await mkdtemp(join(tmpdir(), 'holdline-page-'));
  let browser: Browser | null = null;
  try {
    browser = await launchBrowser({
      ...(await browserSettings(config, warn)),
      profileDir,
      lease: endlessLease(),
      abandon: new AbortController().signal,
    });
    return await lookWith(browser.openPort(), config.timing.startDeadlineMs, questions);
  } catch (error) {
    throw error instanceof UnreachableError ? error : new UnreachableError(messageOf(error), error);
  } finally {
    await browser?.kill();
    await rm(profileDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

async function lookWith(
  port: MessagePort,
  deadlineMs: number,
  { modules, paths }: Questions,
): Promise<LivePage> {
  const browser = await puppeteer.connect({
    transport: new PortTransport(port),
    protocolTimeout: deadlineMs,
  });
  try {
    const page = await browser.newPage();
    const html = await (await load(page, deadlineMs)).text();
    const version = await versionOf(page, deadlineMs);
    const names = (await page.evaluate(
      `(${listExports})(${JSON.stringify(modules)})`,
    )) as ExportList['modules'];
    const found = (await page.evaluate(`(${findPaths})(${JSON.stringify(paths)})`)) as string[];
    const there = new Set(found);
    const today = new Date().toISOString().slice(0, 10);
    return {
      version,
      html,
      exports: {
        revision: version,
        built: null,
        what: `names that modules of the real page export, read on ${today} without a login; null: there is no such module`,
        modules: names,
      },
      look: (name) => (there.has(name) ? 'there' : 'missing'),
    };
  } finally {
    await browser.disconnect();
  }
}

async function load(page: Page, timeout: number): Promise<HTTPResponse> {
  const response = await page.goto(url, { waitUntil: 'load', timeout });
  if (response === null) throw new UnreachableError('the browser got no answer');
  if (!response.ok()) throw new UnreachableError(`it answered HTTP ${response.status()}`);
  return response;
}

async function versionOf(page: Page, timeout: number): Promise<string> {
  try {
    await page.waitForFunction('typeof window.Debug?.VERSION === "string"', { polling: 100, timeout });
    return String(await page.evaluate('window.Debug.VERSION')).slice(0, 64);
  } catch (error) {
    throw new UnreachableError('its page came, but does not say its version', error);
  }
}

/** Names that each module exports; null: there is none. What is no plain object is a default export. */
const listExports = `(modules) => {
  const namesOf = (module) => {
    let exported;
    try { exported = window.require(module); } catch { return null; }
    if (exported === undefined || exported === null) return null;
    const names = typeof exported === 'object' ? Object.keys(exported).sort() : [];
    return names.length > 0 ? names : ['default'];
  };
  return Object.fromEntries(modules.map((module) => [module, namesOf(module)]));
}`;

/** Those of the paths that lead to something, with dots between their parts. */
const findPaths = `(paths) => {
  const isThere = ([module, ...inner]) => {
    try {
      const found = inner.reduce((value, key) => value[key], window.require(module));
      return found !== undefined && found !== null;
    } catch {
      return false;
    }
  };
  return paths.filter(isThere).map((path) => path.join('.'));
}`;
