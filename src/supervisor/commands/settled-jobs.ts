import type { CommandQueue } from './queue-repair.js';

export interface Retention {
  /** Lifetime of a settled job. BullMQ removes old ones only when it settles another, which may never happen. */
  readonly retentionMs: number;
  /** A key that is no longer needed once the job is settled; it expires soon after. */
  readonly disposableKey?: (jobId: string) => string;
  /** Called with the number of settled jobs that are kept. */
  readonly onRetained?: (count: number) => void;
}

/** Lifetime of a disposable key: a reader that began before the job settled has read it by then. */
const disposableMs = 60_000;

/** Limits how long a settled job and its disposable key live. */
export async function expireSettled(
  { redis, queue }: CommandQueue,
  id: string,
  { retentionMs, disposableKey, onRetained }: Retention,
): Promise<void> {
  const expiring = redis.pipeline().pexpire(queue.toKey(id), retentionMs);
  if (disposableKey !== undefined) expiring.pexpire(disposableKey(id), disposableMs);
  if (onRetained === undefined) return void (await expiring.exec());
  const [, retained] = (await expiring.zcard(queue.toKey('completed')).exec())?.at(-1) ?? [];
  if (typeof retained === 'number') onRetained(retained);
}
