import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nameProxy } from '../../../src/supervisor/name-proxy.js';

const server = 'http://proxy.lan:3128';
const unreachable = (why: string) =>
  ({ reason: 'whatsapp_unreachable', message: `web.whatsapp.com cannot be reached: ${why}` }) as const;

test('a failure of the proxy names it, and any other on the way says through which proxy', () => {
  assert.equal(
    nameProxy(unreachable('the proxy could not be reached (ERR_PROXY_CONNECTION_FAILED)'), server).message,
    'web.whatsapp.com cannot be reached: the proxy proxy.lan:3128 could not be reached (ERR_PROXY_CONNECTION_FAILED)',
  );
  assert.equal(
    nameProxy(unreachable('it did not answer within 60 s (ERR_TIMED_OUT)'), server).message,
    'web.whatsapp.com cannot be reached: it did not answer within 60 s (ERR_TIMED_OUT), through the proxy proxy.lan:3128',
  );
});

test('without a proxy, and for any other reason, the sentence stays as it is', () => {
  const exit = unreachable('it answered HTTP 500');
  assert.equal(nameProxy(exit, null), exit);
  const crash = { reason: 'page_crashed', message: 'the page of WhatsApp Web crashed' } as const;
  assert.equal(nameProxy(crash, server), crash);
});
