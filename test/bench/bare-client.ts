import { createInterface } from 'node:readline';
import whatsapp from 'whatsapp-web.js';
import { preparedPage } from '../../src/contract/names.js';
import { chromeFlags } from '../../src/supervisor/browser/chrome-flags.js';

/**
 * Bare whatsapp-web.js as its users start it, in its own process: `PROFILE CHROMIUM ARGS_AS_JSON`. It uses the same page and
 * browser flags as the product. It writes `qr` and `ready` to stdout; on SIGTERM it closes its browser and ends. A line `N`
 * on stdin sends N messages, one after another; the answer is `sent` and the duration of each in ms, as JSON.
 */
const [profileDir = '', executable = '', extra = '[]'] = process.argv.slice(2);
const client = new whatsapp.Client({
  authStrategy: new whatsapp.NoAuth(),
  webVersionCache: { type: 'none' },
  puppeteer: {
    executablePath: executable,
    userDataDir: profileDir,
    handleSIGTERM: false,
    args: chromeFlags({ profileDir, headless: true, extra: JSON.parse(extra) as string[] }).filter(
      // Puppeteer adds its own flags for remote debugging.
      (flag) => !flag.startsWith('--remote-debugging') && flag !== preparedPage,
    ),
  },
});
for (const event of ['qr', 'ready']) client.once(event, () => process.stdout.write(`${event}\n`));
createInterface({ input: process.stdin }).on('line', async (count) => {
  const timesMs: number[] = [];
  for (let i = 0; i < Number(count); i++) {
    const calledAt = performance.now();
    await client.sendMessage('15551234567@c.us', `message ${i}`);
    timesMs.push(performance.now() - calledAt);
  }
  process.stdout.write(`sent ${JSON.stringify(timesMs)}\n`);
});
process.once('SIGTERM', () => void client.destroy().then(() => process.exit(0)));
// Rejects if the client is closed while it initializes.
await client.initialize().catch(() => undefined);
