import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as lasting } from 'node:timers/promises';
import type { JobView } from '../../src/contract/command-jobs.js';
import type { Status } from '../../src/contract/status.js';
import { type EventClient, listenToEvents } from '../support/event-client.js';
import { eventually } from '../support/eventually.js';
import {
  type Neighbour,
  Neighbours,
  type Trouble,
  type TroubleName,
  troubles,
} from '../support/neighbours.js';
import { busyMachineTiming, Stage } from '../support/stage.js';

/** Three real sessions on one supervisor. What happens to `a` must not reach `b` and `c`. `npm run bench` measures their latency. */
const others = ['b', 'c'] as const;
const everyMs = 300;
const exchangesMin = 12;
const chat = '15551230001';
const writer = '15551230002';

let stage: Stage;
let sessions: Neighbours;

before(async () => {
  stage = await Stage.open();
  sessions = await Neighbours.open(stage, {
    timing: { ...busyMachineTiming, pageCheckIntervalMs: 1_000 },
    environment: { WHATSAPP_SEND_QUEUE_MAX: '100' },
  });
});
after(async () => {
  await sessions.close();
  await stage.close();
});

/** Whether `a` has met the trouble, from its status before and now. */
const isMet: Record<TroubleName, (was: Status, now: Status) => boolean | Promise<boolean>> = {
  'its browser is killed whenever it is ready': (was, now) => now.incarnation >= was.incarnation + 3,
  'it gets 200 messages a second': async () =>
    (await sessions.accounts.a.phone.messages('15557000001')).length >= 200,
  'its queue is full': async () => {
    const body = { phone_number: '15551230000', message: 'one more' };
    return (
      (await sessions.call('POST', '/api/sessions/a/send', body, { prefer: 'respond-async' })).status === 429
    );
  },
  'its page hangs': (was, now) => now.ready && now.incarnation > was.incarnation,
  'its browser is replaced for its memory': (was, now) => now.ready && now.incarnation > was.incarnation,
};

/** The session's bodies of one test, as they arrived on either side. */
interface Traffic {
  readonly session: Neighbour;
  readonly events: EventClient;
  readonly sent: string[];
  readonly jobs: string[];
  readonly written: string[];
}

async function open(session: Neighbour): Promise<Traffic> {
  const events = await listenToEvents(await sessions.replica.url(), {
    path: `/api/sessions/${session}/events`,
  });
  assert.equal(events.status, 200);
  return { session, events, sent: [], jobs: [], written: [] };
}

/** One message out, one in. */
async function exchange({ session, sent, jobs, written }: Traffic, name: string, nth: number): Promise<void> {
  const body = `${name}: ${nth} of ${session}`;
  sent.push(body);
  const { status, body: job } = await sessions.call<JobView>(
    'POST',
    `/api/sessions/${session}/send`,
    { phone_number: chat, message: body },
    { prefer: 'respond-async' },
  );
  // 200: it was sent before the answer.
  assert.ok(status === 202 || status === 200, JSON.stringify(job));
  if (status === 202) jobs.push(job.id);
  written.push(body);
  await sessions.accounts[session].phone.receive({ from: writer, body });
}

async function assertUndisturbed(traffic: Traffic, name: string, was: Status): Promise<void> {
  const { session, events, sent, jobs, written } = traffic;
  for (const id of jobs) {
    const path = `/api/sessions/${session}/jobs/${id}`;
    const settled = async () => (await sessions.call<JobView>('GET', path)).body.status === 'sent';
    await eventually(settled, { timeoutMs: 60_000, message: `${session}: a send is sent` });
  }
  const received = await sessions.accounts[session].phone.received();
  assert.deepEqual(
    received.filter(({ body }) => body.startsWith(name)).map(({ body, times }) => [body, times]),
    sent.map((body) => [body, 1]),
    `${session}: each message once, in order`,
  );
  const bodies = () =>
    events.events
      .filter(({ type }) => type === 'message')
      .map(({ body }) => (body as { data: { body: string } }).data.body);
  await eventually(() => bodies().length >= written.length, { message: `${session}: events` }).catch(
    () => undefined,
  );
  assert.deepEqual(bodies(), written, `${session}: each event once, in order`);
  const rest = events.events.filter(({ type }) => type !== 'message' && type !== 'message_ack');
  assert.deepEqual(rest, [], `${session}: no state changed`);
  assert.equal(events.hasEnded, false, `${session}: the stream goes on`);
  const now = await sessions.status(session);
  assert.deepEqual(
    [now.state, now.epoch, now.incarnation, now.restarts, now.updated_at],
    [was.state, was.epoch, was.incarnation, was.restarts, was.updated_at],
  );
}

for (const name of Object.keys(troubles) as TroubleName[]) {
  test(`${name}: the other sessions send and receive as before`, async () => {
    const troubled = await sessions.untilReady('a');
    const [b, c] = await Promise.all(others.map((session) => sessions.untilReady(session)));
    const traffic = await Promise.all(others.map(open));
    const over = new AbortController();
    const trouble: Trouble = troubles[name];
    const running = trouble(sessions, over.signal);
    running.catch(() => undefined);
    try {
      const until = performance.now() + 60_000;
      let isOver = false;
      for (let nth = 1; !isOver; nth++) {
        await Promise.all(traffic.map((each) => exchange(each, name, nth)));
        await lasting(everyMs);
        isOver = (await isMet[name](troubled, await sessions.status('a'))) && nth >= exchangesMin;
        assert.ok(performance.now() < until, `a: ${JSON.stringify(await sessions.status('a'))}`);
      }
    } finally {
      over.abort();
      await running;
    }
    for (const [nth, was] of [b, c].entries()) {
      await assertUndisturbed(traffic[nth] as Traffic, name, was as Status);
    }
    for (const { events } of traffic) events.close();
  });
}
