import assert from 'node:assert/strict';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { timingSchema } from '../../../src/contract/timing.js';
import { checkProfile, findDesktopBrowser } from '../../../src/passkey/desktop-browser.js';
import { Gateway } from '../../../src/passkey/gateway.js';
import { freePort } from '../../support/free-port.js';
import { assertNothingLeft } from '../../support/leftovers.js';
import { ScriptedGateway } from '../../support/owner-desktop.js';

const { signal } = new AbortController();

describe('what npm run passkey says of a server that does not fit', () => {
  after(assertNothingLeft);

  const error = (code: string, message = 'a sentence') => ({ error: { code, message } });
  for (const [title, reply, why] of [
    [
      'a wrong key',
      [401, error('unauthorized')],
      /does not take this key: give an admin key in HOLDLINE_KEY/,
    ],
    [
      'a key that is not for admins',
      [403, error('forbidden', 'needs admin')],
      /refuses this: needs admin \(forbidden\)/,
    ],
    ['an old Holdline', [404, error('not_found')], /knows no passkeys: its Holdline is too old/],
    ['another program', [404, '<html>'], /answers 404, and not as Holdline does: .*path of a proxy/],
    ['another program that is content', [200, { hello: 1 }], /in a form that this program does not know/],
    ['a redirect', [302, '', { location: 'https://elsewhere.example' }], /redirects to another URL/],
    ['a proxy without its server', [502, '<html>'], /answers 502 now$/],
    ['an endless answer', [200, 'x'.repeat(300_000)], /its answer is too long/],
  ] as const) {
    it(title, async () => {
      const server = new ScriptedGateway(() => reply);
      try {
        const gateway = new Gateway(await server.listen(), 'hl_secret');
        const says = (thrown: Error) => why.test(thrown.message) && !thrown.message.includes('hl_secret');
        await assert.rejects(gateway.request(signal), says);
        assert.equal(server.calls.length, 1);
      } finally {
        await server.close();
      }
    });
  }

  it('nobody who listens, and HTTP where HTTPS was meant', async () => {
    const gone = new Gateway(`http://127.0.0.1:${await freePort()}`, undefined);
    await assert.rejects(gone.request(signal), /cannot be reached \(.*ECONNREFUSED.*\): check --url/);
    const server = new ScriptedGateway(() => [200, {}]);
    const url = await server.listen();
    try {
      const gateway = new Gateway(url.replace('http', 'https'), undefined);
      await assert.rejects(gateway.request(signal), /this is not HTTPS/);
    } finally {
      await server.close();
    }
  });

  it('waits for what it sends as long as the server may', async (context) => {
    const server = new ScriptedGateway(() => [202, { ok: true }]);
    const timers = context.mock.method(globalThis, 'setTimeout');
    try {
      const gateway = new Gateway(await server.listen(), undefined);
      await gateway.confirm('r1', 'K7QX2M4P', signal);
      const deadlineMs = Math.max(...timers.mock.calls.map((call) => Number(call.arguments[1] ?? 0)));
      assert.ok(deadlineMs > timingSchema.parse({}).commandWaitMs, `${deadlineMs}`);
    } finally {
      await server.close();
    }
  });

  it('a URL or a key that cannot be used', () => {
    for (const [url, why] of [
      ['gateway', /--url is not a URL: give .*https:\/\/gateway\.example/],
      ['ftp://gateway', /must begin with https/],
      ['https://a:b@gateway', /must not have a user or a password/],
    ] as const) {
      assert.throws(() => new Gateway(url, undefined), why);
    }
    assert.throws(() => new Gateway('https://g', 'a\nb'), /the key has a character/);
    assert.equal(new Gateway('https://g/wa//?x=1#y', undefined).url, 'https://g/wa');
  });
});

describe('the browser of the desktop', () => {
  it('is the named one, and a wrong name is an error', () => {
    assert.equal(findDesktopBrowser(process.execPath, ''), process.execPath);
    assert.throws(() => findDesktopBrowser('/nowhere/chrome', ''), /is not an executable file/);
  });

  it('does not take a default profile', async () => {
    for (const path of [
      '.config/google-chrome',
      '.config/chromium/Default',
      'AppData/Local/Google/Chrome/User Data',
    ]) {
      await assert.rejects(checkProfile(join(homedir(), path)), /since version 136/);
    }
    await checkProfile(join(homedir(), '.config/google-chrome-of-holdline'));
  });
});
