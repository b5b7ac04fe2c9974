import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import {
  answerKey,
  attemptKey,
  commandRoomKey,
  eventIndexKey,
  limitsPrefix,
  loginKey,
  qrLinkKey,
  sessionKeys,
} from '../../../src/contract/keys.js';
import { createJobReader } from '../../../src/http/commands/job-reader.js';
import { findJobView } from '../../../src/http/commands/send-status.js';
import { readNumbers, rememberNumbers } from '../../../src/platform/store/lid-map.js';
import { accessList } from '../../docs/access-list.js';
import { machineOn } from '../../support/backup-machines.js';
import { addSends, job, sent } from '../../support/backup-sends.js';
import { session, startBackupStage, wid } from '../../support/backup-stage.js';
import { claimToWrite } from '../../support/event-writer.js';
import { scratchDir } from '../../support/leftovers.js';
import { type RedisNode, startRedisCluster, startRedisNode } from '../../support/redis-fleet.js';

const stage = await startBackupStage();
const { source, target, file, linkedMachine, backUp, restore, loginIn } = stage;
const k = sessionKeys(session);

describe('what a backup has besides the login', () => {
  beforeEach(stage.reset);
  after(stage.close);

  it('never has a send sent again: what had not settled is unknown, the rest keeps its outcome', async () => {
    const made = await linkedMachine();
    const ids = await addSends(source.redis);
    const { counts } = await backUp(made);
    assert.deepEqual(counts, { settledSends: 3, unsettledSends: 2, events: 0 });
    assert.doesNotMatch(readFileSync(file, 'latin1'), /a secret/);

    await restore(machineOn(target));
    const jobs = createJobReader(target.redis, session);
    const views = await Promise.all(
      ['waiting', 'active', 'recorded', 'done'].map((name) => findJobView(jobs, ids[name] ?? '')),
    );
    assert.deepEqual(
      views.map(({ status, error }) => [status, error?.code]),
      [
        ['unknown', 'interrupted'],
        ['unknown', 'interrupted'],
        ['sent', undefined],
        ['sent', undefined],
      ],
    );
    await assert.rejects(findJobView(jobs, ids.old ?? ''), /no job/);
    assert.deepEqual(await target.redis.keys('{wa}:sends-default:{wait,active}'), []);
    const stored = await Promise.all(
      (await target.redis.keys('{wa}:sends-default:m-*')).map((key) => target.redis.hget(key, 'data')),
    );
    assert.equal(stored.length, 4);
    assert.ok(stored.every((data) => JSON.parse(data ?? '').message === null));
  });

  it('keeps what the target knows of a send since the backup', async () => {
    const made = await linkedMachine();
    const { waiting = '' } = await addSends(source.redis);
    await backUp(made);
    const settled = { timestamp: 1, data: JSON.stringify(job), returnvalue: JSON.stringify(sent) };
    await target.redis.hset(`{wa}:sends-default:${waiting}`, { ...settled, finishedOn: Date.now() });
    await restore(machineOn(target));
    const view = await findJobView(createJobReader(target.redis, session), waiting);
    assert.equal(view.status, 'sent');
  });

  it('restores events under their ids, and the numbers behind hidden ids', async () => {
    const made = await linkedMachine();
    const writer = await claimToWrite(source.redis);
    await source.redis.set(k.account, `4 ${wid}`);
    for (let n = 0; n < 3; n++) await writer.messages(...Array.from({ length: 150 }, (_, i) => `${n} ${i}`));
    await rememberNumbers(source.redis, session, writer.fence, wid, [
      { lid: '77@lid', phone: '491511234567' },
    ]);
    const before = await source.redis.xrange(k.events, '-', '+');
    await backUp(made);
    assert.equal((await restore(machineOn(target))).events, 450);
    assert.deepEqual(await target.redis.xrange(k.events, '-', '+'), before);
    assert.deepEqual(await readNumbers(target.redis, session, wid, ['77@lid']), ['491511234567']);
    assert.equal(await target.redis.get(k.account), `1 ${wid}`);
    // The account goes on where it was: its next event comes after them, and a link of it deletes nothing.
    const next = await claimToWrite(target.redis);
    await next.publish({ account: { wid, pushname: null, platform: null } });
    assert.ok((await target.redis.xlen(k.events)) > 450);
    await next.publish({ account: { wid: '1@c.us', pushname: null, platform: null } });
    assert.ok((await target.redis.xlen(k.events)) < 10, 'the link of another account deletes them');
  });

  it('leaves out what is volatile or secret, and starts nothing', async () => {
    const made = await linkedMachine();
    await addSends(source.redis);
    const volatile = [loginKey('a'), qrLinkKey('b'), `${limitsPrefix}:login:c`, answerKey(session, 'r')];
    for (const key of [...volatile, k.intent, k.qrPng, k.endedStart]) await source.redis.set(key, '{}');
    await source.redis.hset(commandRoomKey(session, 'sends'), 'x', '1:1');
    await source.redis.hset(k.quarantineIndex, '{wa}:x', '{}');
    await backUp(made);
    await restore(machineOn(target));
    const names = (await target.redis.keys('*')).map((key) => key.replace(/m-[\da-f-]{36}$/, 'm-'));
    assert.deepEqual(
      [...new Set(names)].sort(),
      [
        k.account,
        k.snapshot,
        k.backupSummary,
        k.events,
        k.fence,
        k.heartbeat,
        k.outcome,
        k.state,
        k.wiped,
        eventIndexKey,
        '{wa}:sends-default:completed',
        '{wa}:sends-default:m-',
        '{wa}:sessions:meta',
      ].sort(),
    );
    assert.equal(await target.redis.get(k.heartbeat), 'ended', 'no supervisor starts it by itself');
  });

  it('backs up what it can read of a session with unusable keys', async () => {
    const made = await linkedMachine();
    const ids = await addSends(source.redis);
    await source.redis.hset(`{wa}:sends-default:${ids.waiting}`, 'data', 'no JSON');
    await source.redis.set(attemptKey(session, ids.active ?? ''), 'no JSON');
    await source.redis.del(`{wa}:sends-default:${ids.done}`);
    await source.redis.set(`{wa}:sends-default:${ids.done}`, 'no hash');
    for (const key of [k.lids, k.wiped, k.heartbeat]) await source.redis.lpush(key, 'x');
    await source.redis.lpush('{wa}:sends-default:wait', 'no id: of ours');
    await source.redis.hset('{wa}:sends-default:no id: of ours', 'timestamp', '1');
    await source.redis.xadd(k.events, '9999999999999999-1', 'type', 'x');
    const { counts, problem } = await backUp(made);
    assert.deepEqual(counts, { settledSends: 2, unsettledSends: 2, events: 0 });
    assert.equal(problem, `its numbers cannot be read: the key ${k.lids} in Redis has a wrong type`);
    await restore(machineOn(target));
    assert.equal(
      JSON.parse((await target.redis.hget(`{wa}:sends-default:${ids.active}`, 'returnvalue')) ?? '').status,
      'unknown',
    );
  });

  it('says which of its keys have a wrong type, each time, and leaves them as they are', async () => {
    const made = await linkedMachine();
    await addSends(source.redis);
    const keys = [k.account, '{wa}:sends-default:paused', k.events, k.lids];
    for (const key of keys) {
      await source.redis.unlink(key);
      await source.redis.hset(key, 'x', 'x');
    }
    await source.redis.unlink(k.lids);
    await source.redis.set(k.lids, 'x');
    const wrong = (what: string, key = '') =>
      `${what} cannot be read: the key ${key} in Redis has a wrong type`;
    const whats = ['its account', 'some of its sends', 'its events', 'its numbers'];
    for (const _ of ['once', 'again']) {
      const { counts, problem } = await backUp(made);
      assert.deepEqual(
        problem?.split('; '),
        whats.map((what, n) => wrong(what, keys[n])),
      );
      assert.deepEqual(counts, { settledSends: 3, unsettledSends: 2, events: 0 });
    }
    assert.equal(await source.redis.exists(...keys), keys.length);
    assert.deepEqual(await source.redis.keys('{wa}:aside*'), []);
    const there = machineOn(target);
    await restore(there);
    assert.equal(await loginIn(there), 'the login');
  });

  it('needs no other rights than the product, and runs on a cluster', async () => {
    const acl = join(scratchDir(), 'users.acl');
    writeFileSync(acl, `${accessList()}user admin on >admin ~* &* +@all\n`);
    const connection = { username: 'admin', password: 'admin' };
    const limited = await startRedisNode({ settings: [`aclfile ${acl}`], connection });
    const cluster = await startRedisCluster();
    try {
      const made = await linkedMachine();
      await addSends(source.redis);
      await source.redis.set(k.account, `1 ${wid}`);
      const writer = await claimToWrite(source.redis);
      await writer.messages('one', 'two');
      await rememberNumbers(source.redis, session, writer.fence, wid, [
        { lid: '77@lid', phone: '491511234567' },
      ]);
      await backUp(made);
      const first = machineOn(limited, undefined, `redis://holdline:change-me@127.0.0.1:${limited.port}`);
      await restore(first);
      assert.equal(await loginIn(first), 'the login');
      await backUp(first);
      const second = machineOn(cluster.nodes[0] as RedisNode, undefined, cluster.url);
      assert.deepEqual((await restore(second)).events, 2);
      await backUp(second);
      const third = machineOn(target);
      assert.deepEqual((await restore(third)).sends, 4);
      assert.equal(await loginIn(third), 'the login');
    } finally {
      await Promise.all([limited.close(), cluster.close()]);
    }
  });
});
