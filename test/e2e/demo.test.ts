import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Status } from '../../src/contract/status.js';
import { dieWithThisProcess } from '../support/die-with-this-process.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { assertNothingLeft, scratchDir } from '../support/leftovers.js';
import { kill } from '../support/processes.js';
import { connectControls } from '../whatsapp-web/index.js';

/** `npm run demo` as a newcomer uses it: by its page of the phone, its port and the pids that it prints. */
const entry = fileURLToPath(new URL('../demo/main.js', import.meta.url));
const demos: Demo[] = [];
after(async () => {
  await Promise.all(demos.map((demo) => demo.end()));
  await assertNothingLeft();
});

class Demo {
  readonly #child;
  readonly #port: number;
  output = '';

  constructor(port: number, environment: Record<string, string> = {}) {
    this.#port = port;
    demos.push(this);
    this.#child = spawn(process.execPath, [entry, '--port', String(port)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, TMPDIR: tmp, ...environment },
    });
    dieWithThisProcess(this.#child, 'TERM');
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.output += chunk.toString();
      });
    }
  }

  get controls() {
    return connectControls(`http://127.0.0.1:${this.#port + 1}`);
  }

  ask(path: string, method = 'GET'): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.#port}${path}`, { method, signal: AbortSignal.timeout(90_000) });
  }

  async until(wanted: (status: Status) => boolean, message: string): Promise<Status> {
    const found = await eventually(
      async () => {
        const status = (await (await this.ask('/api/status')).json()) as Status;
        return wanted(status) ? status : null;
      },
      { timeoutMs: 90_000, message },
    );
    return found as Status;
  }

  async untilPrinted(pattern: RegExp): Promise<string> {
    const found = await eventually(() => pattern.exec(this.output)?.[1], {
      timeoutMs: 60_000,
      message: `it prints ${pattern}`,
    });
    return found as string;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async end(): Promise<number | null> {
    this.#child.kill('SIGINT');
    return this.exited();
  }

  async exited(): Promise<number | null> {
    const { exitCode, signalCode } = this.#child;
    if (exitCode === null && signalCode === null) await once(this.#child, 'exit');
    return this.#child.exitCode;
  }
}

const tmp = scratchDir();

test('after a SIGKILL of the product the demo starts it again, and the phone stays linked', async () => {
  // An API key of the caller's would refuse the commands that the demo prints.
  const demo = new Demo(await freePort(), { WHATSAPP_API_KEYS: 'wrong', WHATSAPP_MCP_HOST: '0.0.0.0' });
  const pid = Number(await demo.untilPrinted(/kill -9 (\d+)/));
  assert.match(demo.output, /The phone is one account\. More sessions .* four in all, as WhatsApp allows/);
  await demo.untilPrinted(/"msg":"(open) /);
  await demo.ask('/api/auth/start', 'POST');
  await demo.until(({ state }) => state === 'qr', 'a code');
  assert.equal((await demo.controls.phone.scanCurrent()).linked, true);
  const before = await demo.until(({ ready }) => ready, 'ready');
  kill(pid);
  const next = Number(await demo.untilPrinted(/its pid is now (\d+)/));
  assert.notEqual(next, pid);
  const seen = new Set<string>();
  await demo.until(({ ready, state, epoch }) => {
    seen.add(state);
    return ready && epoch > before.epoch;
  }, 'ready again');
  assert.ok(!seen.has('qr'), `states seen: ${[...seen]}`);
  assert.equal(await demo.end(), 0, demo.output);
});

test('after a SIGKILL of the demo nothing runs any more, and its data are gone', async () => {
  const demo = new Demo(await freePort());
  const pid = Number(await demo.untilPrinted(/kill -9 (\d+)/));
  const socket = await demo.untilPrinted(/"socket":"([^"]+)"/);
  demo.kill();
  await demo.exited();
  await eventually(() => !existsSync(`/proc/${pid}`) && !existsSync(socket), { timeoutMs: 40_000 });
});

test('a port that is in use is found before anything starts, for the product and for the phone', async () => {
  const port = await freePort();
  for (const taken of [port, port + 1]) {
    const other = createServer().listen(taken, '127.0.0.1');
    await once(other, 'listening');
    try {
      const demo = new Demo(port);
      assert.equal(await demo.exited(), 78);
      assert.equal(
        demo.output,
        `holdline: the demo cannot start: 127.0.0.1:${taken} is in use; end what uses it, or name another port: npm run demo -- --port N (it uses N and N + 1)\n`,
      );
    } finally {
      other.close();
    }
  }
});
