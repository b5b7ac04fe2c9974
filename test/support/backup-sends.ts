import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { SendJob } from '../../src/contract/command-jobs.js';
import { createCommandQueues } from '../../src/http/commands/command-queues.js';
import { recordOutcome } from '../../src/platform/store/send-attempts.js';
import { session, wid } from './backup-stage.js';

export const job: SendJob = {
  ...{ phoneNumber: '15551234567', chatId: null, linkPreview: true, markSeen: true, message: 'a secret' },
  ...{ requestHash: 'f'.repeat(64), notAfter: Date.now() + 600_000, wipedEpoch: 0, wid, requestId: 'r' },
};
export const sent = {
  status: 'sent' as const,
  result: {
    ...{ ok: true as const, to: '15551234567', chat_id: '15551234567@c.us', message_id: 'x' },
    timestamp: new Date().toISOString(),
  },
};

/** Sends in every state: waiting, being sent, sent but not completed, completed, and completed two days ago. */
export async function addSends(redis: Redis): Promise<Record<string, string>> {
  const queues = createCommandQueues({ redis, session, sendQueueMax: 1_000 });
  const id = () => `m-${randomUUID()}`;
  const ids = { waiting: id(), active: id(), recorded: id(), done: id(), old: id() };
  for (const each of Object.values(ids)) await queues.addSend(each, job);
  await queues.close();
  const queue = '{wa}:sends-default';
  for (const each of [ids.active, ids.recorded]) {
    await redis.lrem(`${queue}:wait`, 0, each);
    await redis.lpush(`${queue}:active`, each);
  }
  await recordOutcome(redis, session, ids.recorded, sent);
  for (const [each, at] of [
    [ids.done, Date.now() - 1_000],
    [ids.old, Date.now() - 2 * 86_400_000],
  ] as const) {
    await redis.lrem(`${queue}:wait`, 0, each);
    const settled = { data: JSON.stringify({ ...job, message: null }), returnvalue: JSON.stringify(sent) };
    await redis.hset(`${queue}:${each}`, { ...settled, finishedOn: at, processedOn: at, ats: 1 });
    await redis.zadd(`${queue}:completed`, at, each);
  }
  return ids;
}
