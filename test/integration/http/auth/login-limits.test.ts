import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import type { ApiKey } from '../../../../src/contract/access.js';
import { type BoundName, bounds } from '../../../../src/contract/bounds.js';
import { limitsPrefix, loginIndexKey, sessionKeys } from '../../../../src/contract/keys.js';
import { defaultSession } from '../../../../src/contract/names.js';
import { createApiKeys } from '../../../../src/http/auth/api-keys.js';
import { createBrowserLogins } from '../../../../src/http/auth/browser-logins.js';
import { withLoginLimits } from '../../../../src/http/auth/login-limits.js';
import { createRateLimits } from '../../../../src/http/auth/rate-limits.js';
import { openRedis, type RedisForData } from '../../../support/shared-redis.js';

describe('logins and links of each kind', () => {
  let server: RedisForData;
  let redis: Redis;
  let met: BoundName[] = [];
  const onBound = (bound: BoundName) => void met.push(bound);
  const [ada, bob] = ['ada', 'bob'].map(
    (name): ApiKey => ({ name, scope: 'admin', sha256: name.padEnd(64, '0') }),
  ) as [ApiKey, ApiKey];

  before(async () => {
    server = await openRedis();
    redis = new Redis(server.url);
  });
  afterEach(async () => {
    met = [];
    await redis.flushdb();
  });
  after(async () => {
    redis.disconnect();
    await server.stop();
  });

  const logins = () => withLoginLimits(createBrowserLogins(redis, createApiKeys([ada, bob])), redis, onBound);
  const count = async (pattern: string) => (await redis.keys(pattern)).length;

  it('are so many logins of a key; one more ends the oldest, and none of another key', async () => {
    const { openLogin } = logins();
    await openLogin(bob);
    const [first] = [await openLogin(ada)];
    await openLogin(ada);
    for (let n = 2; n < bounds.logins; n++) await openLogin(ada);
    assert.deepEqual([await count('*:login:*'), met], [bounds.logins + 1, []]);
    await openLogin(ada);
    assert.deepEqual([await count('*:login:*'), met], [bounds.logins + 1, ['logins']]);
    assert.ok(first);
    assert.ok((await redis.pttl(loginIndexKey('logins:ada'))) > 0);
  });

  it('are so many QR links of a key', async () => {
    const { makeQrLink, isQrLink } = logins();
    const first = await makeQrLink(defaultSession, 'ada', 60);
    for (let n = 1; n < bounds.qrLinks; n++) await makeQrLink(defaultSession, 'ada', 600);
    assert.deepEqual([await isQrLink(defaultSession, first), met], [true, []]);
    const last = await makeQrLink(defaultSession, 'ada', 30);
    assert.deepEqual(
      [await isQrLink(defaultSession, first), await isQrLink(defaultSession, last), met],
      [false, true, ['qrLinks']],
    );
  });

  it('are so many opened QR links, of whichever key', async () => {
    const { makeQrLink, openGuestLogin, find } = logins();
    const open = async (maker: string) =>
      (await openGuestLogin(defaultSession, await makeQrLink(defaultSession, maker, 600))) ?? '';
    for (let n = 0; n < bounds.qrVisits; n++) await open('ada');
    assert.deepEqual([await count('*:qr-visit:*'), met], [bounds.qrVisits, []]);
    const last = await open('bob');
    assert.deepEqual([await count('*:qr-visit:*'), met], [bounds.qrVisits, ['qrVisits']]);
    assert.equal((await find(defaultSession, [], [last]))?.kind, 'guest');
  });

  it('are of the session that their link was made for, and of no other', async () => {
    const { makeQrLink, isQrLink, openGuestLogin, find, check } = logins();
    const token = await makeQrLink(defaultSession, 'ada', 600);
    assert.deepEqual([await isQrLink('other', token), await openGuestLogin('other', token)], [false, null]);
    const id = (await openGuestLogin(defaultSession, token)) ?? '';
    assert.equal(await find('other', [], [id]), null);
    const login = await find(defaultSession, [], [id]);
    assert.ok(login);
    assert.deepEqual(
      (await check([login])).map(({ isValid }) => isValid),
      [true],
    );
    await redis.set(sessionKeys('other').account, '1 15551234567@c.us');
    assert.deepEqual(
      (await check([login])).map(({ isValid }) => isValid),
      [true],
    );
    await redis.set(sessionKeys(defaultSession).account, '1 15551234567@c.us');
    assert.deepEqual(
      (await check([login])).map(({ isValid }) => isValid),
      [false],
    );
  });

  it('are so many tries to log in, from however many addresses', async () => {
    const limits = createRateLimits(redis, 0);
    await limits.countLoginAttempt('203.0.113.1');
    const store = { storeClient: redis, keyPrefix: `${limitsPrefix}:all-logins` };
    const all = new RateLimiterRedis({ ...store, points: bounds.loginTries, duration: 900 });
    await all.penalty('all', bounds.loginTries - 2);
    await limits.countLoginAttempt('203.0.113.2');
    await assert.rejects(limits.countLoginAttempt('203.0.113.3'), {
      message: /^more than 20000 login attempts .*try again in \d+ s$/,
      bound: 'loginTries',
    });
    assert.equal(await redis.exists(`${limitsPrefix}:logins:203.0.113.3`), 0);
  });
});
