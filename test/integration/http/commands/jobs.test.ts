import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { SendJob } from '../../../../src/contract/command-jobs.js';
import { attemptKey, keyPrefix, sessionKeys } from '../../../../src/contract/keys.js';
import { readFence } from '../../../../src/platform/store/fence.js';
import { recordAttempt, recordOutcome } from '../../../../src/platform/store/send-attempts.js';
import { type CommandStage, startCommandStage } from '../../../support/command-stage.js';
import { eventually } from '../../../support/eventually.js';
import { linkedAccount as account, type HeldSession } from '../../../support/held-session.js';
import { type Replica, startReplica } from '../../../support/http-replica.js';
import { assertError, getJob, postSend } from '../../../support/send-client.js';

const keys = sessionKeys('default');

describe('GET /api/jobs/<id>', () => {
  let stage: CommandStage;
  let session: HeldSession;

  before(async () => {
    stage = await startCommandStage();
  });
  beforeEach(async () => {
    session = await stage.held();
    await session.run.publish('ready', { account });
  });
  afterEach(() => stage.clear());
  after(() => stage.close());

  async function queued(): Promise<string> {
    const { body } = await postSend(stage.replica, { prefer: 'respond-async' });
    return String(body.id);
  }

  async function change(id: string, fields: Partial<SendJob>): Promise<void> {
    const key = `${keyPrefix}:sends-default:${id}`;
    const data = JSON.parse((await stage.redis.hget(key, 'data')) ?? '') as SendJob;
    await stage.redis.hset(key, 'data', JSON.stringify({ ...data, ...fields }));
  }

  async function attempt(id: string): Promise<void> {
    const fence = await readFence(stage.redis, 'default');
    assert.ok(fence);
    const at = Date.now();
    const record = { profileId: 'p', chatId: '15551234567@c.us', messageId: 'm', phone: null, at };
    const unless = { fence, notAfter: Date.now() + 60_000 };
    assert.equal(await recordAttempt(stage.redis, 'default', id, record, unless), 'recorded');
  }

  for (const id of [
    ...['m-00000000-0000-4000-8000-000000000000', 'x', 'wait', 'meta', 'm-', '%00', '..', 's-default', ';'],
    ...[
      `k-${'a'.repeat(64)}`,
      `k-${'a'.repeat(63)}`,
      'x'.repeat(2_000),
      'm-00000000-0000-4000-8000-00000000000%30',
    ],
  ]) {
    it(`finds no job ${id.slice(0, 40)}`, async () => {
      const response = await stage.replica.get(`/api/jobs/${id.replace('..', '%2e%2e')}`);
      assert.equal(response.status, 404);
      const { error } = (await response.json()) as { error: { code: string } };
      assert.equal(error.code, id === '..' ? 'not_found' : 'job_not_found');
    });
  }

  it('is the only route around it', async () => {
    const id = await queued();
    for (const path of [
      '/api/jobs',
      '/api/jobs/',
      `/api/jobs/${id}/`,
      `/api/jobs/${id}/x`,
      `/API/jobs/${id}`,
    ]) {
      const { error } = (await (await stage.replica.get(path)).json()) as {
        error: { code: string; message: string };
      };
      assert.equal(error.code, 'not_found', path);
      const isMeant = path === `/api/jobs/${id}/`;
      assert.equal(/; leave out the slash at its end$/.test(error.message), isMeant, error.message);
    }
  });

  it('answers GET, HEAD and OPTIONS, and ignores an id in the query', async () => {
    const id = await queued();
    const path = `/api/jobs/${id}`;
    const other = await stage.replica.get(`${path}?id=${randomUUID()}&x=1`);
    assert.equal(((await other.json()) as { id: string }).id, id);
    assert.equal((await stage.replica.get(path, { method: 'HEAD' })).status, 200);
    const options = await stage.replica.get(path, { method: 'OPTIONS' });
    assert.equal(options.headers.get('allow'), 'GET, HEAD, OPTIONS');
    assert.equal((await stage.replica.post(path)).status, 405);
    assert.equal((await stage.replica.get(`${path}?a=1&a=1`)).status, 400);
  });

  it('does not find jobs of another session, nor reads', async () => {
    const id = await queued();
    for (const queue of ['sends-other', 'reads-default']) {
      const elsewhere = `m-${randomUUID()}`;
      await stage.redis.copy(`${keyPrefix}:sends-default:${id}`, `${keyPrefix}:${queue}:${elsewhere}`);
      assert.equal((await stage.replica.get(`/api/jobs/${elsewhere}`)).status, 404);
    }
  });

  it('shows a job as failed with account_changed after a logout that has not settled it yet', async () => {
    const id = await queued();
    await stage.redis.set(keys.wiped, String(Date.now()));
    const job = await getJob(stage.other, id);
    assert.deepEqual([job.status, job.error?.code, job.attempts], ['failed', 'account_changed', 0]);
  });

  it('ignores a logout from before the job was accepted', async () => {
    await stage.redis.set(keys.wiped, String(Date.now()));
    const id = await queued();
    assert.equal((await getJob(stage.other, id)).status, 'queued');
  });

  it('shows a job that was never tried in time as failed with expired', async () => {
    const id = await queued();
    await change(id, { notAfter: Date.now() - 1_000 });
    const job = await getJob(stage.other, id);
    assert.deepEqual([job.status, job.error?.code], ['failed', 'expired']);
    assert.ok(Date.parse(job.expires_at) < Date.now());
  });

  it('shows a tried job as queued while an owner lives, in spite of its expiry and a logout', async () => {
    const id = await queued();
    await attempt(id);
    await change(id, { notAfter: Date.now() - 1_000 });
    await stage.redis.set(keys.wiped, String(Date.now()));
    assert.equal((await getJob(stage.other, id)).status, 'queued');

    await session.run.fallSilent();
    const job = await eventually(async () => {
      const now = await getJob(stage.other, id);
      assert.notEqual(now.status, 'queued');
      return now;
    });
    assert.deepEqual([job.status, job.error?.code], ['unknown', 'interrupted']);
  });

  it('shows the outcome that the owner recorded, even if the queue does not have it', async () => {
    const id = await queued();
    const error = { code: 'not_acknowledged', message: 'no answer' } as const;
    await recordOutcome(stage.redis, 'default', id, { status: 'unknown', error });
    const job = await getJob(stage.other, id);
    assert.deepEqual([job.status, job.error], ['unknown', error]);
    assert.equal(await stage.redis.exists(attemptKey('default', id)), 1);
  });

  it('reports the same outcome to a waiting send', async () => {
    const waiting = postSend(stage.replica, { prefer: 'wait=30' });
    await eventually(async () => (await stage.redis.keys(`${keyPrefix}:sends-default:m-*`)).length === 1);
    await stage.redis.set(keys.wiped, String(Date.now()));
    const error = assertError(await waiting, 409, 'login_required');
    assert.equal((await getJob(stage.other, error.job_id)).error?.code, 'account_changed');
  });

  it('answers 404 for a job that Redis lost during a wait, whose outcome is unknown', async () => {
    const waiting = postSend(stage.replica, { prefer: 'wait=30' });
    await eventually(async () => (await stage.redis.keys(`${keyPrefix}:sends-default:m-*`)).length === 1);
    await stage.redis.flushall();
    const error = assertError(await waiting, 502, 'whatsapp_error');
    assert.match(String(error.message), /not known/);
    assert.equal((await stage.replica.get(`/api/jobs/${String(error.job_id)}`)).status, 404);
  });

  it('serves two hundred waiting sends with shared reads of Redis', async () => {
    const replica = await startReplica(stage.server.url, {
      environment: { WHATSAPP_TRUSTED_PROXIES: '127.0.0.1' },
    });
    // One caller may not have so many requests in progress.
    const from = (i: number) => ({ 'x-forwarded-for': `203.0.113.${i % 10}` });
    const callers = Array.from(
      { length: 10 },
      (_, i): Replica => ({
        ...replica,
        post: (path, init) => replica.post(path, { ...init, headers: { ...init?.headers, ...from(i) } }),
      }),
    );
    const waiting: ReturnType<typeof postSend>[] = [];
    // 100 at a time: a listener's backlog holds only so many connections.
    for (let count = 100; count <= 200; count += 100) {
      for (let i = waiting.length; i < count; i++) {
        const signal = AbortSignal.timeout(150_000);
        const caller = callers[i % callers.length] as Replica;
        waiting.push(postSend(caller, { message: `${i}`, prefer: 'wait=120', signal }));
      }
      await eventually(async () => (await stage.redis.llen(`${keyPrefix}:sends-default:wait`)) === count, {
        timeoutMs: 60_000,
      });
    }
    const startedAt = performance.now();
    await stage.redis.config('RESETSTAT');
    await new Promise((done) => setTimeout(done, 500));
    const looks = Number(/cmdstat_time:calls=(\d+)/.exec(await stage.redis.info('commandstats'))?.[1] ?? 0);
    const tookMs = performance.now() - startedAt;
    // One read every 50 ms, one registration of the owner every 200 ms, and the first reads of the last arrivals. If each send
    // read for itself, there would be 2,000 reads.
    assert.ok(looks <= tookMs / 50 + tookMs / 200 + 20, `${looks} round trips in ${tookMs} ms`);
    // All of them were waiting during the measurement.
    await stage.redis.set(keys.wiped, String(Date.now()));
    assert.deepEqual(new Set((await Promise.all(waiting)).map(({ status }) => status)), new Set([409]));
    await replica.close();
  });
});
