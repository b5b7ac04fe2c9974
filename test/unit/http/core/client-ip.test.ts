import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { it } from 'node:test';
import { createAddresses } from '../../../../src/http/core/client-ip.js';

const addresses = createAddresses(['127.0.0.1']);

function from(forwarded: string): string {
  const headers = { 'x-forwarded-for': forwarded };
  return addresses.of({
    ...{ socket: { remoteAddress: '127.0.0.1' }, headers, rawHeaders: ['X-Forwarded-For', forwarded] },
    headersDistinct: { 'x-forwarded-for': [forwarded] },
  } as unknown as IncomingMessage);
}

it('the address that a proxy names counts, with a port or without', () => {
  assert.equal(from('203.0.113.7'), '203.0.113.7');
  assert.equal(from('203.0.113.7:51234'), '203.0.113.7');
  assert.equal(from('[2001:db8:1:2::7]:51234'), '2001:db8:1:2::/64');
  assert.equal(from('[2001:db8:1:2::7]'), '2001:db8:1:2::/64');
  assert.equal(from('2001:db8:1:2::7'), '2001:db8:1:2::/64');
  assert.equal(from('::ffff:203.0.113.7'), '203.0.113.7');
});

it('what is no address leaves the proxy', () => {
  for (const odd of ['unknown', '203.0.113.7:', ':80', '[203.0.113.7', ''])
    assert.equal(from(odd), '127.0.0.1', odd);
});
