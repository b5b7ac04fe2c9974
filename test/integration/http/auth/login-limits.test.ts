import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import type { ApiKey } from '../../../../src/contract/access.js';
import type { BoundName } from '../../../../src/contract/bounds.js';
import { limitsPrefix, loginIndexKey, sessionKeys } from '../../../../src/contract/keys.js';
import { defaultSession } from '../../../../src/contract/names.js';
import { createApiKeys } from '../../../../src/http/auth/api-keys.js';
import { createBrowserLogins } from '../../../../src/http/auth/browser-logins.js';
import { createCheckGrants } from '../../../../src/http/auth/grants.js';
import { withLoginLimits } from '../../../../src/http/auth/login-limits.js';
import { createMadeKeys } from '../../../../src/http/auth/made-keys.js';
import { createRateLimits } from '../../../../src/http/auth/rate-limits.js';
import { openRedis, type RedisForData } from '../../../support/shared-redis.js';

describe('login limits', () => {
  let server: RedisForData;
  let redis: Redis;
  let met: BoundName[] = [];
  const onBound = (bound: BoundName) => void met.push(bound);
  const [ada, bob] = ['ada', 'bob'].map(
    (name): ApiKey => ({ name, scope: 'admin', sha256: name.padEnd(64, '0'), sessions: null }),
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

  const apiKeys = createApiKeys([ada, bob]);
  const logins = () =>
    withLoginLimits(createBrowserLogins(redis, apiKeys, createMadeKeys(redis)), redis, onBound);
  const by = (keyName: string) => ({ keyName, via: 'key' as const });
  const count = async (pattern: string) => (await redis.keys(pattern)).length;

  it('end the oldest login of a key when it has one too many, and none of another key', async () => {
    const { openLogin } = logins();
    await openLogin(bob);
    const [first] = [await openLogin(ada)];
    await openLogin(ada);
    for (let n = 2; n < 100; n++) await openLogin(ada);
    assert.deepEqual([await count('*:login:*'), met], [101, []]);
    await openLogin(ada);
    assert.deepEqual([await count('*:login:*'), met], [101, ['logins']]);
    assert.ok(first);
    assert.ok((await redis.pttl(loginIndexKey('logins:ada'))) > 0);
  });

  it('end the oldest QR link of a key when it has one too many', async () => {
    const { makeQrLink, sessionOfQrLink } = logins();
    const first = await makeQrLink(defaultSession, by('ada'), 60);
    for (let n = 1; n < 100; n++) await makeQrLink(defaultSession, by('ada'), 600);
    assert.deepEqual([await sessionOfQrLink(first), met], [defaultSession, []]);
    const last = await makeQrLink(defaultSession, by('ada'), 30);
    assert.deepEqual(
      [await sessionOfQrLink(first), await sessionOfQrLink(last), met],
      [null, defaultSession, ['qrLinks']],
    );
  });

  it('end the oldest guest login when all keys together have one too many', async () => {
    const { makeQrLink, openGuestLogin, find } = logins();
    const open = async (maker: string) =>
      (await openGuestLogin(defaultSession, await makeQrLink(defaultSession, by(maker), 600), true)) ?? '';
    for (let n = 0; n < 1_000; n++) await open('ada');
    assert.deepEqual([await count('*:qr-visit:*'), met], [1_000, []]);
    const last = await open('bob');
    assert.deepEqual([await count('*:qr-visit:*'), met], [1_000, ['qrVisits']]);
    assert.equal((await find(defaultSession, [], [last]))?.login.kind, 'guest');
  });

  it('leave a QR link and its guest login to the session of the link', async () => {
    const { makeQrLink, sessionOfQrLink, openGuestLogin, find } = logins();
    const check = createCheckGrants(redis, apiKeys);
    const token = await makeQrLink(defaultSession, by('ada'), 600);
    assert.deepEqual(
      [await sessionOfQrLink(token), await openGuestLogin('other', token, true)],
      [defaultSession, null],
    );
    const id = (await openGuestLogin(defaultSession, token, true)) ?? '';
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

  it('refuse login attempts beyond the total of all addresses', async () => {
    const limits = createRateLimits(redis, 0);
    await limits.countLoginAttempt('203.0.113.1');
    const store = { storeClient: redis, keyPrefix: `${limitsPrefix}:all-logins` };
    const all = new RateLimiterRedis({ ...store, points: 20_000, duration: 900 });
    await all.penalty('all', 19_998);
    await limits.countLoginAttempt('203.0.113.2');
    await assert.rejects(limits.countLoginAttempt('203.0.113.3'), {
      message: /^more than 20000 login attempts .*try again in \d+ s$/,
      bound: 'loginTries',
    });
    assert.equal(await redis.exists(`${limitsPrefix}:logins:203.0.113.3`), 0);
  });
});
