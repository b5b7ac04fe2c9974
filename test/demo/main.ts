import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromeArgsVariable } from '../support/chrome-args.js';
import { startWhatsAppWeb } from '../whatsapp-web/index.js';

/**
 * `npm run demo`: runs the unchanged product against the stand-in for WhatsApp Web, with a page that plays the phone.
 * All data go to a temporary directory, so each demo begins with an unlinked account.
 */
const phonePort = 8791;
const dir = await mkdtemp(join(tmpdir(), 'holdline-demo-'));
const whatsAppWeb = await startWhatsAppWeb({ controlPort: phonePort }).catch(
  async (error: NodeJS.ErrnoException) => {
    await rm(dir, { recursive: true });
    const reason =
      error.code === 'EADDRINUSE' ? `port ${phonePort} is in use; is another demo running?` : error.message;
    process.stderr.write(`holdline: the demo cannot start: ${reason}\n`);
    process.exit(78);
  },
);

const port = process.env.WHATSAPP_MCP_PORT || '8790';
const { REDIS_URL: _, ...environment } = process.env;
const product = spawn(
  process.execPath,
  ['--enable-source-maps', fileURLToPath(new URL('../../src/main.js', import.meta.url))],
  {
    stdio: 'inherit',
    env: {
      ...environment,
      WHATSAPP_MCP_PORT: port,
      WHATSAPP_DATA_DIR: dir,
      WHATSAPP_AUTH_DIR: join(dir, 'auth'),
      WHATSAPP_CHROME_ARGS: chromeArgsVariable(whatsAppWeb.chromeArgs),
    },
  },
);

// A terminal signals the product too. It treats a second signal within 2 s as the same one.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => product.kill(signal));
product.once('exit', async (code) => {
  await whatsAppWeb.close();
  await rm(dir, { recursive: true, force: true });
  process.exit(code ?? 1);
});

process.stdout.write(`
  Holdline against a stand-in for WhatsApp: nothing leaves this machine.

    1. start a login     curl -X POST http://127.0.0.1:${port}/api/auth/start
    2. see the QR        http://127.0.0.1:${port}/qr
    3. play the phone    ${whatsAppWeb.controlUrl}   (scan, type a code, write, unlink)
    4. watch             curl http://127.0.0.1:${port}/api/status
    5. break something   kill the browser or the product; what was linked stays linked

  Ctrl-C ends it.

`);
