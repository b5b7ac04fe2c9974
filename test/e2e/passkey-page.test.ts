import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { HTTPRequest, Page } from 'puppeteer';
import { passkeyCommand } from '../../src/contract/passkey-command.js';
import { eventually } from '../support/eventually.js';
import { PasskeyLinking } from '../support/passkey-linking.js';

/** The owner links the account on `/qr`, in a browser that has the passkey. */

const timeoutMs = 30_000;

/** The text of what is shown; '' while the page reloads or has no such element. */
async function shown(page: Page, selector: string): Promise<string> {
  return page.$eval(selector, (element) => element.textContent ?? '').catch(() => '');
}

async function untilShown(page: Page, selector: string, expected: RegExp): Promise<void> {
  let last = '';
  await eventually(
    async () => {
      last = await shown(page, selector);
      return expected.test(last);
    },
    { timeoutMs, message: `${expected} in ${selector}` },
  ).catch((error: Error) => {
    throw new Error(`${error.message}; it shows ${last}`);
  });
}

/** Runs a command as the console of the tab does. The session stays: the end of any session takes the virtual authenticator away. */
async function runInConsole(tab: Page, command: string): Promise<void> {
  const cdp = await tab.createCDPSession();
  const { exceptionDetails } = await cdp.send('Runtime.evaluate', { expression: command, replMode: true });
  assert.equal(exceptionDetails, undefined, JSON.stringify(exceptionDetails));
}

/** From now on the timers of the page end only by `elapse`. */
async function stopClock(page: Page) {
  await page.evaluate(`(() => {
    const timers = new Map();
    let last = 0;
    window.setTimeout = (end, ms, ...values) => { timers.set(++last, { ms, end: () => end(...values) }); return last; };
    window.clearTimeout = (id) => void timers.delete(id);
    window.elapse = (ms) => {
      for (const [id, timer] of [...timers]) if (timer.ms <= ms && timers.delete(id)) timer.end();
    };
    window.waitsFor = (ms) => [...timers.values()].some((timer) => timer.ms === ms);
  })()`);
  return {
    elapse: (ms: number) => page.evaluate(`elapse(${ms})`),
    untilItWaits: (ms: number) =>
      eventually(() => page.evaluate(`waitsFor(${ms})`), { timeoutMs, message: `it waits for ${ms} ms` }),
  };
}

/** Holds what the page posts. */
async function holdPosts(page: Page) {
  const held: HTTPRequest[] = [];
  const take = (request: HTTPRequest) =>
    request.method() === 'POST' ? void held.push(request) : void request.continue().catch(() => {});
  await page.setRequestInterception(true);
  page.on('request', take);
  return {
    next: async () => {
      await eventually(() => held.length > 0, { timeoutMs, message: 'the page posts' });
      return held.shift() as HTTPRequest;
    },
    stop: async () => {
      page.off('request', take);
      for (const request of held.splice(0)) await request.abort();
      await page.setRequestInterception(false);
    },
  };
}

