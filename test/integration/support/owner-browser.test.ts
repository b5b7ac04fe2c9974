import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { OwnerBrowser } from '../../support/owner-browser.js';
import { startWhatsAppWeb, type WhatsAppWeb } from '../../whatsapp-web/index.js';
import { RelyingParty } from '../../whatsapp-web/relying-party.js';

/** The owner's browser, and what the policy of WhatsApp's page lets a tab send back to the page that opened it. */

const OPENER = `<!doctype html><title>opener</title>
  <button onclick="window.open('https://web.whatsapp.com/')">Open</button>
  <script>addEventListener('message', ({ data, origin }) => { window.got = [origin, data]; });</script>`;

let whatsAppWeb: WhatsAppWeb;
let owner: OwnerBrowser;
let local: Server;
let localUrl: string;
let fetched = 0;

before(async () => {
  whatsAppWeb = await startWhatsAppWeb();
  owner = await OwnerBrowser.open(whatsAppWeb.chromeArgs);
  local = createServer((request, response) => {
    if (request.url === '/fetched') fetched += 1;
    response.setHeader('access-control-allow-origin', '*');
    response.setHeader('content-type', 'text/html');
    response.end(OPENER);
  });
  local.listen(0, '127.0.0.1');
  await once(local, 'listening');
  localUrl = `http://127.0.0.1:${(local.address() as AddressInfo).port}/`;
});

after(async () => {
  await owner.close();
  local.closeAllConnections();
  local.close();
  await whatsAppWeb.close();
});

test('a tab that a page opens has the passkeys, and its opener; it cannot fetch from elsewhere', async () => {
  const id = await owner.register();
  const page = await owner.openPage(localUrl);
  await page.click('button');
  const tab = await owner.whatsAppTab();
  const options = await new RelyingParty().options(60_000);
  await tab.evaluate(`(async () => {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(${JSON.stringify(options)});
    const credential = await navigator.credentials.get({ publicKey });
    window.opener.postMessage(credential.id, '*');
  })()`);
  await page.waitForFunction('window.got !== undefined');
  assert.deepEqual(await page.evaluate('window.got'), ['https://web.whatsapp.com', id]);

  const get = (url: string) => `fetch(${JSON.stringify(url)}).then(() => 'fetched', (error) => error.name)`;
  assert.equal(await tab.evaluate(get(`${localUrl}fetched`)), 'TypeError');
  assert.equal(fetched, 0);
  assert.equal(await tab.evaluate(get('/frame')), 'fetched', 'control: its own site is allowed');
  assert.equal(await page.evaluate(get(`${localUrl}fetched`)), 'fetched', 'control: the server answers');
  await tab.close();
  await page.close();
});

test('passkeys are shared by all tabs, and the owner can decline in all of them', async () => {
  const open = await owner.openPage('https://web.whatsapp.com/frame');
  const id = await owner.register();
  const { cdp, authenticatorId } = await owner.usePasskeys(open);
  const { credentials } = await cdp.send('WebAuthn.getCredentials', { authenticatorId });
  const ids = credentials.map(({ credentialId }) =>
    Buffer.from(credentialId, 'base64').toString('base64url'),
  );
  assert.ok(ids.includes(id), 'a tab that was open has the new one too');
  const options = await new RelyingParty().options(60_000);
  await owner.decline();
  await assert.rejects(owner.assert(options), /NotAllowedError/);
  await owner.decline(false);
  assert.equal((await owner.assert(options)).type, 'public-key');
  await open.close();
});
