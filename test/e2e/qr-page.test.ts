import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import axe from 'axe-core';
import { Redis } from 'ioredis';
import puppeteer, { type Browser, type Page } from 'puppeteer';
import type { SessionState } from '../../src/contract/status.js';
import { loadConfig } from '../../src/platform/config/config.js';
import { eventually } from '../support/eventually.js';
import { type Replica, startReplica } from '../support/http-replica.js';
import { readFromScreen, textOf } from '../support/page-reading.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import { type Script, type ScriptedOwner, startOwner } from '../support/scripted-owner.js';

/** Set to a directory to look at what was tested. */
const screenshots = process.env.SCREENSHOTS;

/** As long as a real code of WhatsApp: the denser the code, the harder it is to scan from a small screen. */
const qrText = `2@${'x1Yb+/3Q'.repeat(28)},${'k'.repeat(43)}=,${'m'.repeat(43)}=,${'s'.repeat(43)}=,1`;
const account = { wid: '491511234567@c.us', pushname: 'Ada Lovelace', platform: 'android' };
const longName = { ...account, pushname: `Ada ‮ <b>${'Wwwwwwwwww'.repeat(9)}</b> 👩‍💻` };
const noRedis = 'net::ERR_NAME_NOT_RESOLVED at https://web.whatsapp.com/: the name could not be resolved';

const passkey = 'WhatsApp asks the person for a passkey before it links this device';
const changedPage =
  'the page of WhatsApp Web (2.3000.1043121234) has changed: chats is broken, WAWebCollections.Chat.getModelsArray is missing';

interface Scenario {
  readonly name: string;
  readonly state: SessionState;
  /** null: no session is started. */
  readonly script: Script | null;
  readonly andThen?: (owner: ScriptedOwner) => Promise<void>;
  readonly heading: RegExp;
  readonly hasCode?: true;
}

const untilAsked = (steps: Script): Script => {
  return async (run) => {
    await steps(run);
    const intent = await run.intent;
    await run.end('stopped', { intent });
  };
};

const scenarios: readonly Scenario[] = [
  { name: 'never-started', state: 'stopped', script: null, heading: /Not running/ },
  {
    name: 'starting',
    state: 'starting',
    script: untilAsked((run) => run.publish('starting')),
    heading: /Starting/,
  },
  {
    name: 'trying-again',
    state: 'starting',
    script: untilAsked((run) => run.publish('starting', { lastError: noRedis })),
    heading: /Trying again/,
  },
  {
    name: 'scan',
    state: 'qr',
    script: untilAsked((run) => run.publish('qr', { qrText, qrNumber: 2, expiresInMs: 17_500 })),
    heading: /Scan this code/,
    hasCode: true,
  },
  {
    name: 'code-expired',
    state: 'qr',
    script: untilAsked((run) => run.publish('qr')),
    heading: /A fresh code is coming/,
  },
  {
    name: 'passkey',
    state: 'passkey_required',
    script: untilAsked(async (run) => {
      await run.publish('qr', { qrText });
      await run.publish('passkey_required', { lastError: passkey });
    }),
    heading: /WhatsApp asks for a passkey/,
  },
  {
    name: 'linking',
    state: 'authenticated',
    script: untilAsked((run) => run.publish('authenticated', { account })),
    heading: /Linking/,
  },
  {
    name: 'ready',
    state: 'ready',
    script: untilAsked((run) => run.publish('ready', { account })),
    heading: /Linked as Ada Lovelace/,
  },
  {
    name: 'ready-long-name',
    state: 'ready',
    script: untilAsked((run) => run.publish('ready', { account: longName })),
    heading: /Linked as Ada/,
  },
  {
    name: 'disconnected-retrying',
    state: 'disconnected',
    script: untilAsked((run) => run.publish('disconnected', { account, lastError: noRedis })),
    heading: /Disconnected/,
  },
  {
    name: 'disconnected-ended',
    state: 'disconnected',
    script: (run) =>
      run.end('disconnected', { lastError: 'restarted 10 times within 30 minutes: the page crashed' }),
    heading: /has given up/,
  },
  {
    name: 'ready-on-a-changed-page',
    state: 'ready',
    script: untilAsked((run) => run.publish('ready', { account, lastError: changedPage })),
    heading: /Linked as Ada Lovelace/,
  },
  {
    name: 'auth-failure',
    state: 'auth_failure',
    script: (run) => run.end('auth_failure', { lastError: 'WhatsApp refused the login' }),
    heading: /The login failed/,
  },
  {
    name: 'stopped-linked',
    state: 'stopped',
    script: async (run) => {
      await run.publish('ready', { account });
      await run.end('stopped');
    },
    heading: /Not running/,
  },
  {
    name: 'owner-gone',
    state: 'disconnected',
    script: untilAsked((run) => run.publish('ready', { account })),
    andThen: async (owner) => owner.runs[0]?.fallSilent(),
    heading: /No supervisor runs the session/,
  },
];

