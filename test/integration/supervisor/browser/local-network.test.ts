import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import puppeteer from 'puppeteer';
import { preparedPage } from '../../../../src/contract/names.js';
import { loadConfig } from '../../../../src/platform/config/config.js';
import { chromeFlags } from '../../../../src/supervisor/browser/chrome-flags.js';
import { scratchDir } from '../../../support/leftovers.js';

/** A page of the internet, such as WhatsApp Web, cannot read from the local network of the supervisor. */
const { chromeExecutable } = loadConfig('all', { PATH: process.env.PATH });
let servers: Server[];
let outside: string;
let inside: string;

before(async () => {
  servers = [createServer(), createServer()];
  for (const server of servers) {
    server.on('request', (_, response) => {
      response.writeHead(200, { 'content-type': 'text/html', 'access-control-allow-origin': '*' });
      response.end('of the local network');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
  [outside = '', inside = ''] = servers.map(
    (server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  );
});
after(() => {
  for (const server of servers) server.closeAllConnections();
  for (const server of servers) server.close();
});

/** What a page at `outside` gets from `inside`, in a browser with the product's flags and `extra`. */
async function fetched(...extra: string[]): Promise<string> {
  const profileDir = join(scratchDir(), 'profile');
  // Makes Chromium treat one of the two loopback servers as a secure server of the internet.
  const asOutside = [
    `--ip-address-space-overrides=${outside.slice('http://'.length)}=public`,
    `--unsafely-treat-insecure-origin-as-secure=${outside}`,
  ];
  const flags = chromeFlags({ profileDir, headless: true, extra: [...asOutside, ...extra] });
  const browser = await puppeteer.launch({
    ...{ executablePath: chromeExecutable, ignoreDefaultArgs: true, pipe: true },
    args: flags.filter((flag) => flag !== preparedPage),
  });
  try {
    const page = await browser.newPage();
    await page.goto(outside);
    return await page.evaluate(
      (url) =>
        fetch(url).then(
          (answer) => answer.text(),
          () => 'refused',
        ),
      inside,
    );
  } finally {
    await browser.close();
  }
}

test('a page of the internet cannot read from the local network', async () => {
  assert.equal(await fetched(), 'refused');
});

test('control: without the check of the browser it can', async () => {
  const off = '--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets';
  assert.equal(await fetched(off), 'of the local network');
});
