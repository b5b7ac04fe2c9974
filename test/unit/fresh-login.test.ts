import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { pino } from 'pino';
import { FreshLogin } from '../../src/supervisor/fresh-login.js';
import { Profile } from '../../src/supervisor/profile.js';
import { assertNothingLeft, scratchDir } from '../support/leftovers.js';

after(assertNothingLeft);

const login = { WANoiseInfo: 'secret' };

/** A profile on which a login was kept by a browser that was then killed, as the next run finds it. */
async function leftByAKill() {
  const authDir = scratchDir();
  const log = pino({ level: 'silent' });
  const profile = new Profile(authDir, 'default');
  await profile.prepare(0, 1);
  await new FreshLogin(profile, log).keep(login);
  const freshLogin = new FreshLogin(profile, log);
  await freshLogin.load();
  freshLogin.browserStarts();
  return { freshLogin, stored: () => profile.readStorage() };
}

test('a browser that is stopped before its page was given the login leaves it for the next one', async () => {
  const { freshLogin, stored } = await leftByAKill();
  await freshLogin.browserEnded();
  assert.deepEqual(freshLogin.storage, login);
  assert.deepEqual(await stored(), login);
});

test('a browser that was ready on it has written it by the time it has ended by itself', async () => {
  const { freshLogin, stored } = await leftByAKill();
  freshLogin.settleAfter(60_000, Promise.resolve());
  await freshLogin.browserEnded();
  assert.equal(freshLogin.storage, null);
  assert.equal(await stored(), null);
});

test('what one browser had does not count for the next', async () => {
  const { freshLogin, stored } = await leftByAKill();
  freshLogin.settleAfter(60_000, Promise.resolve());
  freshLogin.browserStarts();
  await freshLogin.browserEnded();
  assert.deepEqual(await stored(), login);
});
