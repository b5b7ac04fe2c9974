import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Page } from 'puppeteer';
import { Gateway } from '../../src/passkey/gateway.js';
import { linkWithPasskey } from '../../src/passkey/link.js';
import { eventually } from '../support/eventually.js';
import { OwnerBrowser } from '../support/owner-browser.js';
import { desktopArgs, passkeyButton, scriptedTerminal } from '../support/owner-desktop.js';
import type { Product } from '../support/product.js';
import { busyMachineTiming, Stage } from '../support/stage.js';

/** `npm run passkey` against the product, with WhatsApp's server of the stand-in, which verifies the passkey. */
describe('npm run passkey, from a request to a linked account', () => {
  const dir = mkdtempSync(join(tmpdir(), 'holdline-desktop-'));
  const program = fileURLToPath(new URL('../../src/passkey.js', import.meta.url));
  let stage: Stage;
  let owner: OwnerBrowser;
  let product: Product;

  before(async () => {
    stage = await Stage.open();
    owner = await OwnerBrowser.open(stage.whatsApp.chromeArgs);
    await owner.register();
    product = stage.start('all', { WHATSAPP_TIMING: JSON.stringify(busyMachineTiming) });
    await stage.whatsApp.phone.askForPasskey(true);
    await product.post('/api/auth/start');
  });
  after(async () => {
    await owner.close();
    await stage.close();
    rmSync(dir, { recursive: true, force: true });
  });

  async function scan(): Promise<void> {
    const isAsked = async () => {
      const result = await stage.whatsApp.phone.scanCurrent();
      return !result.linked && result.reason === 'passkey-asked';
    };
    await eventually(isAsked, { timeoutMs: 30_000, message: 'the code is scanned' });
  }

  /** The program as the owner starts it, but with a browser that shows no window. */
  function start(url: string): { child: ChildProcess; said: () => string; temporary: string } {
    const browser = join(dir, 'chromium');
    const args = [...desktopArgs, ...stage.whatsApp.chromeArgs].map((arg) => `'${arg}'`).join(' ');
    writeFileSync(browser, `#!/bin/sh\nexec /usr/bin/chromium ${args} "$@"\n`, { mode: 0o755 });
    const temporary = join(dir, 'tmp');
    mkdirSync(temporary, { recursive: true });
    const child = spawn(process.execPath, [program, '--url', url, '--browser', browser], {
      env: { PATH: process.env.PATH, HOME: dir, TMPDIR: temporary },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (text += data));
    return { child, said: () => text, temporary };
  }

  it('waits before the scan, starts the browser, and leaves nothing of it when it is interrupted', async () => {
    const { child, said, temporary } = start(await product.url());
    const profiles = () => readdirSync(temporary).filter((name) => name.startsWith('holdline-passkey-'));
    try {
      await eventually(() => /waiting until WhatsApp asks for a passkey/.test(said()), { message: said() });
      assert.deepEqual(profiles(), []);
      await scan();
      await eventually(() => /press "Use my passkey" in the browser/.test(said()));
      await eventually(() => profiles().length === 1);
      // As a terminal and npm do.
      child.kill('SIGINT');
      child.kill('SIGINT');
      const [code] = await once(child, 'exit');
      assert.deepEqual([code, profiles()], [130, []], said());
      assert.match(said(), /holdline: aborted\n$/);
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('gives the passkey that the owner uses, after a refusal of the browser too', async () => {
    const terminal = scriptedTerminal([]);
    const pages: Page[] = [];
    const linked = linkWithPasskey({
      gateway: new Gateway(await product.url(), undefined),
      browser: {
        environment: process.env,
        executable: '/usr/bin/chromium',
        profile: undefined,
        args: [...desktopArgs, ...stage.whatsApp.chromeArgs],
        say: terminal.say,
      },
      terminal,
      signal: AbortSignal.timeout(90_000),
      pollMs: 200,
      onPage: async (page) => {
        await owner.usePasskeys(page);
        pages.push(page);
      },
    });
    linked.catch(() => {});
    await owner.decline();
    const page = (await eventually(() => pages[0])) as Page;
    await owner.decline();
    await (await page.waitForSelector(passkeyButton))?.click();
    await page.waitForFunction(
      "/The passkey was not used/.test(document.querySelector('#holdline-passkey').textContent)",
    );
    await owner.decline(false);
    await (await page.waitForSelector(passkeyButton))?.click();
    await linked;
    assert.equal(terminal.lines.at(-1), 'the account is linked');
    await product.until((status) => status.ready, 'ready');
    const [verified] = (await stage.whatsApp.phone.state()).passkey.verified;
    assert.deepEqual(
      [verified?.origin, verified?.rpID, verified?.userVerified],
      ['https://web.whatsapp.com', 'whatsapp.com', true],
    );
  });

  it('says at once that a linked account needs nothing', async () => {
    const { child, said } = start(await product.url());
    const [code] = await once(child, 'exit');
    assert.deepEqual(
      [code, said()],
      [0, 'holdline: the account is linked already, and WhatsApp asks for nothing\n'],
    );
  });
});
