import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as lasting } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Status } from '../../../src/contract/status.js';
import { eventually } from '../../support/eventually.js';
import { type ForwardProxy, startForwardProxy } from '../../support/forward-proxy.js';
import { pssKib, withDescendants } from '../../support/processes.js';
import type { Product } from '../../support/product.js';
import { type RedisServer, startRedis } from '../../support/redis-server.js';
import { readQr, Stage } from '../../support/stage.js';
import { startWhatsAppWeb, type WhatsAppWeb } from '../../whatsapp-web/index.js';
import { cpuSecondsOf, tasksOf } from './process-cost.js';
import { readMemory, sumOf } from './redis-load.js';

export interface RealResult {
  readonly sessions: number;
  readonly lost: number;
  /** From the kill, ms, ascending. */
  readonly claimedMs: readonly number[];
  readonly readyMs: readonly number[];
  /** Sessions that showed a QR after the kill. */
  readonly scannedAgain: number;
  /** PSS with all browsers, bytes: of both supervisors before the kill, and of the one that is left. */
  readonly memoryBefore: number;
  readonly memoryAfter: number;
  /** Of the supervisors' own processes with their threads. */
  readonly nodeBefore: number;
  readonly nodeAfter: number;
  readonly redisBytesPerSession: number;
  /** Of a session with its browser that does nothing, per second. */
  readonly cpuMsPerSession: number;
  readonly processesPerSession: number;
  /** Threads of all its processes: what `TasksMax` of a service and the limit on pids of a container count. */
  readonly tasksPerSession: number;
}

interface RealOptions {
  readonly sessions: number;
  /** Before each measurement of memory. */
  readonly settleSeconds: number;
  readonly log: (line: string) => void;
}

/** As many as a phone can link, and so the most sessions for one stand-in. */
const devicesOfAccount = 4;
const limitMs = 180_000;

/** An account: a stand-in for WhatsApp, and how the browsers of its sessions reach it. null: directly. */
interface RealAccount {
  readonly whatsApp: WhatsAppWeb;
  readonly proxy: ForwardProxy | null;
}

/**
 * Links sessions with real browsers on two supervisors, each with a disk of its own, as on two machines. Then kills one, and waits
 * until the other runs all of them.
 */
export async function measureReal(options: RealOptions): Promise<RealResult> {
  const stage = await Stage.open();
  const redis = await startRedis({ appendOnly: true });
  const accounts: RealAccount[] = [{ whatsApp: stage.whatsApp, proxy: null }];
  try {
    while (accounts.length * devicesOfAccount < options.sessions) {
      const whatsApp = await startWhatsAppWeb();
      accounts.push({ whatsApp, proxy: await startForwardProxy(whatsApp.httpsPort) });
    }
    return await measure(stage, redis, accounts, options);
  } finally {
    await stage.close();
    for (const { whatsApp, proxy } of accounts.slice(1))
      await Promise.all([proxy?.close(), whatsApp.close()]);
    await redis.stop();
  }
}

async function measure(
  stage: Stage,
  redis: RedisServer,
  accounts: readonly RealAccount[],
  { sessions, settleSeconds, log }: RealOptions,
): Promise<RealResult> {
  const environment = {
    REDIS_URL: redis.url,
    WHATSAPP_CREDENTIALS_KEY: randomBytes(32).toString('base64'),
    WHATSAPP_MAX_SESSIONS: String(sessions),
  };
  const names = Array.from({ length: sessions }, (_, n) => `s-${String(n + 1).padStart(2, '0')}`);
  const http = stage.start('http', environment);
  const supervisors = ['one', 'two'].map((disk) =>
    stage.start('supervisor', { ...environment, WHATSAPP_AUTH_DIR: join(stage.dir, `auth-${disk}`) }),
  );
  await Promise.all(supervisors.map((supervisor) => supervisor.runs()));
  const client = new Redis(redis.url);
  try {
    const empty = await readMemory(client);
    for (const [n, name] of names.entries()) {
      log(`linking ${name}`);
      await link(http, name, accounts[Math.floor(n / devicesOfAccount)] as RealAccount);
    }
    const idle = await idleCost(supervisors, settleSeconds);
    const before = memoryOf(supervisors);
    const redisBytesPerSession = ((await readMemory(client)).data - empty.data) / sessions;

    const statuses = await statusesOf(http);
    const ownedBy = ({ pid }: Product) =>
      statuses.filter(({ supervisor }) => supervisor?.includes(`-${pid}-`) === true);
    const [killed, left] = supervisors.sort((a, b) => ownedBy(b).length - ownedBy(a).length) as [
      Product,
      Product,
    ];
    const lost = ownedBy(killed);
    log(`SIGKILL to a supervisor with ${lost.length} sessions`);
    killed.signal('SIGKILL');
    const times = await untilReadyAgain(http, lost);
    const all = await statusesOf(http);
    if (!all.every(({ ready }) => ready)) throw new Error('a session of the other supervisor is not ready');
    await lasting(settleSeconds * 1_000);
    const after = memoryOf([left]);
    return {
      ...{ sessions, lost: lost.length, ...times, redisBytesPerSession },
      cpuMsPerSession: (idle.cpuSeconds * 1_000) / settleSeconds / sessions,
      processesPerSession: idle.processes / sessions,
      tasksPerSession: idle.tasks / sessions,
      ...{ memoryBefore: before.all, memoryAfter: after.all, nodeBefore: before.node, nodeAfter: after.node },
    };
  } finally {
    client.disconnect();
  }
}

