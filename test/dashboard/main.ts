import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../src/contract/errors.js';
import type { OutputOf } from '../../src/contract/operations.js';
import { type Panel, panelsOf, readDashboard, withVariables } from '../support/dashboard.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { OwnerBrowser } from '../support/owner-browser.js';
import type { Product } from '../support/product.js';
import { readQr, Stage } from '../support/stage.js';
import { type Prometheus, startPrometheus } from './prometheus.js';

/**
 * `npm run test:dashboard`: checks deploy/grafana/holdline.json with a real Prometheus that scrapes the real product while it is
 * linked, sends, reads, refuses and restarts. Every query must be accepted, give points, and keep the labels of its legend;
 * every variable must have values. Exit code 69: there is no Prometheus here.
 */
const rateInterval = '15s';

if (spawnSync('prometheus', ['--version']).error) {
  print('prometheus is not on the PATH: apt-get install prometheus');
  process.exit(69);
}
const dashboard = readDashboard();
const complaints: string[] = [];
const stage = await Stage.open();
let prometheus: Prometheus | null = null;
try {
  const probePort = await freePort();
  const product = stage.start('all', { WHATSAPP_PROBE_PORT: String(probePort) });
  prometheus = await startPrometheus({
    'holdline-http': new URL(await product.url()).host,
    'holdline-supervisor': `127.0.0.1:${probePort}`,
  });
  const startedS = nowS();
  await until(prometheus, 'sum(up) == 2', 'Prometheus scrapes both targets');
  await live(product);
  await until(prometheus, 'sum(holdline_recovery_duration_seconds_count) > 0', 'a scrape shows the recovery');
  const endedS = nowS();
  for (const { type, name, query } of dashboard.templating.list) {
    if (type === 'query' && typeof query !== 'string') await checkVariable(prometheus, name, query.query);
  }
  for (const panel of panelsOf(dashboard)) await checkPanel(prometheus, panel, startedS, endedS);
} catch (error) {
  complain(error instanceof Error ? (error.stack ?? error.message) : String(error));
} finally {
  await prometheus?.stop();
  await stage.close();
}
for (const complaint of complaints) print(complaint);
const queries = panelsOf(dashboard).flatMap(({ targets }) => targets).length;
print(`${queries} queries of ${panelsOf(dashboard).length} panels: ${complaints.length} complaints`);
process.exit(complaints.length === 0 ? 0 : 1);

/** The owner answers WhatsApp's request for a passkey. */
async function usePasskey(
  product: Product,
  post: (path: string, body: unknown) => Promise<Response>,
): Promise<void> {
  await product.until(({ passkey }) => passkey?.step === 'answer', 'a request for a passkey');
  const { id, options } = (await (await product.get('/api/auth/passkey')).json()) as OutputOf<'passkey'>;
  const owner = await OwnerBrowser.open(stage.whatsApp.chromeArgs);
  try {
    await owner.register();
    await post('/api/auth/passkey/answer', { id, credential: await owner.assert(options ?? {}) });
  } finally {
    await owner.close();
  }
}

/** Everything of which the dashboard tells: a login with a passkey, sends and reads, refusals, a restart, and its recovery. */
async function live(product: Product): Promise<void> {
  const post = (path: string, body: unknown) =>
    product.get(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', prefer: 'wait=30' },
      body: JSON.stringify(body),
    });
  await product.post('/api/auth/start');
  await product.until(({ has_qr }) => has_qr, 'a QR');
  // Its age must be in a scrape.
  await sleep(2_500);
  const png = Buffer.from(await (await product.get('/qr.png')).arrayBuffer());
  await stage.whatsApp.phone.askForPasskey(true);
  await stage.whatsApp.phone.scan(readQr(png).text ?? '');
  await usePasskey(product, post);
  await product.loginSettled();
  for (let i = 0; i < 3; i++) {
    await post('/api/send', { phone_number: '15551234567', message: `message ${i}` });
    await product.get('/api/chats');
    await post('/api/send', { message: 'to nobody' });
    await sleep(1_100);
  }
  await stage.killBrowser();
  await product.until(({ ready, restarts }) => ready && restarts > 0, 'ready again');
}

/** Waits until a query has an answer. */
async function until(on: Prometheus, expr: string, message: string): Promise<void> {
  const isTrue = async () => (await on.queryRange(expr, nowS() - 1, nowS())).length > 0;
  await eventually(isTrue, { timeoutMs: 30_000, message });
}

/** `label_values(SELECTOR, LABEL)` is Grafana's own; Prometheus has a path for it. */
async function checkVariable(on: Prometheus, name: string, query: string): Promise<void> {
  const [, selector = '', label = ''] = /^label_values\((.+), (\w+)\)$/.exec(query) ?? [];
  const values = await on.labelValues(label, withVariables(selector, rateInterval));
  if (values.length === 0) complain(`the variable ${name} has no values: ${query}`);
}

async function checkPanel(on: Prometheus, panel: Panel, fromS: number, toS: number): Promise<void> {
  for (const { expr, legendFormat } of panel.targets) {
    const what = `${panel.title}: ${expr}`;
    try {
      const answers = await on.queryRange(withVariables(expr, rateInterval), fromS, toS);
      const drawn = answers.filter(({ points }) => points.length > 0);
      if (drawn.length === 0) complain(`no data: ${what}`);
      for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
        if (!drawn.some(({ labels }) => labels[label])) complain(`no label ${label}: ${what}`);
      }
    } catch (error) {
      complain(`${messageOf(error)}: ${what}`);
    }
  }
}

function nowS(): number {
  return Date.now() / 1_000;
}

function complain(text: string): void {
  complaints.push(text);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
