import { Worker, type WorkerOptions } from 'bullmq';
import { Redis } from 'ioredis';
import {
  type ReadJob,
  type ReadOutcome,
  readJobSchema,
  type SendJob,
  type SendOutcome,
  sendJobSchema,
} from '../../src/contract/command-jobs.js';
import { keyPrefix } from '../../src/contract/keys.js';
import { defaultSession, readsQueue, sendsQueue } from '../../src/contract/names.js';

/** Consumes the default session's commands as the test scripts it, in place of an owner with a browser. */
export interface ScriptedCommands {
  /** Jobs taken so far, in order. */
  readonly reads: readonly ReadJob[];
  readonly sends: readonly TakenSend[];
  /** Does not settle jobs that are under way. */
  close(): Promise<void>;
}

export interface TakenSend extends SendJob {
  readonly id: string;
}

export interface CommandScript {
  read?(job: ReadJob): Promise<ReadOutcome>;
  send?(job: TakenSend): Promise<SendOutcome>;
}

export async function startScriptedCommands(
  redisUrl: string,
  script: CommandScript,
): Promise<ScriptedCommands> {
  const redis = new Redis(redisUrl, { maxRetriesPerRequest: null });
  const reads: ReadJob[] = [];
  const sends: TakenSend[] = [];
  const options: WorkerOptions = {
    connection: redis,
    prefix: keyPrefix,
    concurrency: 4,
    skipStalledCheck: true,
    skipLockRenewal: true,
    lockDuration: 86_400_000,
    drainDelay: 1,
  };
  const { read, send } = script;
  const workers = [
    ...(read === undefined
      ? []
      : [
          new Worker(
            readsQueue(defaultSession),
            async (job) => {
              const data = readJobSchema.parse(job.data);
              reads.push(data);
              return await read(data);
            },
            options,
          ),
        ]),
    ...(send === undefined
      ? []
      : [
          new Worker(
            sendsQueue(defaultSession),
            async (job) => {
              const taken = { id: job.id ?? '', ...sendJobSchema.parse(job.data) };
              sends.push(taken);
              const outcome = await send(taken);
              await job.updateData({ ...job.data, message: null });
              return outcome;
            },
            { ...options, concurrency: 1 },
          ),
        ]),
  ];
  for (const worker of workers) worker.on('error', () => undefined);
  await Promise.all(workers.map((worker) => worker.waitUntilReady()));
  return {
    reads,
    sends,
    async close() {
      await Promise.all(workers.map((worker) => worker.close(true)));
      redis.disconnect();
    },
  };
}

/** The outcome of a send that WhatsApp accepted. */
export function sentOutcome({ phoneNumber, chatId, id }: TakenSend): SendOutcome {
  const chat_id = chatId ?? `${phoneNumber}@c.us`;
  return {
    status: 'sent',
    result: {
      ok: true,
      to: phoneNumber ?? chat_id,
      chat_id,
      message_id: `true_${chat_id}_${id}`,
      timestamp: '2026-11-23T03:00:00.000Z',
    },
  };
}
