import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { withDeadline } from '../../src/platform/deadline.js';
import { dieWithThisProcess } from '../support/die-with-this-process.js';
import type { WhatsAppWeb } from '../whatsapp-web/index.js';

const program = fileURLToPath(new URL('./bare-client.js', import.meta.url));

/** Bare whatsapp-web.js that runs. */
export interface BareClient {
  readonly pid: number;
  /** Sends `count` messages in a loop; resolves to the duration of each call, ms. */
  send(count: number): Promise<readonly number[]>;
}

/** Measures the baseline, bare whatsapp-web.js. Each measurement has its own process. */
export class Bare {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #executable: string;
  readonly #chromeArgs: readonly string[];

  constructor(environment: NodeJS.ProcessEnv, executable: string, chromeArgs: readonly string[]) {
    this.#environment = environment;
    this.#executable = executable;
    this.#chromeArgs = chromeArgs;
  }

  /** Links the profile, so that the baseline has a saved login. */
  async link(profileDir: string, { phone }: Pick<WhatsAppWeb, 'phone'>): Promise<void> {
    await mkdir(profileDir);
    await this.until('qr', profileDir, async () => {
      await phone.scanCurrent();
      // Chromium writes the login to disk within about 5 s.
      await new Promise((resolve) => setTimeout(resolve, 8_000));
    });
  }

  /** Time from the start of node to the event, ms. `then` runs before the client is stopped. */
  async until(
    event: 'qr' | 'ready',
    profileDir: string,
    then: (client: BareClient) => Promise<unknown> = async () => {},
  ): Promise<number> {
    const args = [program, profileDir, this.#executable, JSON.stringify(this.#chromeArgs)];
    const startedAt = performance.now();
    const child = spawn(process.execPath, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: this.#environment,
    });
    dieWithThisProcess(child, 'TERM');
    const exited = once(child, 'exit');
    const lines = createInterface({ input: child.stdout });
    const line = (wanted: RegExp) =>
      new Promise<string>((resolve) => {
        lines.on('line', (text) => wanted.test(text) && resolve(text));
      });
    const said = line(new RegExp(`^${event}$`));
    const client: BareClient = {
      pid: child.pid as number,
      async send(count) {
        const answer = line(/^sent /);
        child.stdin.write(`${count}\n`);
        return JSON.parse((await answer).slice('sent '.length)) as number[];
      },
    };
    try {
      await withDeadline(said, 60_000, `${event} of bare whatsapp-web.js`);
      const tookMs = performance.now() - startedAt;
      await then(client);
      return tookMs;
    } finally {
      child.kill('SIGTERM');
      await exited;
    }
  }
}
