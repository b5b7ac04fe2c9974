import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import puppeteer, { type Browser, type Page } from 'puppeteer';
import type { SessionState } from '../../src/contract/status.js';
import { loadConfig } from '../../src/platform/config/config.js';
import { qrText } from '../pages/states.js';
import { eventually } from '../support/eventually.js';
import { type Replica, startReplica } from '../support/http-replica.js';
import { axeViolations, readFromScreen, textOf } from '../support/page-reading.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import { type Script, type ScriptedOwner, startOwner } from '../support/scripted-owner.js';

/** Set to a directory to look at what was tested. */
const screenshots = process.env.SCREENSHOTS;

const account = { wid: '491511234567@c.us', pushname: 'Ada Lovelace', platform: 'android' };

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

/** Some of test/pages/states.ts, which page-states.test.ts looks at, as they come from Redis. */
const scenarios: readonly Scenario[] = [
  { name: 'never-started', state: 'stopped', script: null, heading: /Not running/ },
  {
    name: 'scan',
    state: 'qr',
    script: untilAsked((run) => run.publish('qr', { qrText, qrNumber: 2, expiresInMs: 17_500 })),
    heading: /Scan this code/,
    hasCode: true,
  },
  {
    name: 'ready',
    state: 'ready',
    script: untilAsked((run) => run.publish('ready', { account })),
    heading: /Linked as Ada Lovelace/,
  },
  {
    name: 'owner-gone',
    state: 'disconnected',
    script: untilAsked((run) => run.publish('ready', { account })),
    andThen: async (owner) => owner.runs[0]?.fallSilent(),
    heading: /Another supervisor takes over/,
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
      assert.deepEqual(await axeViolations(page), []);
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
