import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

interface RunnerOptions {
  readonly environment: NodeJS.ProcessEnv;
  /** Called with the pid of each product, and whether it replaces one that ended. */
  readonly onStart: (pid: number, isAgain: boolean) => void;
}

const entry = fileURLToPath(new URL('../../src/main.js', import.meta.url));

/** A product that ends by itself within this time would only end again. */
const healthyMs = 5_000;

/** Runs the product, and starts it again when it ends, as a service manager does. */
export class ProductRunner {
  readonly #options: RunnerOptions;
  readonly #stopping = new AbortController();
  #child: ChildProcess | null = null;

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  /** Resolves to an exit code: after {@link stop}, or if the product refuses to run. */
  async run(): Promise<number> {
    for (let isAgain = false; ; isAgain = true) {
      const startedAt = performance.now();
      const child = spawn(process.execPath, ['--enable-source-maps', entry], {
        stdio: 'inherit',
        env: this.#options.environment,
      });
      this.#child = child;
      if (child.pid !== undefined) this.#options.onStart(child.pid, isAgain);
      const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
      this.#child = null;
      const isRefusal = code === 64 || code === 78;
      const isBroken = signal === null && code !== 0 && performance.now() - startedAt < healthyMs;
      if (this.#stopping.signal.aborted || isRefusal || isBroken) return code ?? 1;
    }
  }

  stop(signal: NodeJS.Signals): void {
    this.#stopping.abort();
    this.#child?.kill(signal);
  }
}
