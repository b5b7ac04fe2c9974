import assert from 'node:assert/strict';
import { it } from 'node:test';
import { isRedisOutage } from '../../../src/platform/data-errors.js';
import { redisErrors } from '../../support/refusals/errors.js';

const named = (name: string, message: string) => Object.assign(new Error(message), { name });

it('an outage of Redis is told from a mistake in a command and from a defect', () => {
  for (const error of [
    named('MaxRetriesPerRequestError', 'Reached the max retries per request limit (which is 0).'),
    named('ClusterAllFailedError', 'Failed to refresh slots cache.'),
    named('Error', "Stream isn't writeable and enableOfflineQueue options is false"),
    named('Error', 'Command timed out'),
    named('Error', 'Connection is closed.'),
    named('ReplyError', 'LOADING Redis is loading the dataset in memory'),
    named('ReplyError', "READONLY You can't write against a read only replica."),
    named('ReplyError', redisErrors.OOM),
  ]) {
    assert.ok(isRedisOutage(error), error.message);
  }
  for (const error of [
    named('ReplyError', "ERR wrong number of arguments for 'get' command"),
    named('Error', 'the record has no field'),
    new TypeError('x is undefined'),
  ]) {
    assert.ok(!isRedisOutage(error), error.message);
  }
});
