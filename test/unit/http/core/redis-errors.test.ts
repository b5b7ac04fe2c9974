import assert from 'node:assert/strict';
import { it } from 'node:test';
import { viaRedis } from '../../../../src/http/core/redis-errors.js';
import { redisErrors } from '../../../support/refusals/errors.js';

const callRefusedWith = (message: string) =>
  viaRedis(() => Promise.reject(Object.assign(new Error(message), { name: 'ReplyError' })));

it('a full, a refusing and a silent Redis have different messages', async () => {
  const code = 'redis_unavailable';
  const oom = "OOM command not allowed when used memory > 'maxmemory'.";
  await assert.rejects(callRefusedWith(oom), { code, message: /no memory left/ });
  await assert.rejects(callRefusedWith(`ERR Error running script: @user_script:2: -${oom}`), {
    code,
    message: /no memory left/,
  });
  await assert.rejects(callRefusedWith('LOADING Redis is loading the dataset in memory'), {
    code,
    message: /refuses this now/,
  });
  await assert.rejects(
    viaRedis(() => Promise.reject(new Error('Command timed out'))),
    { code, message: /does not answer/ },
  );
});

it('every refusal of Redis is redis_unavailable; an error of our own is not', async () => {
  for (const message of Object.values(redisErrors)) {
    await assert.rejects(callRefusedWith(message), { code: 'redis_unavailable' }, message);
  }
  await assert.rejects(
    callRefusedWith('WRONGTYPE Operation against a key holding the wrong kind of value'),
    /WRONGTYPE/,
  );
});
