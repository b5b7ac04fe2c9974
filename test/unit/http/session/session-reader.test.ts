import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createSessionReader, UnreadableStateError } from '../../../../src/http/session/session-reader.js';
import type { Redis } from '../../../../src/platform/redis/connection.js';

const configured = { session: 'default', authDir: '', chromeExecutable: '', headless: true };

for (const stored of ['no{', '{}', '"ready"']) {
  it(`the state ${stored} in Redis is an error that says how to get a new one`, async () => {
    const reader = createSessionReader(
      { mget: async () => [stored, 'live'] } as unknown as Redis,
      configured,
    );
    await assert.rejects(reader.status({ boundTo: null }), (error: unknown) => {
      assert.ok(error instanceof UnreadableStateError);
      assert.equal(error.code, 'internal_error');
      assert.match(error.message, /the state of this session in Redis cannot be read;.* start the session/);
      return true;
    });
  });
}
