import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../../src/contract/errors.js';
import { printError } from '../../src/platform/command-line.js';
import { requireUsableAddress } from '../../src/platform/listen.js';
import { chromeArgsVariable } from '../support/chrome-args.js';
import { startWhatsAppWeb } from '../whatsapp-web/index.js';
import { cleanUp } from './clean-up.js';
import { ProductRunner } from './product-runner.js';
import { demoSettings } from './settings.js';

/**
 * `npm run demo [-- --port N]`: runs the unchanged product against the stand-in for WhatsApp Web, with a page that plays the
 * phone. All data go to a temporary directory, so each demo begins with an unlinked account. Another process removes it when
 * this one ends, however it ends.
 */
const { port, phonePort, environment } = demoSettings();
await Promise.all([port, phonePort].map(requirePort));
const whatsAppWeb = await startWhatsAppWeb({ controlPort: phonePort });
const dir = await mkdtemp(join(tmpdir(), 'holdline-demo-'));
const keeper = fork(new URL('./keeper.js', import.meta.url), [dir], { detached: true });
const keeperEnded = once(keeper, 'exit') as Promise<[number | null]>;

let productPid: number | null = null;
const product = new ProductRunner({
  environment: {
    ...environment,
    WHATSAPP_MCP_PORT: String(port),
    WHATSAPP_PROBE_PORT: '0',
    WHATSAPP_DATA_DIR: join(dir, 'data'),
    WHATSAPP_AUTH_DIR: join(dir, 'auth'),
    WHATSAPP_CHROME_ARGS: chromeArgsVariable(whatsAppWeb.chromeArgs),
  },
  onStart(pid, isAgain) {
    productPid = pid;
    sendTo(keeper, pid);
    process.stdout.write(isAgain ? againText(pid) : beginningText(pid));
  },
});
// A terminal signals the product too. It treats a second signal within 2 s as the same one.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => product.stop(signal));
if (process.env.npm_lifecycle_event !== undefined) stopWithParent();

const code = await product.run();
await whatsAppWeb.close();
if (keeper.connected) keeper.disconnect();
const [keeperCode] = await keeperEnded;
// Somebody ended it.
if (keeperCode !== 0) await cleanUp(dir, productPid);
process.exit(code);

async function requirePort(wanted: number): Promise<void> {
  await requireUsableAddress({ host: '127.0.0.1', port: wanted }).catch((error: unknown) => {
    const reason = messageOf(error).split(';')[0];
    printError(
      `the demo cannot start: ${reason}; end what uses it, or name another port: npm run demo -- --port N (it uses N and N + 1)`,
    );
    process.exit(78);
  });
}

/** npm passes on SIGTERM, but not SIGKILL. */
function stopWithParent(): void {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) product.stop('SIGTERM');
  }, 1_000).unref();
}

function sendTo(child: ChildProcess, pid: number): void {
  if (child.connected) child.send(pid, () => undefined);
}

function beginningText(pid: number): string {
  return `
  Holdline against a stand-in for WhatsApp: nothing leaves this machine.

    1. start a login     curl -X POST http://127.0.0.1:${port}/api/auth/start
    2. see the QR        http://127.0.0.1:${port}/qr
    3. play the phone    ${whatsAppWeb.controlUrl}   (scan, type a code, write, unlink)
    4. watch             curl http://127.0.0.1:${port}/api/status
    5. break something   kill -9 ${pid} (the product): it is started again, and what was linked stays linked

  The phone is one account. More sessions (PUT /api/sessions/NAME) link to it too: four in all, as WhatsApp allows. To link a fifth,
  unlink one.

  Ctrl-C ends the demo and deletes its data.

`;
}

function againText(pid: number): string {
  return `
  The product ended. It is started again on the same data, as a service manager would: its pid is now ${pid}.

`;
}
