import assert from 'node:assert/strict';
import type { JobView } from '../../src/contract/command-jobs.js';
import { eventually } from './eventually.js';
import type { Replica } from './http-replica.js';

/** The answer of a replica to a send. */
export interface SendAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown> & { readonly error?: Record<string, unknown> };
}

export interface Sending {
  readonly to?: string;
  readonly message?: string;
  /** Further fields of the body. A `chat_id` replaces the number. */
  readonly more?: Readonly<Record<string, unknown>>;
  readonly key?: string;
  readonly prefer?: string;
  readonly signal?: AbortSignal;
}

export async function postSend(replica: Replica, sending: Sending = {}): Promise<SendAnswer> {
  const { to = '+1 555 123 4567', message = 'Hello', more = {}, key, prefer = 'wait=60', signal } = sending;
  const recipient = 'chat_id' in more ? {} : { phone_number: to };
  const response = await replica.post('/api/send', {
    body: JSON.stringify({ ...recipient, message, ...more }),
    headers: {
      'content-type': 'application/json',
      prefer,
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    },
    ...(signal ? { signal } : {}),
  });
  const body = (await response.json()) as SendAnswer['body'];
  return { status: response.status, headers: response.headers, body };
}

export async function getJob(replica: Replica, id: unknown): Promise<JobView> {
  const response = await replica.get(`/api/jobs/${String(id)}`);
  const body = await response.json();
  assert.equal(response.status, 200, JSON.stringify(body));
  return body as JobView;
}

/** The job once it no longer waits or runs. */
export function untilSettled(replica: Replica, id: unknown): Promise<JobView> {
  return eventually(
    async () => {
      const job = await getJob(replica, id);
      return job.status === 'queued' || job.status === 'active' ? null : job;
    },
    { timeoutMs: 60_000, message: 'the send settles' },
  ) as Promise<JobView>;
}

export function assertError(answer: SendAnswer, status: number, code: string): Record<string, unknown> {
  assert.deepEqual([answer.status, answer.body.error?.code], [status, code], JSON.stringify(answer.body));
  return answer.body.error ?? {};
}
