import assert from 'node:assert/strict';
import type { JobView } from '../../src/contract/command-jobs.js';
import type { Replica } from './http-replica.js';

/** Sends messages to a replica and reads what it answers. */
export interface SendAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown> & { readonly error?: Record<string, unknown> };
}

export interface Sending {
  readonly to?: string;
  readonly message?: string;
  /** Further fields of the body; a `chat_id` stands in place of the number. */
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

export function assertError(answer: SendAnswer, status: number, code: string): Record<string, unknown> {
  assert.deepEqual([answer.status, answer.body.error?.code], [status, code], JSON.stringify(answer.body));
  return answer.body.error ?? {};
}
