import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { postSend, untilSettled } from '../send-client.js';
import type { Expectation, FaultStage } from './fault-row.js';

/** A send and a read that are under way when the fault comes. */
export interface InFlight {
  /** Throws unless both settle, the send with exactly one message at WhatsApp. */
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
      // Redis lost the job: its caller cannot learn the outcome.
      if (expect.isForgotten) return;
      const job = await untilSettled(stage.replica, accepted.body.id);
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

/** Reads the whole answer at once: the fault may last longer than the client waits for the rest of a body. */
async function readStatusCode({ replica }: FaultStage): Promise<number> {
  const answer = await replica.get('/api/chats?limit=1', { headers: { prefer: 'wait=45' } });
  await answer.arrayBuffer();
  return answer.status;
}