/** Both schemes, the widest and the narrowest. */
const views = [
  { name: 'light', width: 1280, height: 900, scheme: 'light' },
  { name: 'small-phone-dark', width: 320, height: 568, scheme: 'dark' },
] as const;

describe('the /qr page in a browser', () => {
  let server: RedisServer;
  let redis: Redis;
  let replica: Replica;
  let browser: Browser;
  let owner: ScriptedOwner | null = null;

  before(async () => {
    if (screenshots !== undefined) await mkdir(screenshots, { recursive: true });
    server = await startRedis();
    redis = new Redis(server.url);
    redis.on('error', () => undefined);
    replica = await startReplica(server.url);
    browser = await puppeteer.launch({
      executablePath: loadConfig('all', { PATH: process.env.PATH }).chromeExecutable,
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking'],
    });
  });
  afterEach(async () => {
    await owner?.close();
    owner = null;
    await redis.flushall();
  });
  after(async () => {
    await browser.close();
    await replica.close();
    redis.disconnect();
    await server.stop();
  });

  async function play({ script, andThen, state }: Scenario): Promise<void> {
    if (script !== null) {
      // This process reads codes from screenshots: the heartbeat must outlast that.
      owner = await startOwner(server.url, script, 30_000);
      await replica.post('/api/auth/start', { headers: { prefer: 'wait=0' } });
      await eventually(() => owner?.runs.length === 1);
      await eventually(async () => (await redis.exists('{wa}:s:default:state')) === 1);
      if (andThen) await andThen(owner);
    }
    await eventually(async () => (await replica.status()).state === state);
  }

  for (const scenario of scenarios) {
    it(`is accessible on every screen: ${scenario.name}`, async () => {
      await play(scenario);
      for (const view of views) {
        await look(scenario.name, view, async (page) => {
          assert.match(await textOf(page, 'h1'), scenario.heading);
          assert.match(await textOf(page, '[role=status]'), new RegExp(`State: ${scenario.state}`));
          assert.equal((await page.$('img')) !== null, scenario.hasCode === true);
          if (scenario.hasCode) assert.equal(await readFromScreen(page), qrText, 'the code can be scanned');
        });
      }
    });
  }

  it('is accessible while Redis is down, and shows the session again afterwards', async () => {
    await server.kill();
    try {
      for (const view of views) {
        await look(
          'redis-down',
          view,
          async (page) => {
            assert.match(await textOf(page, 'h1'), /Redis is not reachable/);
          },
          503,
        );
      }
    } finally {
      await server.restart();
    }
    await eventually(async () => (await replica.get('/readyz')).status === 200);
  });

  async function look(
    name: string,
    { width, height, scheme, ...view }: (typeof views)[number],
    check: (page: Page) => Promise<void>,
    expectedStatus = 200,
  ): Promise<void> {
    const page = await browser.newPage();
    const complaints: string[] = [];
    const requests: string[] = [];
    page.on('console', (message) => complaints.push(message.text()));
    page.on('request', (request) => requests.push(request.url()));
    try {
      await page.setViewport({ width, height, deviceScaleFactor: width < 500 ? 2 : 1 });
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      const response = await page.goto(`${replica.url}/qr`);
      assert.equal(response?.status(), expectedStatus);
      if (screenshots !== undefined) {
        const png = await page.screenshot({ fullPage: true });
        await writeFile(join(screenshots, `${name}-${view.name}.png`), png);
      }
      await check(page);
      assert.deepEqual(await violations(page), []);
      assert.equal(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), true, 'fits');
      const paths = requests
        .filter((url) => !url.startsWith('data:'))
        .map((url) => url.replace(replica.url, ''));
      const allowed = ['/api/events?types=state,qr', '/qr'];
      assert.deepEqual([...new Set(paths)].sort(), allowed, 'asks no other server');
      const unexpected = complaints.filter((complaint) => !complaint.includes(`status of ${expectedStatus}`));
      assert.deepEqual(unexpected, [], 'nothing is blocked or broken');
    } finally {
      await page.close();
    }
  }
});

/** What axe finds, except for the meta refresh: the reference API has it, and a page without scripts needs it. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const result = (await page.evaluate(
    `axe.run({ rules: { 'meta-refresh': { enabled: false } } })`,
  )) as axe.AxeResults;
  return result.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}
