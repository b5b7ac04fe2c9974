import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { sessionKeys } from '../../../src/contract/keys.js';
import type { Settled } from '../deployment.js';
import { eventually } from '../eventually.js';
import type { RefusedDeployment } from '../refused-deployment.js';
import { getJob, postSend } from '../send-client.js';
import { kill } from '../stage.js';

/**
 * Makes a step come while it is refused. Resolves to what must be seen to once it is no longer refused; void: nothing.
 */
export type Act = (stage: RefusedDeployment, before: Settled) => Promise<(() => Promise<void>) | void>;

const patience = { timeoutMs: 60_000 };

/** The session needs another owner. */
export const ownerDies: Act = async (stage, { owner, status }) => {
  owner.signal('SIGKILL');
  await owner.exited;
  return async () => {
    await stage.observer.until((s) => s.ready && s.epoch > status.epoch, 'taken over');
    await (await accept(stage)).untilSent();
  };
};

export const standbyIsReplaced: Act = async (stage, { owner }) => {
  await stage.endStandby(owner);
  await stage.startSupervisor();
};

export const browserDies: Act = async (_, { browser }) => kill(browser);

export const connectionsAreCut: Act = async (stage) => {
  for (const network of stage.networks()) {
    network.cut();
    network.open();
  }
};

/** A message of its own: afterwards it has been sent, once. */
export const sendIsAccepted: Act = async (stage) => (await accept(stage)).untilSent;

/** An event of a message: afterwards it has been told, once. */
export const eventIsTold: Act = async (stage) => {
  const { id, untilSent } = await accept(stage, 'told');
  const { redis, session } = stage.observer;
  const told = async () => {
    const entries = await redis.xrevrange(sessionKeys(session).events, '+', '-', 'COUNT', 100);
    const isOfIt = (word: string) => word.includes(id);
    return entries.filter(([, words]) => words.includes('message_ack') && words.some(isOfIt)).length;
  };
  return async () => {
    await untilSent();
    await eventually(async () => (await told()) > 0, { ...patience, message: 'the event is told' });
    assert.equal(await told(), 1);
  };
};

/** A job's id is part of its message's. */
async function accept(
  stage: RefusedDeployment,
  beginning = 'refused',
): Promise<{ readonly id: string; untilSent(): Promise<void> }> {
  const body = `${beginning} ${randomUUID()}`;
  const accepted = await postSend(stage.replica, { message: body, prefer: 'respond-async' });
  assert.equal(accepted.status, 202, JSON.stringify(accepted.body));
  const id = String(accepted.body.id);
  return {
    id,
    async untilSent() {
      const isSettled = async () => !isOpen((await getJob(stage.replica, id)).status);
      await eventually(isSettled, { ...patience, message: 'the send settles' });
      const { status } = await getJob(stage.replica, id);
      assert.deepEqual([status, await stage.received(body)], ['sent', 1]);
    },
  };
}

const isOpen = (status: string) => status === 'queued' || status === 'active';

/** A message that is not accepted while it is refused, and that its caller repeats. */
export const sendIsRefused: Act = async (stage) => {
  const [message, key] = [`refused ${randomUUID()}`, randomUUID()];
  const refused = await postSend(stage.replica, { message, key, prefer: 'respond-async' });
  assert.equal(refused.status, 503, JSON.stringify(refused.body));
  return async () => {
    const sent = await postSend(stage.replica, { message, key });
    assert.deepEqual([sent.status, await stage.received(message)], [200, 1], JSON.stringify(sent.body));
  };
};

/** A read; whatever it is answered, the next one is answered well. */
export const readIsAsked: Act = async (stage) => {
  const asked = chats(stage);
  return async () => {
    assert.ok([200, 502, 503, 504].includes(await asked));
    assert.equal(await chats(stage), 200);
  };
};

async function chats({ replica }: RefusedDeployment): Promise<number> {
  const answer = await replica.get('/api/chats?limit=1', { headers: { prefer: 'wait=20' } });
  await answer.arrayBuffer();
  return answer.status;
}

/** The login has changed: it is to be backed up. */
export const loginChanges: Act = async ({ theatre, observer }) => {
  const { snapshot } = sessionKeys(observer.session);
  const newest = () => observer.redis.hget(snapshot, 'manifest');
  const before = await newest();
  const profile = join(theatre.dir, 'auth', `session-${observer.session}`);
  const file = join(profile, 'Default/IndexedDB/https_web.whatsapp.com_0.indexeddb.leveldb/000003.log');
  mkdirSync(dirname(file), { recursive: true });
  appendFileSync(file, 'another word of the login');
  return async () => {
    await eventually(async () => (await newest()) !== before, { ...patience, message: 'a new backup' });
  };
};

export const ownerIsAskedToStop: Act = async (_, { owner }) => {
  owner.signal('SIGTERM');
  await owner.exited;
};

/** What the caller is told is true; only a new start brings the session back. */
export const ends =
  (kind: 'stop' | 'logout'): Act =>
  async (stage) => {
    const answered = stage.replica.post(`/api/${kind}`);
    return async () => {
      const { status } = await answered;
      assert.ok([200, 503, 504].includes(status), `the ${kind} was answered ${status}`);
      if (status !== 200) assert.equal((await stage.replica.post(`/api/${kind}`)).status, 200);
      await stage.observer.untilEnded();
      const { state } = await stage.replica.status();
      assert.equal(state, 'stopped');
      await starts(stage);
    };
  };

/** The wish is not recorded, and its caller is told so. */
export const endIsRefused: Act = async ({ replica }) => {
  assert.equal((await replica.post('/api/stop')).status, 503);
};

/** A start that nobody could record is not told as one. */
export const startIsRefused: Act = async (stage) => {
  await stage.observer.requestEnd('stop');
  await stage.observer.untilEnded();
  const answer = await stage.replica.post('/api/auth/start');
  assert.equal(answer.status, 503);
  return () => starts(stage);
};

async function starts({ replica }: RefusedDeployment): Promise<void> {
  const answer = await replica.post('/api/auth/start');
  assert.equal(answer.status, 200, await answer.text());
}
