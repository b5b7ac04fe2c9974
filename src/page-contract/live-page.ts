import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MessagePort } from 'node:worker_threads';
import puppeteer, { type HTTPResponse, type Page } from 'puppeteer';
import { z } from 'zod';
import { HoldlineError, messageOf } from '../contract/errors.js';
import { whatsAppHost } from '../contract/page.js';
import type { Config } from '../platform/config/config.js';
import { PortTransport } from '../session-worker/whatsapp/port-transport.js';
import { type Browser, endlessLease, launchBrowser } from '../supervisor/browser/browser.js';
import { browserSettings } from '../supervisor/browser/browser-settings.js';
import type { Lookup } from './capability-report.js';
import { type ExportList, modulesSchema } from './export-list.js';

/** WhatsApp Web could not be loaded, or its page did not say its version or what it has. */
export class UnreachableError extends HoldlineError {
  constructor(why: string, cause?: unknown) {
    super('unreachable', `${whatsAppHost} could not be examined: ${why}`, { cause });
  }
}

export interface LivePage {
  readonly version: string;
  /** The start page as it was served. */
  readonly html: string;
  readonly exports: ExportList;
  readonly lookup: Lookup;
}

interface PageQuery {
  /** The modules whose exports are listed. */
  readonly modules: readonly string[];
  /** Paths into modules that are looked up, such as `['WAWebCmd', 'Cmd', 'on']`. */
  readonly paths: readonly (readonly string[])[];
}

/** Loads WhatsApp Web in a new browser, without a login, and examines it. Throws {@link UnreachableError}. */
export async function readLivePage(
  config: Config,
  query: PageQuery,
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
    return await examineWith(browser.openPort(), config.timing.startDeadlineMs, query);
  } catch (error) {
    throw error instanceof UnreachableError ? error : new UnreachableError(messageOf(error), error);
  } finally {
    await browser?.kill();
    await rm(profileDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

async function examineWith(
  port: MessagePort,
  deadlineMs: number,
  { modules, paths }: PageQuery,
): Promise<LivePage> {
  const browser = await puppeteer.connect({
    transport: new PortTransport(port),
    protocolTimeout: deadlineMs,
  });
  try {
    const page = await browser.newPage();
    const html = await (await load(page, deadlineMs)).text();
    const version = await versionOf(page, deadlineMs);
    const names = await read(page, modulesSchema, listExports, modules);
    const existing = new Set(await read(page, z.array(z.string()), findPaths, paths));
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
      lookup: (name) => (existing.has(name) ? 'there' : 'missing'),
    };
  } finally {
    await browser.disconnect();
  }
}

async function load(page: Page, timeout: number): Promise<HTTPResponse> {
  const response = await page.goto(`https://${whatsAppHost}/`, { waitUntil: 'load', timeout });
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

/** What a page function answers for `input`. */
async function read<T>(page: Page, schema: z.ZodType<T>, pageFunction: string, input: unknown): Promise<T> {
  const { data, success } = schema.safeParse(
    await page.evaluate(`(${pageFunction})(${JSON.stringify(input)})`),
  );
  if (!success) throw new UnreachableError('its page gave an answer that cannot be read');
  return data;
}

/** Page function: the names that each module exports; null: no such module. An export that is not an object counts as a default export. */
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

/** Page function: the paths that exist, their parts joined by dots. */
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
