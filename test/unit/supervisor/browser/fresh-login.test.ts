import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { pino } from 'pino';
import { FreshLogin } from '../../../../src/supervisor/browser/fresh-login.js';
import { Profile } from '../../../../src/supervisor/browser/profile.js';
import { eventually } from '../../../support/eventually.js';
import { assertNothingLeft, scratchDir } from '../../../support/leftovers.js';

after(assertNothingLeft);

const login = { WANoiseInfo: 'secret' };

/** A profile with a kept login of a dead browser, as the next run finds it. */
async function leftBehind(isHeld = () => true) {
  const authDir = scratchDir();
  const log = pino({ level: 'silent' });
  const profile = new Profile(authDir, 'default');
  await profile.prepare(0, 1);
  await new FreshLogin(profile, isHeld, log).keep(login);
  const freshLogin = new FreshLogin(profile, isHeld, log);
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

/** The process does nothing for so long, as if it were frozen. */
function freeze(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test('a browser that died while this process was frozen leaves its login kept', async () => {
  const { freshLogin, stored } = await leftBehind();
  const browser = spawn('sleep', ['60'], { stdio: 'ignore' });
  const gone = once(browser, 'exit');
  freshLogin.settleAfter(100, gone);
  browser.kill('SIGKILL');
  freeze(300);
  await gone;
  // All that the timer began is over.
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  await freshLogin.written;
  assert.deepEqual([freshLogin.storage, await stored()], [login, login]);
});

test('a run that has lost its session removes no login', async () => {
  let isHeld = true;
  const { freshLogin, stored } = await leftBehind(() => isHeld);
  freshLogin.settleAfter(20, new Promise(() => {}));
  isHeld = false;
  freeze(100);
  await new Promise((resolve) => setTimeout(() => setImmediate(() => setImmediate(resolve)), 1));
  await freshLogin.written;
  assert.deepEqual(await stored(), login);
});
