import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, test } from 'node:test';
import type { Page } from 'puppeteer';
import { loadConfig } from '../../../../src/platform/config/config.js';
import { startForeignPage } from '../../../support/foreign-page.js';
import { findHeadlessShell, headlessShellMissing } from '../../../support/headless-shell.js';
import { assertNothingLeft, scratchDir } from '../../../support/leftovers.js';
import { openChromium } from '../../../support/open-chromium.js';

/** How one context of the browser describes it. */
interface Identity {
  readonly userAgent: string;
  readonly brands: readonly string[];
  readonly platform: string;
  readonly hintedPlatform: string;
  readonly languages: readonly string[];
  readonly timeZone: string;
}

const describeBrowser = `() => ({
  userAgent: navigator.userAgent,
  brands: navigator.userAgentData.brands.map(({ brand, version }) => brand + ' ' + version),
  platform: navigator.platform,
  hintedPlatform: navigator.userAgentData.platform,
  languages: [...navigator.languages],
  timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
})`;
const scripts: Readonly<Record<string, string>> = {
  '/worker.js': `postMessage((${describeBrowser})())`,
  '/service-worker.js': `
    addEventListener('install', () => skipWaiting());
    addEventListener('message', ({ source }) => source.postMessage((${describeBrowser})()));
    addEventListener('fetch', () => {});`,
};
/** By the destination of the request. */
const headers = new Map<string, Record<string, string>>();

const dir = scratchDir();
const server = await startForeignPage((path, { headers: sent }) => {
  headers.set(String(sent['sec-fetch-dest']), {
    userAgent: String(sent['user-agent']),
    language: String(sent['accept-language']),
    brands: String(sent['sec-ch-ua']),
    platform: String(sent['sec-ch-ua-platform']),
  });
  const script = scripts[path];
  return script === undefined
    ? { body: '<!doctype html><title>page</title>' }
    : { type: 'text/javascript', body: script };
});

after(async () => {
  await server.close();
  await assertNothingLeft();
});

async function identitiesOf(page: Page): Promise<Record<'page' | 'worker' | 'serviceWorker', Identity>> {
  return (await page.evaluate(`(async () => {
    const said = (target) => new Promise((resolve) => { target.onmessage = ({ data }) => resolve(data); });
    const worker = await said(new Worker('/worker.js'));
    await navigator.serviceWorker.register('/service-worker.js');
    const { active } = await navigator.serviceWorker.ready;
    const answer = said(navigator.serviceWorker);
    active.postMessage('describeBrowser');
    return { page: (${describeBrowser})(), worker, serviceWorker: await answer };
  })()`)) as Record<'page' | 'worker' | 'serviceWorker', Identity>;
}

const { chromeExecutable } = loadConfig('all', { PATH: process.env.PATH });
const major = /(\d+)(\.\d+){3}/.exec(
  execFileSync(chromeExecutable, ['--version'], { encoding: 'utf8' }),
)?.[1];

/** What Chromium itself says; the headless shell says what this product has made of its version. */
const chromiumBrands = await brandsOfChromium();

async function brandsOfChromium(): Promise<readonly string[]> {
  const chromium = await openChromium({ dir, chromeArgs: server.chromeArgs });
  try {
    await chromium.page.goto('https://web.whatsapp.com/');
    return (await identitiesOf(chromium.page)).page.brands;
  } finally {
    await chromium.close();
  }
}

const shellIsMissing = findHeadlessShell() === undefined ? headlessShellMissing : false;
const browsers = [
  ['chromium', false],
  ['shell', shellIsMissing],
] as const;

for (const [browser, skip] of browsers) {
  const title = 'page, worker, service worker, browser and requests show one identity, also later';
  test(`${browser}: ${title}`, { skip }, async () => {
    const chromium = await openChromium({
      dir,
      chromeArgs: server.chromeArgs,
      environment: {
        WHATSAPP_BROWSER: browser,
        WHATSAPP_LANGUAGES: 'de-AT,de,en',
        WHATSAPP_TIME_ZONE: 'America/Lima',
      },
    });
    try {
      const { page, warnings } = chromium;
      const userAgent = `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${major}.0.0.0 Safari/537.36`;
      const navigations = [
        () => page.goto('https://web.whatsapp.com/'),
        () => page.reload(),
        () => page.goto('https://web.whatsapp.com/?post_logout=1'),
      ];
      for (const navigate of navigations) {
        headers.clear();
        await navigate();
        const { page: own, worker, serviceWorker } = await identitiesOf(page);
        assert.equal(own.userAgent, userAgent);
        assert.deepEqual(own.brands, chromiumBrands);
        assert.match(own.platform, /^Linux /);
        assert.equal(own.hintedPlatform, 'Linux');
        assert.deepEqual(own.languages, ['de-AT', 'de', 'en']);
        assert.equal(own.timeZone, 'America/Lima');
        assert.deepEqual(worker, own);
        assert.deepEqual(serviceWorker, own);
        const sent = headers.get('document');
        assert.equal(sent?.language, 'de-AT,de;q=0.9,en;q=0.8');
        assert.match(sent?.brands ?? '', new RegExp(`"Chromium";v="${major}"`));
        assert.equal(sent?.platform, '"Linux"');
        for (const { userAgent: header, brands } of headers.values()) {
          assert.equal(header, userAgent);
          assert.doesNotMatch(String(brands), /Headless/);
        }
        assert.ok(headers.has('worker'));
      }
      assert.equal(await page.browser().userAgent(), userAgent);
      assert.deepEqual(warnings, []);
    } finally {
      await chromium.close();
    }
  });
}

for (const [browser, skip] of browsers) {
  test(`control: ${browser} by itself says HeadlessChrome everywhere`, { skip }, async () => {
    const environment = { WHATSAPP_BROWSER: browser };
    const chromium = await openChromium({
      dir,
      chromeArgs: server.chromeArgs,
      environment,
      hasIdentity: false,
    });
    try {
      await chromium.page.goto('https://web.whatsapp.com/');
      const { page, worker, serviceWorker } = await identitiesOf(chromium.page);
      for (const { userAgent, brands } of [page, worker, serviceWorker]) {
        assert.match(userAgent, new RegExp(` HeadlessChrome/${major}\\.`));
        assert.equal(brands.includes(`HeadlessChrome ${major}`), browser === 'shell');
      }
      assert.match(await chromium.page.browser().userAgent(), / HeadlessChrome\//);
      assert.match(headers.get('document')?.userAgent ?? '', / HeadlessChrome\//);
    } finally {
      await chromium.close();
    }
  });

  test(`${browser}: a user agent of the operator wins`, { skip }, async () => {
    const chromium = await openChromium({
      dir,
      chromeArgs: [...server.chromeArgs, '--user-agent=Mine/1.0'],
      environment: { WHATSAPP_BROWSER: browser },
    });
    try {
      await chromium.page.goto('https://web.whatsapp.com/');
      const { page, worker, serviceWorker } = await identitiesOf(chromium.page);
      for (const { userAgent, brands } of [page, worker, serviceWorker]) {
        assert.equal(userAgent, 'Mine/1.0');
        assert.deepEqual(brands, chromiumBrands);
      }
    } finally {
      await chromium.close();
    }
  });
}
