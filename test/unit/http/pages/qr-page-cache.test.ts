import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { localAdmin } from '../../../../src/http/auth/authenticate.js';
import type { Caller } from '../../../../src/http/core/caller.js';
import { topPlace } from '../../../../src/http/pages/place.js';
import { createQrPageCache } from '../../../../src/http/pages/qr-page-cache.js';
import { passkeySituation, qrSituation, withQr } from '../../../support/qr-situation.js';

const baseUrl = 'http://localhost:8790';
const rights = { needsKey: false, isOperator: true };
const guest: Caller = { keyName: '', scope: 'guest', via: 'cookie', boundTo: null };
function viewWith(number: number, expires_at: string | null = null) {
  return withQr(`image-${number}`, number, expires_at);
}

describe('the cache of the /qr page', () => {
  it('never gives the request for a passkey to a viewer who must not answer it', () => {
    const show = createQrPageCache(topPlace);
    const asked = passkeySituation('answer');
    const text = (isOperator: boolean) =>
      show(asked, { caller: localAdmin, baseUrl, needsKey: false, isOperator }).toString();
    assert.match(text(true), /navigator\.credentials/);
    assert.doesNotMatch(text(false), /navigator\.credentials/);
  });

  it('renders the page once for each state of the session', () => {
    const show = createQrPageCache(topPlace);
    const first = viewWith(1);
    const page = show(first, { caller: localAdmin, baseUrl, ...rights });
    assert.equal(show(first, { caller: localAdmin, baseUrl, ...rights }), page);
    assert.match(show(viewWith(2), { caller: localAdmin, baseUrl, ...rights }).toString(), /image-2/);
    assert.match(show(first, { caller: localAdmin, baseUrl, ...rights }).toString(), /image-1/);
  });

  it('renders again for each second that a code has left', () => {
    mock.timers.enable({ apis: ['Date'], now: Date.parse('2026-01-01T00:00:00.000Z') });
    try {
      const show = createQrPageCache(topPlace);
      const code = viewWith(1, '2026-01-01T00:00:17.000Z');
      assert.match(show(code, { caller: localAdmin, baseUrl, ...rights }).toString(), /in 17 s/);
      mock.timers.tick(1_000);
      assert.match(show(code, { caller: localAdmin, baseUrl, ...rights }).toString(), /in 16 s/);
    } finally {
      mock.timers.reset();
    }
  });

  it('never shows the page of another kind of viewer or of another host', () => {
    const show = createQrPageCache(topPlace);
    const stopped = qrSituation('stopped');
    const own = show(stopped, { caller: localAdmin, baseUrl, ...rights }).toString();
    const others = show(stopped, { caller: guest, baseUrl, ...rights }).toString();
    assert.match(own, /curl/);
    assert.doesNotMatch(others, /curl|localhost/);
    assert.equal(show(stopped, { caller: guest, baseUrl: 'http://other', ...rights }).toString(), others);
    assert.match(
      show(stopped, { caller: localAdmin, baseUrl: 'http://other', ...rights }).toString(),
      /http:\/\/other\//,
    );
    const cookie: Caller = { keyName: 'a', scope: 'admin', via: 'cookie', boundTo: null };
    assert.match(show(stopped, { caller: cookie, baseUrl, ...rights }).toString(), /Sign out/);
    assert.doesNotMatch(show(stopped, { caller: localAdmin, baseUrl, ...rights }).toString(), /Sign out/);
  });

  it('keeps few pages, whatever hosts it is requested at', () => {
    const show = createQrPageCache(topPlace);
    const code = viewWith(1);
    const first = show(code, { caller: localAdmin, baseUrl, ...rights });
    for (let port = 1; port <= 16; port++)
      show(code, { caller: localAdmin, baseUrl: `${baseUrl}:${port}`, ...rights });
    assert.notEqual(show(code, { caller: localAdmin, baseUrl, ...rights }), first);
  });
});
