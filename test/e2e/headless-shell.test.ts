import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import type { Status } from '../../src/contract/status.js';
import { apiCaller } from '../support/api-caller.js';
import { makeKeyText } from '../support/credentials.js';
import { eventually } from '../support/eventually.js';
import { findHeadlessShell, headlessShellMissing } from '../support/headless-shell.js';
import type { Product } from '../support/product.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import { Stage } from '../support/stage.js';

type Kind = 'chromium' | 'shell';

/** One login, with Chromium and its headless shell in turn. Each test continues where the one before ended. */
describe('the headless shell', {
  skip: findHeadlessShell() === undefined ? `it is missing: ${headlessShellMissing}` : false,
}, () => {
  let stage: Stage;
  let redis: RedisServer;
  let product: Product;
  let epoch = 0;
  const key = makeKeyText();

  before(async () => {
    [stage, redis] = await Promise.all([Stage.open(), startRedis({ appendOnly: true })]);
  });
  after(async () => {
    await stage.close();
    await redis.stop();
  });

  function start(kind: Kind): void {
    product = stage.start('all', {
      REDIS_URL: redis.url,
      WHATSAPP_BROWSER: kind,
      WHATSAPP_CREDENTIALS_KEY: key,
    });
  }

  /** The next run is `ready`, in a browser of this kind, without a QR on the way. */
  async function readyWithoutQr(kind: Kind): Promise<Status> {
    const seen = new Set<string>();
    const ready = await product.until(
      (s) => {
        seen.add(s.state);
        return s.ready && s.epoch > epoch;
      },
      `ready in ${kind}`,
      90_000,
    );
    assert.ok(!seen.has('qr'), `states seen: ${[...seen]}`);
    epoch = ready.epoch;
    await assertBrowser(kind);
    return ready;
  }

  /** The browser is the program itself and a child of the supervisor: its wrapper would not pass signals on. */
  async function assertBrowser(kind: Kind): Promise<void> {
    const [browser, ...more] = await stage.browsers();
    assert.deepEqual(more, []);
    assert.equal(browser?.parent, product.pid);
    const [program = ''] = browser?.commandLine.split(' ') ?? [];
    assert.equal(/headless-shell$/.test(program), kind === 'shell', program);
    assert.doesNotMatch(browser?.commandLine ?? '', /^\/bin\/sh/);
  }

  it('goes on with the profile that Chromium has linked', async () => {
    start('chromium');
    await product.post('/api/auth/start');
    const isLinked = async () => (await stage.whatsApp.phone.scanCurrent()).linked;
    await eventually(isLinked, { timeoutMs: 30_000, message: 'the code is scanned' });
    epoch = (await product.loginSettled()).epoch;
    await assertBrowser('chromium');
    assert.equal(await product.end('SIGTERM'), 0);

    start('shell');
    const { chrome_executable } = await readyWithoutQr('shell');
    assert.match(String(chrome_executable), /\/chromium-headless-shell$/);
  });

  it('sends, and a new one comes when it is killed', async () => {
    const call = apiCaller(() => product);
    const body = { phone_number: '15551234567', message: 'hello' };
    const { status, body: answer } = await call('/api/send', body);
    assert.equal(status, 200, JSON.stringify(answer));
    const before = await product.status();
    await stage.killBrowser();
    await product.until((s) => s.ready && s.incarnation > before.incarnation, 'ready again');
    await assertBrowser('shell');
  });

  it('leaves a profile with which Chromium goes on', async () => {
    assert.equal(await product.end('SIGTERM'), 0);
    start('chromium');
    await readyWithoutQr('chromium');
  });

  it('goes on with the backup of a login that Chromium had, and Chromium with that of the shell', async () => {
    for (const kind of ['shell', 'chromium'] as const) {
      assert.equal(await product.end('SIGTERM'), 0);
      await rm(stage.environment.WHATSAPP_AUTH_DIR ?? '', { recursive: true });
      start(kind);
      await readyWithoutQr(kind);
      assert.match(product.output, /login restored from its backup/);
    }
    assert.equal((await stage.whatsApp.phone.state()).devices.length, 1);
  });
});
