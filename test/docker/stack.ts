import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Status } from '../../src/contract/status.js';
import { chromeArgsVariable } from '../support/chrome-args.js';
import { makeKeyText } from '../support/credentials.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { startWhatsAppWeb, type WhatsAppWeb } from '../whatsapp-web/index.js';

const root = resolve(import.meta.dirname, '../../..');

/** Runs a program to its end. Resolves to its stdout; rejects with its stderr. */
function run(command: string, args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  return new Promise((settle, reject) => {
    const options = { cwd: root, env: { ...process.env, ...env }, maxBuffer: 16 << 20, timeout: 180_000 };
    execFile(command, args, options, (error, stdout, stderr) => {
      if (error === null) settle(stdout.trim());
      else reject(new Error(`${command} ${args.join(' ')}: ${stderr.trim() || error.message}\n${stdout}`));
    });
  });
}

export const docker = (...args: string[]) => run('docker', args);

/** docker-compose.yml as an operator runs it, under its own project name, against the stand-in for WhatsApp. */
export class Stack {
  readonly name = `holdline-test-${randomUUID().slice(0, 8)}`;
  readonly whatsApp: WhatsAppWeb;
  readonly dir: string;
  readonly #key: string;
  readonly #port: number;
  readonly #settings: Record<string, string>;

  static async open(): Promise<Stack> {
    const dir = await mkdtemp(join(tmpdir(), 'holdline-stack-'));
    // The address at which containers reach this machine.
    const lookup = [
      '--add-host',
      'outside:host-gateway',
      '--entrypoint',
      'getent',
      'holdline:local',
      'hosts',
      'outside',
    ];
    const [gateway = ''] = (await docker('run', '--rm', ...lookup)).split(/\s/);
    const whatsApp = await startWhatsAppWeb({ httpsHost: gateway });
    const made = await docker('run', '--rm', 'holdline:local', 'key', 'test', 'admin');
    const [, key = '', entry = ''] = /key\s+(\S+)\s+entry\s+(\S+)/.exec(made) ?? [];
    return new Stack(dir, whatsApp, key, entry, await freePort());
  }

  private constructor(dir: string, whatsApp: WhatsAppWeb, key: string, entry: string, port: number) {
    this.dir = dir;
    this.whatsApp = whatsApp;
    this.#key = key;
    this.#port = port;
    this.#settings = {
      REDIS_PASSWORD: randomBytes(24).toString('hex'),
      WHATSAPP_API_KEYS: entry,
      WHATSAPP_CREDENTIALS_KEY: makeKeyText(),
      WHATSAPP_BACKUP_PASSPHRASE: 'four words of a test',
      WHATSAPP_CHROME_ARGS: chromeArgsVariable(whatsApp.chromeArgs),
      HOLDLINE_PUBLISH: `127.0.0.1:${port}`,
    };
  }

  /** Runs docker compose with the settings in its own .env, without `options.without`. */
  async compose(
    args: readonly string[],
    options: { without?: string; image?: string } = {},
  ): Promise<string> {
    const lines = Object.entries({ ...this.#settings, HOLDLINE_IMAGE: options.image ?? 'holdline:local' })
      .filter(([name]) => name !== options.without)
      .map(([name, value]) => `${name}='${value}'\n`);
    await writeFile(this.#envFile, lines.join(''), { mode: 0o600 });
    const [command = '', ...words] = this.#composeWords;
    return run(command, [...words, ...args]);
  }

  /** Runs a line of a shell, in which `$COMPOSE` is docker compose with the newest settings, and `$DIR` this directory. */
  shell(line: string): Promise<string> {
    return run('bash', ['-c', line], { COMPOSE: this.#composeWords.join(' '), DIR: this.dir });
  }

  get #envFile(): string {
    return join(this.dir, '.env');
  }

  get #composeWords(): string[] {
    const words = (process.env.HOLDLINE_COMPOSE ?? 'docker-compose').split(' ');
    return [...words, '--project-name', this.name, '--env-file', this.#envFile];
  }

  async containerOf(service: string): Promise<string> {
    return (await this.containersOf(service))[0] ?? '';
  }

  async containersOf(service: string): Promise<string[]> {
    const labels = [`com.docker.compose.project=${this.name}`, `com.docker.compose.service=${service}`];
    const ids = await docker('ps', '-q', ...labels.flatMap((label) => ['--filter', `label=${label}`]));
    return ids.split('\n').filter((id) => id !== '');
  }

  /** Sends a request through the reverse proxy. */
  async fetch(path: string, init: RequestInit = {}, key: string | null = this.#key): Promise<Response> {
    const headers = new Headers(init.headers);
    if (key !== null) headers.set('Authorization', `Bearer ${key}`);
    const url = `http://127.0.0.1:${this.#port}${path}`;
    return fetch(url, { ...init, headers, signal: AbortSignal.timeout(60_000) });
  }

  /** Retries: a replica that has just started may not reach Redis yet. */
  async post<T>(path: string): Promise<T> {
    const ask = async () => {
      const answer = await this.fetch(path, { method: 'POST' });
      if (!answer.ok) throw new Error(`${path} answers ${answer.status}: ${await answer.text()}`);
      return (await answer.json()) as T;
    };
    return (await eventually(ask, { timeoutMs: 60_000, intervalMs: 500, message: `${path} succeeds` })) as T;
  }

  async status(): Promise<Status> {
    return (await (await this.fetch('/api/status')).json()) as Status;
  }

  /** Waits for `ready` in a newer run than `epoch`. Throws if a QR was shown meanwhile. */
  async readyWithoutQr(epoch: number): Promise<Status> {
    const seen = new Set<string>();
    const ready = await this.until((status) => {
      seen.add(status.state);
      return status.ready && status.epoch > epoch;
    }, 'ready without a QR');
    assert.ok(!seen.has('qr'), `states seen: ${[...seen]}`);
    return ready;
  }

  /** The timeout is long, because a machine that also builds images is slow. */
  async until(wanted: (status: Status) => boolean, message: string): Promise<Status> {
    let last: Status | null = null;
    const look = async () => {
      last = await this.status();
      return wanted(last) ? last : null;
    };
    try {
      return (await eventually(look, { timeoutMs: 120_000, intervalMs: 200, message })) as Status;
    } catch (error) {
      throw new Error(`${message}: last status ${JSON.stringify(last)}\n${await this.logs()}`, {
        cause: error,
      });
    }
  }

  async untilHealthy(service: string): Promise<void> {
    await eventually(
      async () => {
        const ids = await this.containersOf(service);
        const health = await docker('inspect', '-f', '{{.State.Health.Status}}', ...ids);
        return ids.length > 0 && health.split('\n').every((word) => word === 'healthy');
      },
      { timeoutMs: 120_000, intervalMs: 500, message: `${service} is healthy` },
    );
  }

  async logs(): Promise<string> {
    return this.compose(['logs', '--no-color', '--tail=25']).catch(String);
  }

  async close(): Promise<void> {
    await this.compose(['down', '--volumes', '--timeout', '25']);
    await this.whatsApp.close();
    await rm(this.dir, { recursive: true, force: true });
  }
}
