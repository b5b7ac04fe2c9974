import assert from 'node:assert/strict';
import { it } from 'node:test';
import { viaRedis } from '../../../../src/http/session/redis-errors.js';
import { redisErrors } from '../../../support/refusals/errors.js';

const saying = (message: string) =>
  viaRedis(() => Promise.reject(Object.assign(new Error(message), { name: 'ReplyError' })));

it('a Redis that is full is said to be full, one that refuses to refuse, one that does not answer not to answer', async () => {
  const code = 'redis_unavailable';
  const oom = "OOM command not allowed when used memory > 'maxmemory'.";
  await assert.rejects(saying(oom), { code, message: /no memory left/ });
  await assert.rejects(saying(`ERR Error running script: @user_script:2: -${oom}`), {
    code,
    message: /no memory left/,
  });
  await assert.rejects(saying('LOADING Redis is loading the dataset in memory'), {
    code,
    message: /refuses this now/,
  });
  await assert.rejects(
    viaRedis(() => Promise.reject(new Error('Command timed out'))),
    { code, message: /does not answer/ },
  );
});

it('whatever a Redis refuses that is there is redis_unavailable to its caller', async () => {
  for (const message of Object.values(redisErrors)) {
    await assert.rejects(saying(message), { code: 'redis_unavailable' }, message);
  }
  await assert.rejects(
    saying('WRONGTYPE Operation against a key holding the wrong kind of value'),
    /WRONGTYPE/,
  );
});
