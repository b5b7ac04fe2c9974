import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { keyPrefix, sessionKeys } from '../../../src/contract/keys.js';
import { sendsQueue } from '../../../src/contract/names.js';
import type { OwnedSession } from '../deployment.js';
import { eventually } from '../eventually.js';
import { kill } from '../processes.js';
import type { RefusedDeployment } from '../refused-deployment.js';
import { postSend, untilSettled } from '../send-client.js';
import { redisErrors } from './errors.js';
import { named } from './requests.js';

/**
 * Makes a step happen while Redis refuses it. May resolve to a check, which runs when Redis no longer refuses.
 */
export type Trigger = (
  stage: RefusedDeployment,
  before: OwnedSession,
) => Promise<(() => Promise<void>) | void>;

const patience = { timeoutMs: 60_000 };

/** The owner is killed: the session needs another one. */
export const ownerDies: Trigger = async (stage, { owner, status }) => {
  owner.signal('SIGKILL');
  await owner.exited;
  return async () => {
    await stage.observer.until((s) => s.ready && s.epoch > status.epoch, 'taken over');
    await (await accept(stage)).untilSent();
  };
};

/** The owner is killed with an active send, whose attempt Redis did not let it record. */
export const ownerDiesSending: Trigger = async (stage, before) => {
  const { redis, session } = stage.observer;
  const active = `${keyPrefix}:${sendsQueue(session)}:active`;
  const records = stage.forSupervisors.refuse(named('holdline_recordAttempt'), redisErrors.LOADING);
  try {
    const { id, untilSent } = await accept(stage);
    const isActive = async () => (await redis.lrange(active, 0, -1)).includes(id);
    await eventually(isActive, { ...patience, message: 'the send is active' });
    const takenOver = await ownerDies(stage, before);
    return async () => {
      await takenOver?.();
      await untilSent();
    };
  } finally {
    records.lift();
  }
};

export const standbyIsReplaced: Trigger = async (stage, { owner }) => {
  await stage.endStandby(owner);
  await stage.startSupervisor();
};

export const browserDies: Trigger = async (_, { browser }) => kill(browser);

export const connectionsAreCut: Trigger = async (stage) => {
  for (const network of stage.networks()) {
    network.cut();
    network.open();
  }
};

/** Accepts a message. Afterwards it must have been sent once. */
export const sendIsAccepted: Trigger = async (stage) => (await accept(stage)).untilSent;

/** Causes an event of a message. Afterwards it must be in the stream once. */
export const eventIsPublished: Trigger = async (stage) => {
  const { id, untilSent } = await accept(stage, 'event');
  const { redis, session } = stage.observer;
  const published = async () => {
    const entries = await redis.xrevrange(sessionKeys(session).events, '+', '-', 'COUNT', 100);
    const isOfIt = (word: string) => word.includes(id);
    return entries.filter(([, words]) => words.includes('message_ack') && words.some(isOfIt)).length;
  };
  return async () => {
    await untilSent();
    await eventually(async () => (await published()) > 0, { ...patience, message: 'the event is published' });
    assert.equal(await published(), 1);
  };
};

/** Accepts a message. The id of its job is part of the message id. */
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
      const { status } = await untilSettled(stage.replica, id);
      assert.deepEqual([status, await stage.received(body)], ['sent', 1]);
    },
  };
}

/** Posts a message that is not accepted. Its caller repeats it afterwards, and it must be sent once. */
export const sendIsRefused: Trigger = async (stage) => {
  const [message, key] = [`refused ${randomUUID()}`, randomUUID()];
  const refused = await postSend(stage.replica, { message, key, prefer: 'respond-async' });
  assert.equal(refused.status, 503, JSON.stringify(refused.body));
  return async () => {
    const sent = await postSend(stage.replica, { message, key });
    assert.deepEqual([sent.status, await stage.received(message)], [200, 1], JSON.stringify(sent.body));
  };
};

/** Reads the chats. This read may fail; the next one must succeed. */
export const readIsAsked: Trigger = async (stage) => {
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

/** Changes the login, which must then be backed up. */
export const loginChanges: Trigger = async ({ scripted, observer }) => {
  const { snapshot } = sessionKeys(observer.session);
  const newest = () => observer.redis.hget(snapshot, 'manifest');
  const before = await newest();
  const profile = join(scripted.dir, 'auth', `session-${observer.session}`);
  const file = join(profile, 'Default/IndexedDB/https_web.whatsapp.com_0.indexeddb.leveldb/000003.log');
  mkdirSync(dirname(file), { recursive: true });
  appendFileSync(file, 'another word of the login');
  return async () => {
    await eventually(async () => (await newest()) !== before, { ...patience, message: 'a new backup' });
  };
};

export const ownerIsAskedToStop: Trigger = async (_, { owner }) => {
  owner.signal('SIGTERM');
  await owner.exited;
};

/** Ends the session over HTTP. The answer must be true; only a new start brings the session back. */
export const ends =
  (kind: 'stop' | 'logout'): Trigger =>
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

/** A stop that cannot be recorded must be answered with an error. */
export const endIsRefused: Trigger = async ({ replica }) => {
  assert.equal((await replica.post('/api/stop')).status, 503);
};

/** A start that cannot be recorded must be answered with an error. */
export const startIsRefused: Trigger = async (stage) => {
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