describe('the page /qr in a browser with the passkey', () => {
  let linking: PasskeyLinking;
  let page: Page;
  const documents: string[] = [];

  before(async () => {
    linking = await PasskeyLinking.open();
    page = await linking.owner.browser.newPage();
    await linking.owner.browser
      .defaultBrowserContext()
      .overridePermissions(await linking.product.url(), ['clipboard-read', 'clipboard-write']);
    page.on('request', (request) => request.resourceType() === 'document' && documents.push(request.url()));
    await page.goto(`${await linking.product.url()}/qr`);
  });
  after(() => linking.close());

  it('shows what to do as soon as the phone has scanned, and reloads once for it', async () => {
    await linking.asked();
    await untilShown(page, 'h1', /Use your passkey/);
    await eventually(async () => (await page.$('body[data-tabs]')) !== null, { timeoutMs });
    assert.equal(documents.length, 2);
    await untilShown(page, '#facts', /ends in (9|10) min/);
    const { headers } = await linking.product.get('/qr');
    assert.equal(headers.get('cross-origin-opener-policy'), 'same-origin-allow-popups');
    assert.equal((await linking.product.get('/')).headers.get('cross-origin-opener-policy'), 'same-origin');
  });

  it('takes an answer only from the tab that it has opened', async () => {
    const request = await linking.at('answer');
    assert.ok(request.options);
    const answer = { id: request.id, credential: await linking.owner.assert(request.options) };
    const posts: string[] = [];
    page.on('request', (each) => each.method() === 'POST' && posts.push(each.url()));
    const message = JSON.stringify({ holdlinePasskey: answer });
    await page.evaluate(`window.postMessage(${message}, '*')`);
    // A tab that the page has not opened by its button, on WhatsApp's site.
    await page.evaluate(`void window.open('https://web.whatsapp.com/frame')`);
    const other = await linking.owner.whatsAppTab();
    await eventually(async () => (await other.evaluate('document.readyState')) === 'complete', { timeoutMs });
    await other.evaluate(`window.opener.postMessage(${message}, '*')`);
    // Messages come in order: after this one the others have been handled.
    await page.evaluate(`new Promise((done) => {
      addEventListener('message', ({ data }) => data === 'the last' && done(null));
      window.postMessage('the last', '*');
    })`);
    await other.close();
    assert.deepEqual(posts, []);
    assert.equal((await linking.at('answer')).id, request.id);
  });

  it('has the tab wait for a slow server, and says when it is not known what became of the answer', async () => {
    const { id, options } = await linking.at('answer');
    assert.ok(options);
    await page.bringToFront();
    await page.click('[data-passkey=open]');
    const tab = await linking.owner.whatsAppTab();
    await eventually(async () => (await tab.evaluate('document.readyState')) === 'complete', { timeoutMs });
    const { elapse, untilItWaits } = await stopClock(tab);
    const posts = await holdPosts(page);
    const dialog = '#holdline-passkey';
    const press = async () => {
      await tab.bringToFront();
      await runInConsole(tab, passkeyCommand({ id, options, gateway: `${await linking.product.url()}/qr` }));
      await tab.click(`${dialog} button`);
    };

    try {
      await press();
      const slow = await posts.next();
      await untilItWaits(40_000);
      await elapse(10_000);
      assert.match(await shown(tab, dialog), /^Use your passkey/);
      await slow.respond({ status: 202, contentType: 'application/json', body: '{"ok":true}' });
      await untilShown(tab, dialog, /^Done/);

      await press();
      const silent = await posts.next();
      await untilItWaits(40_000);
      await elapse(40_000);
      await untilShown(
        tab,
        dialog,
        /^It is not known whether 127\.0\.0\.1:\d+ took the answer\. Look at its page/,
      );
      await silent.abort();
      await press();
      await (await posts.next()).abort();
      await untilShown(tab, dialog, /^The server did not say whether the answer arrived/);
    } finally {
      await posts.stop();
    }

    // Then it does not know the tab.
    await page.reload();
    await press();
    await untilItWaits(10_000);
    await elapse(10_000);
    await untilShown(tab, dialog, /^Copy this answer/);
    await tab.close();
    assert.equal((await linking.at('answer')).id, id);
  });

  it('copies the command, opens WhatsApp Web, and brings the answer back by itself', async () => {
    await page.bringToFront();
    await page.click('[data-passkey=copy]');
    await untilShown(page, '#passkey-said', /Copied/);
    // As the live script does, e.g. when a code becomes necessary.
    await page.evaluate(`(() => {
      const now = document.getElementById('now');
      now.innerHTML = now.innerHTML.replace(/(id="passkey-said"[^>]*>)[^<]+/, '$1');
    })()`);
    await untilShown(page, '#passkey-said', /Copied/);
    const command = String(await page.evaluate('navigator.clipboard.readText()'));
    assert.match(command, /^\/\/ This lets 127\.0\.0\.1:\d+ link itself to YOUR WhatsApp account/);
    await page.click('[data-passkey=open]');
    const tab = await linking.owner.whatsAppTab();
    await eventually(async () => (await tab.evaluate('document.readyState')) === 'complete', { timeoutMs });
    await runInConsole(tab, command);
    assert.match(await shown(tab, '#holdline-passkey'), /if somebody sent you here, close this tab/);

    await linking.owner.decline();
    await tab.click('#holdline-passkey button');
    await untilShown(tab, '#holdline-passkey', /The passkey was not used/);
    await linking.owner.decline(false);
    await tab.click('#holdline-passkey button');
    await untilShown(tab, '#holdline-passkey', /Done/);
    await page.bringToFront();
    await untilShown(page, 'h1', /Linked as Sam Example/);
    assert.equal((await linking.phone.state()).passkey.verified.length, 1);
  });
});

describe('the page /qr without scripts', () => {
  let linking: PasskeyLinking;
  let page: Page;

  before(async () => {
    linking = await PasskeyLinking.open({}, {}, { timing: { passkeyHandoffMs: 0 } });
    page = await linking.owner.browser.newPage();
    await page.setJavaScriptEnabled(false);
  });
  after(() => linking.close());

  it('takes a pasted answer, says what is wrong with another text, and compares the code', async () => {
    const url = await linking.product.url();
    await linking.asked();
    await page.goto(`${url}/qr-form?do=passkey`);
    const command = await shown(page, 'pre code');
    await page.type('textarea', 'rubbish');
    await Promise.all([page.waitForNavigation(), page.click('button')]);
    assert.match(await shown(page, '[role=alert]'), /not the answer that the command shows/);
    assert.equal(await page.$eval('textarea', (area) => area.textContent), 'rubbish');

    const tab = await linking.owner.openPage('https://web.whatsapp.com/frame');
    await runInConsole(tab, command);
    await tab.click('#holdline-passkey button');
    await untilShown(tab, '#holdline-passkey', /Copy this answer/);
    const answer = await tab.$eval('#holdline-passkey textarea', (area) => area.value);
    await page.bringToFront();
    await page.$eval('textarea', (area) => {
      area.value = '';
    });
    await page.type('textarea', answer);
    await Promise.all([page.waitForNavigation(), page.click('button')]);
    assert.equal(new URL(page.url()).pathname, '/qr');

    await linking.at('code');
    await page.goto(`${url}/qr`);
    const { phoneCode } = (await linking.phone.state()).passkey;
    assert.equal((await shown(page, '#code .tile')).replace('-', ''), phoneCode?.replace('-', ''));
    await Promise.all([page.waitForNavigation(), page.click('#code button')]);
    await linking.product.until((s) => s.ready, 'ready');
  });
});
