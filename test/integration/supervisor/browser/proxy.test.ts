import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { servePinnedPage } from '../../../../src/session-worker/whatsapp/pinned-page.js';
import type { BrowserProxy } from '../../../../src/supervisor/browser/browser.js';
import { eventually } from '../../../support/eventually.js';
import { type ForwardProxy, startForwardProxy } from '../../../support/forward-proxy.js';
import { type OpenChromium, openChromium } from '../../../support/open-chromium.js';
import { allProcesses } from '../../../support/processes.js';
import { startSocksProxy } from '../../../support/socks-proxy.js';
import { startWhatsAppWeb, type WhatsAppWeb } from '../../../whatsapp-web/index.js';

/** A real browser behind a proxy with a login. */

const login = { username: 'ada', password: 'pa55:word' };
const nowhere = ['--ignore-certificate-errors', '--host-resolver-rules=MAP * ~NOTFOUND'];

let dir: string;
let whatsApp: WhatsAppWeb;
let proxy: ForwardProxy;
const open: OpenChromium[] = [];

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'holdline-proxy-'));
  whatsApp = await startWhatsAppWeb();
  proxy = await startForwardProxy(whatsApp.httpsPort, `${login.username}:${login.password}`);
});
after(async () => {
  for (const browser of open) await browser.close();
  await proxy.close();
  await whatsApp.close();
  await rm(dir, { recursive: true, force: true, maxRetries: 5 });
});

async function launch(used: BrowserProxy | null, chromeArgs = nowhere): Promise<OpenChromium['page']> {
  const browser = await openChromium({ dir, chromeArgs, ...(used === null ? {} : { proxy: used }) });
  open.push(browser);
  return browser.page;
}

const page = 'https://web.whatsapp.com/';

/** How many connections the proxy has accepted since `from`. */
function accepted(from: number): number {
  return proxy.requests.slice(from).filter(({ isAccepted }) => isAccepted).length;
}

test('pages, workers, service workers and sockets log in to the proxy', async () => {
  const from = proxy.requests.length;
  const tab = await launch({ server: proxy.server, login });
  assert.equal((await tab.goto(page))?.status(), 200);
  // The page's own scripts report from where they run.
  await eventually(async () => {
    const { agents } = await whatsApp.phone.state();
    return ['page', 'worker', 'service-worker'].every((kind) => kind in agents);
  });
  const worker = `fetch('${page}').then((r) => postMessage(r.status), (e) => postMessage(String(e)))`;
  const inWorker = await tab.evaluate(`new Promise((done) => {
    const blob = new Blob([${JSON.stringify(worker)}], { type: 'text/javascript' });
    new Worker(URL.createObjectURL(blob)).onmessage = ({ data }) => done(data);
  })`);
  assert.equal(inWorker, 200);
  const socket = await tab.evaluate(`new Promise((done) => {
    const socket = new WebSocket('wss://web.whatsapp.com/ws/chat');
    socket.onopen = () => done('open');
    socket.onerror = () => done('error');
  })`);
  assert.equal(socket, 'open');
  assert.ok(accepted(from) >= 2);
});

test('a pinned start page and the login of the proxy work together', async () => {
  const from = proxy.requests.length;
  const tab = await launch({ server: proxy.server, login });
  await servePinnedPage(tab, '<title>pinned</title>');
  await tab.goto(page);
  assert.equal(await tab.title(), 'pinned');
  const answered = tab.waitForResponse(`${page}app.js`);
  await tab.evaluate(
    `document.head.append(Object.assign(document.createElement('script'), { src: '/app.js' }))`,
  );
  // The stand-in has no such script; a proxy without the login would answer 407.
  assert.equal((await answered).status(), 404);
  assert.ok(accepted(from) > 0);
});

test('a SOCKS5 proxy gets names, which the browser does not look up', async () => {
  const socks = await startSocksProxy(whatsApp.httpsPort);
  try {
    const tab = await launch({ server: socks.server, login: null });
    assert.equal((await tab.goto(page))?.status(), 200);
    assert.ok(socks.hosts.includes('web.whatsapp.com'));
    assert.ok(!socks.hosts.includes('an address'), socks.hosts.join());
  } finally {
    await open.at(-1)?.close();
    await socks.close();
  }
});

test('no crash of a network process can take the login of the proxy from the browser', async () => {
  const networkProcesses = () =>
    allProcesses().filter(({ commandLine }) => {
      const text = commandLine.join(' ');
      return text.includes(dir) && text.includes('network.mojom.NetworkService');
    });
  for (const browser of open.splice(0)) await browser.close();
  await eventually(() => networkProcesses().length === 0);
  await (await launch({ server: proxy.server, login })).goto(page);
  assert.equal(networkProcesses().length, 0);
  const control = await launch({ server: proxy.server, login }, [
    ...nowhere,
    '--disable-features=NetworkServiceInProcess2',
  ]);
  await control.goto(page).catch(() => undefined);
  assert.equal(networkProcesses().length, 1, 'the control: without the feature there is one');
});

test('WebRTC sends nothing past the proxy', async () => {
  const stun = createSocket('udp4');
  let packets = 0;
  stun.on('message', () => packets++);
  stun.bind(0, '127.0.0.1');
  await once(stun, 'listening');
  const gather = `new Promise((done) => {
    const peer = new RTCPeerConnection({ iceServers: [{ urls: 'stun:127.0.0.1:${stun.address().port}' }] });
    const ended = () => done(peer.iceGatheringState);
    peer.onicegatheringstatechange = () => peer.iceGatheringState === 'complete' && ended();
    setTimeout(ended, 3000);
    peer.createDataChannel('x');
    peer.createOffer().then((offer) => peer.setLocalDescription(offer));
  })`;
  try {
    const direct = await launch(null, ['--ignore-certificate-errors']);
    void direct.evaluate(gather).catch(() => undefined);
    await eventually(() => packets > 0, { message: 'the control: without a proxy packets arrive' });
    await open.at(-1)?.close();
    packets = 0;
    const proxied = await launch({ server: proxy.server, login });
    await proxied.evaluate(gather);
    assert.equal(packets, 0);
  } finally {
    stun.close();
  }
});
