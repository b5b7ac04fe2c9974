import { randomUUID } from 'node:crypto';
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { toBuffer } from 'qrcode';
import { type Intent, startJobSchema } from '../../src/contract/intent.js';
import { keyPrefix, sessionKeys } from '../../src/contract/keys.js';
import { sessionOfJobId, sessionsQueue } from '../../src/contract/names.js';
import type { PageStatus } from '../../src/contract/page.js';
import { type Account, composeStatus, type Fence, type SessionState } from '../../src/contract/status.js';
import { deferred } from '../../src/platform/deadline.js';
import { claimRun, renewHeartbeat, renewLock } from '../../src/platform/store/run-store.js';
import { endRun, publishStatus } from '../../src/platform/store/state-store.js';
import { registerSupervisor, unregisterSupervisor } from '../../src/platform/store/supervisor-registry.js';
import { onBound } from './on-bound.js';
import { supervisorFacts } from './supervisor-facts.js';

/**
 * A supervisor without a browser. It takes runs from the queue as the real one does, holds lock, fence and heartbeat, and
 * runs the test's script for each run.
 */
export interface ScriptedOwner {
  /** Every run so far, in order. */
  readonly runs: readonly ScriptedRun[];
  /** Leaves job, lock, heartbeat and registry entry behind, as a killed process does. Lock and heartbeat lapse soon. */
  crash(): Promise<void>;
  close(): Promise<void>;
}

export interface ScriptedRun {
  readonly session: string;
  readonly epoch: number;
  readonly startId: string;
  /** Resolves to the first intent. */
  readonly intent: Promise<Intent>;
  publish(state: SessionState, change?: Change): Promise<void>;
  /** Publishes the run's last state. The job completes when the script returns. */
  end(
    state: SessionState,
    change?: Change & { intent?: Intent; unlinked?: boolean; reason?: string | null },
  ): Promise<void>;
  /** Stops the heartbeat and deletes the stored one. */
  fallSilent(): Promise<void>;
}

export interface Change {
  readonly lastError?: string | null;
  readonly account?: Account | null;
  readonly qrText?: string;
  readonly qrNumber?: number;
  readonly expiresInMs?: number;
  readonly page?: PageStatus | null;
}

export type Script = (run: ScriptedRun) => Promise<void>;

/** The account of a scripted run that is ready. */
export const account = { wid: '491511234567@c.us', pushname: 'Ada', platform: 'android' };

/** Shows a QR until an intent ends the run. */
export const showQrUntilAsked: Script = async (run) => {
  await run.publish('starting');
  await run.publish('qr', { qrText: 'a code' });
  const intent = await run.intent;
  await run.end('stopped', { intent, unlinked: intent.kind === 'logout' });
};

/** Is ready until an intent ends the run. */
export const readyUntilAsked: Script = async (run) => {
  await run.publish('starting');
  await run.publish('ready', { account });
  const intent = await run.intent;
  await run.end('stopped', { intent, unlinked: intent.kind === 'logout' });
};

/** Long enough that a busy process loses neither the lock nor what is derived from this. */
const usualLockMs = 15_000;
const beatIntervalMs = 50;
/** Remaining lifetimes after a crash, as if the last renewal were some time ago. */
const crashedHeartbeatMs = 600;
const crashedLockMs = 1_200;

/** As in the shipped timing table: heartbeat and registry entry live 0.4 times as long as a lock; the entry at least 1 s. */
const heartbeatTtlOf = (lockMs: number) => 0.4 * lockMs;
const registryTtlOf = (lockMs: number) => Math.max(1_000, heartbeatTtlOf(lockMs));

