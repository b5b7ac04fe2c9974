import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Status } from '../../src/contract/status.js';
import { dieWithThisProcess } from './die-with-this-process.js';
import { eventually } from './eventually.js';

const entry = fileURLToPath(new URL('../../src/main.js', import.meta.url));

/** The product as an operator runs it: its own process, observed over HTTP and by its log. */
export class Product {
  readonly #child: ChildProcess;
  readonly #role: string;
  readonly #closed: Promise<number | null>;
  #exitCode: number | null = null;
  #output = '';
  #hasRedis = false;

  constructor(
    role: 'all' | 'http' | 'supervisor',
    environment: Record<string, string>,
    nodeArgs: string[] = [],
    launcher: readonly string[] = [],
  ) {
    this.#role = role;
    const [command = '', ...args] = [...launcher, process.execPath, ...nodeArgs, entry, role];
    this.#child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH ?? '',
        HOME: process.env.HOME ?? '',
        WHATSAPP_MCP_PORT: '0',
        WHATSAPP_PROBE_PORT: '0',
        ...environment,
      },
    });
    dieWithThisProcess(this.#child, 'TERM');
    this.#closed = new Promise((resolve) => {
      this.#child.once('close', (code: number | null) => {
        this.#exitCode = code;
        resolve(code);
      });
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#output += chunk.toString();
      });
    }
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  get output(): string {
    return this.#output;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** null until the process has ended and its output is complete, and if a signal ended it. */
  get exitCode(): number | null {
    return this.#exitCode;
  }

  /** Waits until it listens; resolves to its base URL. */
  async url(): Promise<string> {
    return eventually(
      () => {
        if (this.exitCode !== null) throw new Error(`the product exited: ${this.#output}`);
        return /"url":"([^"]+)"/.exec(this.#output)?.[1];
      },
      { timeoutMs: 60_000, message: 'the product listens' },
    ) as Promise<string>;
  }

  /** Waits until its supervisor takes runs. */
  async runs(): Promise<void> {
    await eventually(() => this.#output.includes('"supervisor started"'), {
      timeoutMs: 60_000,
      message: 'the supervisor runs',
    });
  }

  /** A replica listens before it reaches Redis. The first request waits until it has. */
  async get(path: string, init?: RequestInit): Promise<Response> {
    await this.#untilServing();
    return fetch(new URL(path, await this.url()), { signal: AbortSignal.timeout(60_000), ...init });
  }

  /** A GET that does not wait for Redis. */
  async probe(path: string): Promise<Response> {
    return fetch(new URL(path, await this.url()), { signal: AbortSignal.timeout(60_000) });
  }

  /** Throws if the answer is an error. */
  async status(): Promise<Status> {
    const answer = await this.get('/api/status');
    const body = await answer.json();
    if (answer.status !== 200) throw new Error(`the status: ${answer.status} ${JSON.stringify(body)}`);
    return body as Status;
  }

  /** In the role `all` it waits for the supervisor first: without one a start would be deferred. */
  async post<T>(path: string, headers: Record<string, string> = {}): Promise<T> {
    if (this.#role === 'all') await this.runs();
    return (await (await this.get(path, { method: 'POST', headers })).json()) as T;
  }

  /** Waits until the status is as wanted, and returns it. */
  async until(wanted: (status: Status) => boolean, message: string, timeoutMs = 60_000): Promise<Status> {
    let last: Status | undefined;
    try {
      return (await eventually(
        async () => {
          last = await this.status();
          return wanted(last) ? last : null;
        },
        { timeoutMs, message },
      )) as Status;
    } catch (error) {
      throw new Error(
        `${message}; last status ${JSON.stringify(last)}; log:\n${this.#output.slice(-4_000)}`,
        { cause: error },
      );
    }
  }

  /** Waits until the login is on disk. In its first seconds it is not (docs/failure-modes.md). */
  async loginSettled(): Promise<Status> {
    const ready = await this.until((s) => s.ready, 'ready');
    const isSettled = () => Date.now() - Date.parse(ready.updated_at ?? '') > 6_000;
    await eventually(isSettled, { timeoutMs: 20_000 });
    return ready;
  }

  /** Resolves to the exit code when the process has ended and its output is complete. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.isRunning) this.#child.kill(signal);
    return this.exited();
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async #untilServing(): Promise<void> {
    if (this.#hasRedis) return;
    await eventually(async () => (await this.probe('/readyz')).ok, {
      timeoutMs: 30_000,
      message: 'the product reaches its Redis',
    });
    this.#hasRedis = true;
  }

  /** Resolves to the exit code when the process has ended and its output is complete. */
  exited(): Promise<number | null> {
    return this.#closed;
  }
}
