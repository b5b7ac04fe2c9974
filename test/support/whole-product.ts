import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Status } from '../../src/contract/status.js';
import { loadConfig } from '../../src/platform/config/config.js';
import { Supervisor } from '../../src/supervisor/supervisor.js';
import { listenToEvents } from './event-client.js';
import { eventually } from './eventually.js';
import { type KeyedReplica, makeKeys, startKeyedReplica } from './keyed-replica.js';
import { scratchDir } from './leftovers.js';
import { scaledTiming, supervisorEnvironment } from './scaled-timing.js';
import { ScriptedProcesses, scriptedThreadEntry } from './scripted-processes.js';

/** A supervisor and a replica with API keys on any Redis. Browser and thread are scripted. */
export class WholeProduct {
  readonly replica: KeyedReplica;
  readonly #supervisor: Supervisor;

  static async start(redisUrl: string, { isAlone = false } = {}): Promise<WholeProduct> {
    const dir = scratchDir();
    const scripted = new ScriptedProcesses(dir);
    const authDir = join(dir, 'auth');
    mkdirSync(authDir);
    scripted.setThreads('ready');
    const environment = supervisorEnvironment({
      ...{ redisUrl, authDir, browserExecutable: scripted.browserExecutable, timing: scaledTiming },
    });
    const supervisor = new Supervisor({
      config: loadConfig('supervisor', { ...process.env, ...environment }),
      redisUrl,
      log: pino({ level: 'silent' }),
      threadEntry: scriptedThreadEntry,
      isAlone,
    });
    await supervisor.start();
    return new WholeProduct(supervisor, await startKeyedReplica(redisUrl, makeKeys()));
  }

  private constructor(supervisor: Supervisor, replica: KeyedReplica) {
    this.#supervisor = supervisor;
    this.replica = replica;
  }

  readonly ask = async <T>(path: string, init?: RequestInit): Promise<T> => {
    const response = await this.replica.ask(this.replica.keys.key.admin, path, init);
    const body = (await response.json()) as T;
    assert.ok(response.ok, `${path}: ${JSON.stringify(body)}`);
    return body;
  };

  readonly post = <T>(path: string, body: unknown = {}, headers: Record<string, string> = {}): Promise<T> =>
    this.ask<T>(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', prefer: 'wait=60', ...headers },
      body: JSON.stringify(body),
    });

  /** Sends a message; throws if it is refused. */
  async send(message: string): Promise<void> {
    const body = { phone_number: '+15551234567', message };
    const sent = await this.post<{ ok: boolean; to: string }>('/api/send', body, {
      'idempotency-key': message,
    });
    assert.deepEqual([sent.ok, sent.to], [true, '15551234567']);
  }

  /** Repeats the send under the same key, as a caller does that gets 503 while the replica reconnects to Redis. */
  async sendUntilTaken(message: string): Promise<void> {
    await eventually(() => this.send(message).then(() => true), {
      timeoutMs: 40_000,
      message: 'the message is sent',
    });
  }

  async untilReady(after?: Status): Promise<Status> {
    return eventually(
      async () => {
        const status = await this.ask<Status>('/api/status');
        return status.state === 'ready' && status.epoch >= (after?.epoch ?? 0) ? status : null;
      },
      { timeoutMs: 40_000, message: 'ready' },
    ) as Promise<Status>;
  }

  /**
   * Uses everything that the product does with Redis: jobs, scripts, blocking reads, notices, the stream, logins, limits.
   */
  async exercise(): Promise<void> {
    const { replica } = this;
    await replica.ask(replica.keys.key.admin, '/readyz');
    const events = await listenToEvents(replica.url, { headers: { 'x-api-key': replica.keys.key.read } });
    assert.equal(events.status, 200);
    assert.match((await this.post<Status>('/api/auth/start')).state, /authenticated|ready/);
    await this.untilReady();
    await this.send('one');
    assert.deepEqual(await this.ask('/api/chats'), { ok: true, count: 0, chats: [] });
    const cookie = await replica.cookieOf(replica.keys.key.admin);
    assert.equal((await replica.get('/qr', { headers: { cookie } })).status, 200);
    const guest = await replica.guestCookie();
    assert.equal((await replica.get('/qr', { headers: { cookie: guest } })).status, 200);
    await eventually(() => events.text.includes('"state":"ready"'));
    events.close();
  }

  /** Stops the session: a notice brings the intent to the owner, and the status shows the end. */
  async end(): Promise<void> {
    assert.deepEqual(await this.post('/api/stop'), { ok: true });
    assert.equal((await this.ask<Status>('/api/status')).state, 'stopped');
  }

  async close(): Promise<void> {
    await this.#supervisor.close(new AbortController().signal);
    await this.replica.close();
  }
}
