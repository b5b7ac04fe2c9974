import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { withDeadline } from '../../src/platform/deadline.js';
import { dieWithThisProcess } from '../support/die-with-this-process.js';

const program = fileURLToPath(new URL('./bare-client.js', import.meta.url));

/** What the baseline is measured with; one process for each measurement. */
export class Bare {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #executable: string;
  readonly #chromeArgs: readonly string[];

  constructor(environment: NodeJS.ProcessEnv, executable: string, chromeArgs: readonly string[]) {
    this.#environment = environment;
    this.#executable = executable;
    this.#chromeArgs = chromeArgs;
  }

  /** From the start of node to the event, in ms. `then` runs before the client is stopped again. */
  async until(
    event: 'qr' | 'ready',
    profileDir: string,
    then: () => Promise<unknown> = async () => {},
  ): Promise<number> {
    const args = [program, profileDir, this.#executable, JSON.stringify(this.#chromeArgs)];
    const startedAt = performance.now();
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: this.#environment,
    });
    dieWithThisProcess(child, 'TERM');
    const exited = once(child, 'exit');
    const said = new Promise<void>((resolve) => {
      createInterface({ input: child.stdout }).on('line', (line) => line === event && resolve());
    });
    try {
      await withDeadline(said, 60_000, `${event} of bare whatsapp-web.js`);
      const tookMs = performance.now() - startedAt;
      await then();
      return tookMs;
    } finally {
      child.kill('SIGTERM');
      await exited;
    }
  }
}
