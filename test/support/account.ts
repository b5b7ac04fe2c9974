import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Controls, connectControls } from '../whatsapp-web/index.js';
import { dieWithThisProcess } from './die-with-this-process.js';

const program = fileURLToPath(new URL('./programs/account.js', import.meta.url));

/** A WhatsApp account that only the sessions with its proxy reach. Its stand-in is a process of its own: no other account waits for it. */
export interface Account extends Controls {
  /** The `proxy` of its session. */
  readonly proxy: { readonly server: string };
  close(): Promise<void>;
}

/** `nth`: accounts with different numbers are different accounts. */
export async function startAccount(nth: number): Promise<Account> {
  const child: ChildProcess = spawn(process.execPath, [program, String(15_550_001_110 + nth)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  dieWithThisProcess(child, 'KILL');
  const exited = once(child, 'exit');
  const lines = createInterface({ input: child.stdout as NonNullable<typeof child.stdout> });
  const [line] = (await Promise.race([once(lines, 'line'), exited])) as [string];
  const { controlUrl, proxy } = JSON.parse(line) as { controlUrl: string; proxy: string };
  return {
    ...connectControls(controlUrl),
    proxy: { server: proxy },
    close: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
