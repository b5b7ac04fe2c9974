import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { JobView } from '../../../src/contract/command-jobs.js';
import { eventually } from '../eventually.js';
import { getJob, postSend } from '../send-client.js';
import type { Expectation, FaultStage } from './fault-row.js';

/** A send and a read that a fault meets on their way. */
export interface InFlight {
  /** Throws unless both settle, the send with exactly one message at WhatsApp's. */
  assertSettled(expect: Expectation): Promise<void>;
}

export async function putInFlight(stage: FaultStage): Promise<InFlight> {
  const body = `in flight ${randomUUID()}`;
  const accepted = await postSend(stage.replica, { message: body, prefer: 'respond-async' });
  assert.equal(accepted.status, 202, JSON.stringify(accepted.body));
  const read = readStatusCode(stage);
  read.catch(() => undefined);
  return {
    async assertSettled(expect) {
      const code = await read;
      const refusals = [502, 503, 504, ...(expect.isForgotten || expect.isEnded ? [409] : [])];
      assert.ok(code === 200 || refusals.includes(code), `the read was answered ${code}`);
      // Redis lost the job; what became of the message the caller cannot learn any more.
      if (expect.isForgotten) return;
      const job = await settled(stage, accepted.body.id);
      const times = await stage.received(body);
      assert.ok(times <= 1, `the message was sent ${times} times`);
      if (!expect.mayLoseSends) {
        assert.deepEqual([job.status, times], ['sent', 1], JSON.stringify(job));
      } else if (job.status !== 'unknown') {
        assert.equal(times, job.status === 'sent' ? 1 : 0, JSON.stringify(job));
      }
    },
  };
}

/** Takes the whole answer when it comes: a fault may go on for longer than a client waits for the rest of one. */
async function readStatusCode({ replica }: FaultStage): Promise<number> {
  const answer = await replica.get('/api/chats?limit=1', { headers: { prefer: 'wait=45' } });
  await answer.arrayBuffer();
  return answer.status;
}

function settled(stage: FaultStage, id: unknown): Promise<JobView> {
  return eventually(
    async () => {
      const job = await getJob(stage.replica, id);
      return job.status === 'queued' || job.status === 'active' ? null : job;
    },
    { timeoutMs: 60_000, message: 'the send settles' },
  ) as Promise<JobView>;
}
