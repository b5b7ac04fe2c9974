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

it('the client has the address that a proxy names, with or without a port', () => {
  assert.equal(from('203.0.113.7'), '203.0.113.7');
  assert.equal(from('203.0.113.7:51234'), '203.0.113.7');
  assert.equal(from('[2001:db8:1:2::7]:51234'), '2001:db8:1:2::/64');
  assert.equal(from('[2001:db8:1:2::7]'), '2001:db8:1:2::/64');
  assert.equal(from('2001:db8:1:2::7'), '2001:db8:1:2::/64');
  assert.equal(from('::ffff:203.0.113.7'), '203.0.113.7');
});

it('the client has the address of the proxy when the header has no address', () => {
  for (const invalid of ['unknown', '203.0.113.7:', ':80', '[203.0.113.7', ''])
    assert.equal(from(invalid), '127.0.0.1', invalid);
});