export async function startOwner(
  redisUrl: string,
  script: Script,
  lockMs = usualLockMs,
): Promise<ScriptedOwner> {
  const redis = new Redis(redisUrl, { maxRetriesPerRequest: null });
  const id = `scripted-${randomUUID()}`;
  const runs: ScriptedRun[] = [];
  const lives = new Set<Life>();
  const register = () => registerSupervisor(redis, id, supervisorFacts(1), registryTtlOf(lockMs));
  const registerTimer = setInterval(() => void register().catch(() => undefined), 200);
  await register();

  const worker = new Worker(
    sessionsQueue,
    async (job, token = '') => {
      const session = sessionOfJobId(job.id ?? '');
      const { startId } = startJobSchema.parse(job.data);
      const claim = await claimRun(redis, session, token, startId);
      if (claim.type !== 'claimed') return;
      const life = startLife(redis, { session, token, startId, epoch: claim.epoch, supervisor: id, lockMs });
      lives.add(life);
      runs.push(life.run);
      try {
        await script(life.run);
      } finally {
        life.stop();
        lives.delete(life);
      }
    },
    {
      connection: redis,
      prefix: keyPrefix,
      concurrency: 5,
      lockDuration: lockMs,
      stalledInterval: 200,
      drainDelay: 1,
      skipLockRenewal: true,
      maxStalledCount: Number.MAX_SAFE_INTEGER,
    },
  );
  worker.on('error', () => undefined);
  await worker.waitUntilReady();

  /** `lastCommand` is this owner's last command to Redis. All earlier ones have been carried out by then. */
  async function leave(lastCommand: () => Promise<unknown>): Promise<void> {
    clearInterval(registerTimer);
    for (const life of lives) life.stop();
    await worker.close(true);
    await lastCommand().catch(() => undefined);
    redis.disconnect();
  }

  return {
    runs,
    crash: () => leave(() => Promise.all([...lives].map((life) => life.lapse()))),
    close: () => leave(() => unregisterSupervisor(redis, id)),
  };
}

interface LifeFacts {
  readonly session: string;
  readonly token: string;
  readonly startId: string;
  readonly epoch: number;
  readonly supervisor: string;
  readonly lockMs: number;
}

interface Life {
  readonly run: ScriptedRun;
  /** Stops every renewal. */
  stop(): void;
  /** Makes lock and heartbeat lapse soon. */
  lapse(): Promise<unknown>;
}

function startLife(redis: Redis, facts: LifeFacts): Life {
  const { session, token, startId, epoch, supervisor, lockMs } = facts;
  const heartbeatTtlMs = heartbeatTtlOf(lockMs);
  const asked = deferred<Intent>();
  let fence: Fence = { epoch, incarnation: 0 };
  let isSilent = false;
  let isOver = false;
  let account: Account | null = null;

  const timer = setInterval(() => void renew().catch(() => undefined), beatIntervalMs);
  async function renew(): Promise<void> {
    await renewLock(redis, session, token, lockMs);
    if (isSilent || isOver) return;
    const { intent } = await renewHeartbeat(redis, { session, token, epoch, ttlMs: heartbeatTtlMs });
    if (intent) asked.resolve(intent);
  }

  function next(state: SessionState, change: Change) {
    if (change.account !== undefined) account = change.account;
    const now = Date.now();
    const expiresInMs = change.expiresInMs ?? 20_000;
    const qr = change.qrText !== undefined && {
      number: change.qrNumber ?? 1,
      issued_at: new Date(now).toISOString(),
      expires_at: new Date(now + expiresInMs).toISOString(),
    };
    return composeStatus(
      {
        ...{ auth_dir: '/srv/owner/auth', chrome_executable: '/usr/bin/chromium', headless: true },
        ...{ session, epoch, incarnation: fence.incarnation + 1, restarts: 0, supervisor },
      },
      { state, lastError: change.lastError ?? null, account, qr: qr || null, page: change.page ?? null },
      new Date(now).toISOString(),
    );
  }

  const run: ScriptedRun = {
    session,
    epoch,
    startId,
    intent: asked.promise,
    async publish(state, change = {}) {
      const status = next(state, change);
      const png = change.qrText === undefined ? null : await qrPng(change.qrText);
      const qr = png && { png, base64: png.toString('base64') };
      const ttl = isSilent ? {} : { heartbeatTtlMs };
      if (!(await publishStatus(redis, { session, expected: fence, status, qr, onBound, ...ttl }))) {
        throw new Error('refused: the fence is another run’s');
      }
      fence = status;
    },
    async end(state, { intent, unlinked = false, reason = null, ...change } = {}) {
      if (intent?.kind === 'logout') account = null;
      const status = next(state, change);
      isSilent = true;
      await endRun(redis, {
        ...{ session, expected: fence, status, startId, unlinked, reason, onBound },
        intent: intent ?? null,
      });
      fence = status;
    },
    async fallSilent() {
      isSilent = true;
      await redis.del(`${keyPrefix}:s:${session}:heartbeat`);
    },
  };
  return {
    run,
    stop() {
      isOver = true;
      clearInterval(timer);
    },
    async lapse() {
      const k = sessionKeys(session);
      await redis.pexpire(k.lock, crashedLockMs);
      if (!isSilent) await redis.pexpire(k.heartbeat, crashedHeartbeatMs);
    },
  };
}

function qrPng(text: string): Promise<Buffer> {
  return toBuffer(text, { width: 360, margin: 2, errorCorrectionLevel: 'L' });
}
