import assert from 'node:assert/strict';
import { after, beforeEach, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { sessionKeys } from '../../../src/contract/keys.js';
import { type Fence, formatFence } from '../../../src/contract/status.js';
import type { Person } from '../../../src/contract/whatsapp.js';
import { readNumbers, rememberNumbers } from '../../../src/platform/store/lid-map.js';
import { PhoneCompleter } from '../../../src/session-worker/phone-completer.js';
import { eventually } from '../../support/eventually.js';
import { assertNothingLeft } from '../../support/leftovers.js';
import { onBound } from '../../support/on-bound.js';
import { openRedis } from '../../support/shared-redis.js';

const server = await openRedis();
const redis = new Redis(server.url);
after(async () => {
  redis.disconnect();
  await server.stop();
  await assertNothingLeft();
});

const { lids: key, fence: fenceKey } = sessionKeys('default');
const fence: Fence = { epoch: 2, incarnation: 1 };
const account = '15550001111@c.us';
const lid = '123456@lid';

function person(fields: Partial<Person> = {}): Person {
  return { id: lid, phone: null, lid, name: null, ...fields };
}

describe('numbers behind hidden ids', () => {
  beforeEach(async () => {
    await redis.flushdb();
    await redis.set(fenceKey, formatFence(fence));
  });

  function people(of: string | null = account, run: Fence = fence): PhoneCompleter {
    const runOf = () => ({ session: 'default', ...run });
    return new PhoneCompleter(redis, runOf, () => of, pino({ level: 'silent' }), onBound);
  }

  it('are remembered for the account and filled in later', async () => {
    await people().complete([person({ phone: '15551234567' })]);
    await eventually(async () => {
      const [known, other, absent] = await people().complete([
        person(),
        person({ id: '9@lid', lid: '9@lid' }),
        null,
      ]);
      assert.equal(known?.phone, '15551234567');
      assert.equal(other?.phone, null);
      assert.equal(absent, null);
      return true;
    });
  });

  it('are hidden from another account, and deleted when another one is linked', async () => {
    await rememberNumbers(redis, 'default', fence, account, [{ lid, phone: '15551234567' }]);
    assert.deepEqual(await readNumbers(redis, 'default', '15559999999@c.us', [lid]), [null]);
    await rememberNumbers(redis, 'default', fence, '15559999999@c.us', [
      { lid: '7@lid', phone: '15557777777' },
    ]);
    assert.deepEqual(await readNumbers(redis, 'default', account, [lid]), [null]);
    assert.equal(await redis.hlen(key), 2);
  });

  it('are at most 50,000: one more is not kept, but a kept one can change', async () => {
    const most = 50_000;
    const numbers = (from: number, count: number) =>
      Array.from({ length: count }, (_, n) => ({ lid: `${from + n}@lid`, phone: String(from + n) }));
    for (let from = 1; from < most; from += 1_000) {
      await rememberNumbers(redis, 'default', fence, account, numbers(from, Math.min(1_000, most - from)));
    }
    assert.equal(await rememberNumbers(redis, 'default', fence, account, numbers(most, 1)), most + 1);
    await rememberNumbers(redis, 'default', fence, account, [
      ...numbers(most + 1, 1),
      { lid: '1@lid', phone: '99' },
    ]);
    const lids = [`${most}@lid`, `${most + 1}@lid`, '1@lid'];
    assert.deepEqual(await readNumbers(redis, 'default', account, lids), [String(most), null, '99']);
  });

  it('follow a change of the number', async () => {
    const same = people();
    await same.complete([person({ phone: '15551234567' })]);
    await same.complete([person({ phone: '15557654321' })]);
    await eventually(async () => (await people().complete([person()]))[0]?.phone === '15557654321');
  });

  it('are not changed by a run that was lost, nor by an earlier incarnation', async () => {
    await people().complete([person({ phone: '15551234567' })]);
    for (const lost of [
      { ...fence, epoch: 1 },
      { ...fence, incarnation: 0 },
    ]) {
      const late = people('15559999999@c.us', lost);
      assert.deepEqual(await late.complete([person({ phone: '1666' })]), [person({ phone: '1666' })]);
    }
    assert.deepEqual(await readNumbers(redis, 'default', account, [lid]), ['15551234567']);
  });

  it('are stored later if the run claims its fence again meanwhile', async () => {
    const run = { ...fence, epoch: 3 };
    const later = people(account, run);
    await later.complete([person({ phone: '15551234567' })]);
    assert.equal(await redis.exists(key), 0);
    await redis.set(fenceKey, formatFence(run));
    await later.complete([person({ phone: '15551234567' })]);
    assert.deepEqual(await readNumbers(redis, 'default', account, [lid]), ['15551234567']);
  });

  it('are left out when they cannot be stored', async () => {
    await redis.set(key, 'no hash');
    assert.deepEqual(await people().complete([person()]), [person()]);
    assert.deepEqual(await people().complete([person({ phone: '1555' })]), [person({ phone: '1555' })]);
    assert.deepEqual(await people(null).complete([person()]), [person()]);
  });

  it('are read from Redis once', async () => {
    await rememberNumbers(redis, 'default', fence, account, [{ lid, phone: '15551234567' }]);
    const some = people();
    await eventually(async () => (await some.complete([person()]))[0]?.phone === '15551234567');
    await redis.del(key);
    assert.equal((await some.complete([person()]))[0]?.phone, '15551234567');
  });
});
