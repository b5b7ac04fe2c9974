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

/**
 * A supervisor without a browser: takes runs from the queue as the real one does, holds lock, fence and
 * heartbeat, and does in between what the test says.
 */
export interface ScriptedOwner {
  /** Every run so far, in order. */
  readonly runs: readonly ScriptedRun[];
  /** Leaves as a killed process would: job, lock, heartbeat and roll are left to lapse, lock and heartbeat soon. */
  crash(): Promise<void>;
  close(): Promise<void>;
}

export interface ScriptedRun {
  readonly epoch: number;
  readonly startId: string;
  /** The first intent seen. */
  readonly intent: Promise<Intent>;
  publish(state: SessionState, change?: Change): Promise<void>;
  /** The run's last state; the job completes when the script returns. */
  end(state: SessionState, change?: Change & { intent?: Intent; unlinked?: boolean }): Promise<void>;
  /** No heartbeat from now on, and the stored one taken away. */
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

/** Shows a QR until somebody wants the run to end. */
export const showQrUntilAsked: Script = async (run) => {
  await run.publish('starting');
  await run.publish('qr', { qrText: 'a code' });
  const intent = await run.intent;
  await run.end('stopped', { intent, unlinked: intent.kind === 'logout' });
};

/** Outlasts, as all that follows from it, whatever keeps this process busy. */
const usualLockMs = 15_000;
const beatIntervalMs = 50;
/** What a crash leaves is as old as if nobody had renewed it for a while. */
const crashedHeartbeatMs = 600;
const crashedLockMs = 1_200;

/** As the shipped table has it: a heartbeat lives 0.4 of a lock, and so does a place on the roll, but for a second at least. */
const heartbeatTtlOf = (lockMs: number) => 0.4 * lockMs;
const rollTtlOf = (lockMs: number) => Math.max(1_000, heartbeatTtlOf(lockMs));

export async function startOwner(
  redisUrl: string,
  script: Script,
  lockMs = usualLockMs,
): Promise<ScriptedOwner> {
  const redis = new Redis(redisUrl, { maxRetriesPerRequest: null });
  const id = `scripted-${randomUUID()}`;
  const runs: ScriptedRun[] = [];
  const lives = new Set<Life>();
  const sign = () => registerSupervisor(redis, id, 1, rollTtlOf(lockMs));
  const rollTimer = setInterval(() => void sign().catch(() => undefined), 200);
  await sign();

  const worker = new Worker(
    sessionsQueue,
    async (job, token = '') => {
      const session = sessionOfJobId(job.id ?? '');
      const { startId } = startJobSchema.parse(job.data);
      const claim = await claimRun(redis, session, token, startId);
      if (claim.type !== 'claimed') return;
      const life = live(redis, { session, token, startId, epoch: claim.epoch, supervisor: id, lockMs });
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

  /** `lastWords`: the last that this owner says to Redis; everything before them has been carried out by then. */
  async function leave(lastWords: () => Promise<unknown>): Promise<void> {
    clearInterval(rollTimer);
    for (const life of lives) life.stop();
    await worker.close(true);
    await lastWords().catch(() => undefined);
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
  /** Renews nothing any more. */
  stop(): void;
  /** Lets what is stored of it lapse soon. */
  lapse(): Promise<unknown>;
}

function live(redis: Redis, facts: LifeFacts): Life {
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
    epoch,
    startId,
    intent: asked.promise,
    async publish(state, change = {}) {
      const status = next(state, change);
      const png = change.qrText === undefined ? null : await qrPng(change.qrText);
      const qr = png && { png, base64: png.toString('base64') };
      const ttl = isSilent ? {} : { heartbeatTtlMs };
      if (!(await publishStatus(redis, { session, expected: fence, status, qr, ...ttl }))) {
        throw new Error('refused: the fence is another run’s');
      }
      fence = status;
    },
    async end(state, { intent, unlinked = false, ...change } = {}) {
      if (intent?.kind === 'logout') account = null;
      const status = next(state, change);
      isSilent = true;
      await endRun(redis, { session, expected: fence, status, startId, intent: intent ?? null, unlinked });
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