async function link(http: Product, name: string, { whatsApp, proxy }: RealAccount): Promise<void> {
  await http.get(`/api/sessions/${name}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ start: true, proxy: proxy && { server: proxy.server } }),
  });
  const status = async () => (await (await http.get(`/api/sessions/${name}/status`)).json()) as Status;
  await eventually(
    async () => {
      const { ready, has_qr } = await status();
      if (!has_qr) return ready;
      const png = Buffer.from(await (await http.get(`/sessions/${name}/qr.png`)).arrayBuffer());
      await whatsApp.phone.scan(readQr(png).text ?? '');
      return false;
    },
    { timeoutMs: limitMs, intervalMs: 250, message: `${name} is linked` },
  );
}

async function statusesOf(http: Product): Promise<Status[]> {
  const { sessions } = (await (await http.get('/api/sessions?limit=1000')).json()) as {
    sessions: { session: string; status: Status }[];
  };
  // `default` is there by itself, and does not run.
  return sessions.filter(({ session }) => session !== 'default').map(({ status }) => status);
}

async function untilReadyAgain(
  http: Product,
  lost: readonly Status[],
): Promise<Pick<RealResult, 'claimedMs' | 'readyMs' | 'scannedAgain'>> {
  const killedAt = performance.now();
  const epochs = new Map(lost.map(({ session, epoch }) => [session, epoch]));
  const claimed = new Map<string, number>();
  const ready = new Map<string, number>();
  const asked = new Set<string>();
  await eventually(
    async () => {
      const found = await statusesOf(http);
      const now = performance.now() - killedAt;
      for (const { session, epoch, has_qr, ready: isReady } of found) {
        if (has_qr) asked.add(session);
        if (epoch <= (epochs.get(session) ?? Number.POSITIVE_INFINITY)) continue;
        if (!claimed.has(session)) claimed.set(session, now);
        if (isReady && !ready.has(session)) ready.set(session, now);
      }
      return ready.size === lost.length;
    },
    { timeoutMs: limitMs, intervalMs: 100, message: 'all sessions are ready again' },
  );
  const ascending = (times: ReadonlyMap<string, number>) => [...times.values()].sort((a, b) => a - b);
  return { claimedMs: ascending(claimed), readyMs: ascending(ready), scannedAgain: asked.size };
}

interface IdleCost {
  readonly cpuSeconds: number;
  readonly processes: number;
  readonly tasks: number;
}

/** What the supervisors and all their processes take in this time. */
async function idleCost(supervisors: readonly Product[], seconds: number): Promise<IdleCost> {
  const pids = () => withDescendants(supervisors.map(({ pid }) => pid)).map(({ pid }) => pid);
  const before = new Map(pids().map((pid) => [pid, cpuSecondsOf(pid)]));
  await lasting(seconds * 1_000);
  const now = pids();
  return {
    cpuSeconds: sumOf(now.map((pid) => cpuSecondsOf(pid) - (before.get(pid) ?? 0))),
    processes: now.length - supervisors.length,
    tasks: sumOf(now.map(tasksOf)),
  };
}

/** Bytes (PSS). `node`: of the processes of the product, with their threads and watchdogs. */
function memoryOf(supervisors: readonly Product[]): { readonly node: number; readonly all: number } {
  let [node, all] = [0, 0];
  for (const { pid, commandLine } of withDescendants(supervisors.map((supervisor) => supervisor.pid))) {
    const bytes = pssKib(pid) * 1_024;
    all += bytes;
    if (commandLine[0]?.includes('chrom') !== true) node += bytes;
  }
  return { node, all };
}
