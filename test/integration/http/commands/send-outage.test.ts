import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { keyPrefix } from '../../../../src/contract/keys.js';
import { type CommandStage, startCommandStage } from '../../../support/command-stage.js';
import { eventually } from '../../../support/eventually.js';
import { type FaultProxy, startFaultProxy } from '../../../support/fault-proxy.js';
import { linkedAccount as account } from '../../../support/held-session.js';
import { outageTiming, type Replica, soonMs, startReplica } from '../../../support/http-replica.js';
import { sentOutcome, type TakenSend } from '../../../support/scripted-commands.js';
import { assertError, getJob, postSend } from '../../../support/send-client.js';

interface ErrorBody {
  readonly error: { readonly code: string };
}

const sent = { send: async (job: TakenSend) => sentOutcome(job) };

describe('an outage of Redis during a send', () => {
  let stage: CommandStage;
  let proxy: FaultProxy;
  let replica: Replica;
  /** Called when the message is on its way to Redis and has not arrived. */
  let onAdd = () => {};
  /** How often the replica has read the outcome of a job. */
  let looks = 0;

  before(async () => {
    stage = await startCommandStage();
    proxy = await startFaultProxy(stage.server.port, {
      onRequest(bytes) {
        if (bytes.includes('hmget')) looks++;
        if (bytes.includes('"notAfter"')) onAdd();
      },
    });
    replica = await startReplica(`redis://127.0.0.1:${proxy.port}`, { timing: outageTiming });
  });
  afterEach(async () => {
    onAdd = () => {};
    proxy.open();
    stage.server.signal('SIGCONT');
    await recovered();
    await stage.clear();
  });
  after(async () => {
    await replica.close();
    await proxy.close();
    await stage.close();
  });

  async function ready(): Promise<void> {
    const { run } = await stage.held();
    await run.publish('ready', { account });
  }

  /** Every connection of the replica works again. */
  async function recovered(): Promise<void> {
    await eventually(
      async () => {
        const started = await replica.post('/api/auth/start', { headers: { prefer: 'wait=0' } });
        const asked = await replica.get('/api/chats', { headers: { prefer: 'wait=0' } });
        const { error } = (await asked.json()) as ErrorBody;
        return started.status === 200 && error.code !== 'redis_unavailable';
      },
      { timeoutMs: 60_000 },
    );
  }

  it('by a freeze at acceptance answers 503 soon with the job’s id; Redis accepts the job later', async () => {
    await ready();
    onAdd = () => stage.server.signal('SIGSTOP');
    const startedAt = performance.now();
    const answer = await postSend(replica, { prefer: 'wait=20' });
    assert.ok(performance.now() - startedAt < soonMs);
    const error = assertError(answer, 503, 'redis_unavailable');
    assert.match(String(error.message), /outcome is unknown; ask GET \/api\/jobs\/m-.* Idempotency-Key/);
    assert.equal(answer.headers.get('retry-after'), '1');
    stage.server.signal('SIGCONT');
    await eventually(async () => (await getJob(stage.other, error.job_id)).status === 'queued');
    await stage.consumer(sent);
    await eventually(async () => (await getJob(stage.other, error.job_id)).status === 'sent');
  });

  it('by a partition at acceptance answers 503 with the job’s id, and the job does not exist', async () => {
    await ready();
    onAdd = () => proxy.freeze();
    const error = assertError(await postSend(replica), 503, 'redis_unavailable');
    assert.match(String(error.job_id), /^m-/);
    assert.equal((await stage.other.get(`/api/jobs/${String(error.job_id)}`)).status, 404);
  });

  for (const [what, begin, end] of [
    [
      'Redis accepts the first later',
      () => stage.server.signal('SIGSTOP'),
      () => stage.server.signal('SIGCONT'),
    ],
    ['Redis never sees the first', () => proxy.freeze(), () => proxy.open()],
  ] as const) {
    it(`at acceptance with an Idempotency-Key sends one message by the repeated call, when ${what}`, async () => {
      await ready();
      onAdd = begin;
      const first = assertError(await postSend(replica, { key: 'a' }), 503, 'redis_unavailable');
      onAdd = () => {};
      end();
      const { sends } = await stage.consumer(sent);
      const again = await eventually(
        async () => {
          const answer = await postSend(replica, { key: 'a' });
          assert.equal(answer.status, 200);
          return answer;
        },
        { timeoutMs: 60_000 },
      );
      assert.equal(again.body.to, '15551234567');
      assert.equal((await getJob(stage.other, first.job_id)).status, 'sent');
      assert.equal(sends.length, 1);
    });
  }

  it('before acceptance answers 503 without a job, and nothing is sent', async () => {
    await ready();
    const { sends } = await stage.consumer(sent);
    proxy.freeze();
    const error = assertError(await postSend(replica), 503, 'redis_unavailable');
    assert.equal(error.job_id, undefined);
    proxy.open();
    await recovered();
    assert.equal(sends.length, 0);
  });

  for (const [fault, begin] of [
    ['a cut', () => proxy.cut()],
    ['a freeze', () => proxy.freeze()],
  ] as const) {
    it(`by ${fault} after acceptance answers 202, and the job goes on`, async () => {
      await ready();
      looks = 0;
      const waiting = postSend(replica, { prefer: 'wait=30' });
      // It reads the outcome once Redis has confirmed the message.
      await eventually(() => looks > 0);
      begin();
      const { status, body } = await waiting;
      assert.equal(status, 202, JSON.stringify(body));
      await stage.consumer(sent);
      await eventually(async () => (await getJob(stage.other, body.id)).status === 'sent');
    });

    it(`by ${fault} during a read answers 503 soon`, async () => {
      await ready();
      const waiting = replica.get('/api/chats', { headers: { prefer: 'wait=30' } });
      await eventually(async () => (await stage.redis.llen(`${keyPrefix}:reads-default:wait`)) === 1);
      begin();
      const startedAt = performance.now();
      const response = await waiting;
      assert.ok(performance.now() - startedAt < soonMs);
      assert.equal(response.status, 503);
      const { error } = (await response.json()) as ErrorBody;
      assert.equal(error.code, 'redis_unavailable');
    });

    it(`by ${fault} answers 503 soon to each command`, async () => {
      await ready();
      begin();
      for (const [method, path, body] of [
        ['GET', '/api/chats', null],
        ['GET', '/api/messages?phone_number=15551234567', null],
        ['POST', '/api/pairing-code', { phone_number: '15551234567' }],
        ['POST', '/api/send', { phone_number: '15551234567', message: 'x' }],
        ['GET', '/api/jobs/m-00000000-0000-4000-8000-000000000000', null],
      ] as const) {
        const startedAt = performance.now();
        const response = await replica.get(path, {
          method,
          ...(body ? { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } } : {}),
        });
        const tookMs = performance.now() - startedAt;
        assert.equal(response.status, 503, path);
        assert.ok(tookMs < soonMs, `${path} took ${tookMs} ms`);
      }
    });
  }

  it('by refused writes answers 503, and no job exists', async () => {
    await ready();
    await stage.redis.config('SET', 'maxmemory', '1');
    try {
      assertError(await postSend(replica), 503, 'redis_unavailable');
    } finally {
      await stage.redis.config('SET', 'maxmemory', '0');
    }
    assert.deepEqual(await stage.redis.keys(`${keyPrefix}:sends-default:m-*`), []);
  });
});
