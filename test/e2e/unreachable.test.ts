import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import type { Status } from '../../src/contract/status.js';
import type { Product } from '../support/product.js';
import { Stage } from '../support/stage.js';

/** web.whatsapp.com as it is on a closed machine or on a bad day. */
let stage: Stage;
let product: Product;

const timing = { startDeadlineMs: 4_000, backoffBaseMs: 200, backoffMaxMs: 400 };

before(async () => {
  stage = await Stage.open();
});
afterEach(async () => {
  await stage.whatsApp.faults.clear();
  await product.end('SIGTERM');
});
after(() => stage.close());

async function startAgainst(chromeArgs: string): Promise<Status> {
  product = stage.start('all', {
    WHATSAPP_TIMING: JSON.stringify(timing),
    WHATSAPP_RESTARTS_MAX: '3',
    ...(chromeArgs === '' ? {} : { WHATSAPP_CHROME_ARGS: chromeArgs }),
  });
  return product.post<Status>('/api/auth/start');
}

const network = [
  {
    what: 'a name that does not resolve',
    args: '--host-resolver-rules="MAP web.whatsapp.com ~NOTFOUND"',
    lastError: 'web.whatsapp.com cannot be reached: its name could not be resolved (ERR_NAME_NOT_RESOLVED)',
  },
  {
    what: 'a refused connection',
    args: '--host-resolver-rules="MAP web.whatsapp.com:443 127.0.0.1:1"',
    lastError: 'web.whatsapp.com cannot be reached: the connection was refused (ERR_CONNECTION_REFUSED)',
  },
];

for (const { what, args, lastError } of network) {
  test(`${what} is one readable sentence, tried again for as long as it takes`, async () => {
    const status = await startAgainst(args);
    assert.equal(status.state, 'disconnected');
    assert.equal(status.last_error, lastError);
    // More often than the restart limit, which an outage of the network must not touch.
    const later = await product.until((s) => s.restarts > 4, 'it is tried again');
    assert.equal(later.last_error, lastError);
    assert.ok(['starting', 'disconnected'].includes(later.state));
  });
}

const servers = [
  { server: 'error-500', lastError: /^web\.whatsapp\.com cannot be reached: it answered HTTP 500/ },
  { server: 'silent', lastError: /^web\.whatsapp\.com cannot be reached: it did not answer within 4 s/ },
  { server: 'reset', lastError: /^web\.whatsapp\.com cannot be reached: .*\(ERR_/ },
  {
    server: 'scripts-stall',
    lastError: /^web\.whatsapp\.com cannot be reached: it did not answer within 4 s/,
  },
] as const;

for (const { server, lastError } of servers) {
  test(`a server that is "${server}" is named, and the session starts once it is back`, async () => {
    await stage.whatsApp.faults.set({ server });
    const status = await startAgainst('');
    assert.equal(status.state, 'disconnected');
    assert.match(status.last_error ?? '', lastError);
    await stage.whatsApp.faults.clear();
    const up = await product.until((s) => s.has_qr, 'a QR once it is back');
    assert.equal(up.last_error, null);
  });
}
