import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { pino } from 'pino';
import { FreshLogin } from '../../../../src/supervisor/browser/fresh-login.js';
import { Profile } from '../../../../src/supervisor/browser/profile.js';
import { eventually } from '../../../support/eventually.js';
import { assertNothingLeft, scratchDir } from '../../../support/leftovers.js';

after(assertNothingLeft);

const login = { WANoiseInfo: 'secret' };

/** A profile with a kept login of a dead browser, as the next run finds it. */
async function leftBehind() {
  const authDir = scratchDir();
  const log = pino({ level: 'silent' });
  const profile = new Profile(authDir, 'default');
  await profile.prepare(0, 1);
  await new FreshLogin(profile, log).keep(login);
  const freshLogin = new FreshLogin(profile, log);
  await freshLogin.load();
  return { freshLogin, stored: () => profile.readStorage() };
}

test('a login has settled when one browser has had it for a while; a browser that ends earlier leaves it kept', async () => {
  const [living, ended] = [await leftBehind(), await leftBehind()];
  ended.freshLogin.settleAfter(20, Promise.resolve());
  living.freshLogin.settleAfter(20, new Promise(() => {}));
  await eventually(async () => (await living.stored()) === null);
  assert.equal(living.freshLogin.storage, null);
  assert.deepEqual(ended.freshLogin.storage, login);
  assert.deepEqual(await ended.stored(), login);
});
