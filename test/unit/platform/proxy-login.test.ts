import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openProxyLogin, sealProxyLogin } from '../../../src/platform/proxy-login.js';
import { makeCredentialsKey } from '../../support/credentials.js';

const login = { username: 'ada', password: 'pässword: "x"' };
const proxy = { session: 'sales', server: 'http://proxy.lan:3128' };

test('a login opens with the key that sealed it, wherever that stands among the keys', () => {
  const [key, other] = [makeCredentialsKey(), makeCredentialsKey()];
  const sealed = sealProxyLogin(login, key, proxy);
  assert.deepEqual(openProxyLogin(sealed, [other, key], proxy), login);
  assert.equal(openProxyLogin(sealed, [other], proxy), null);
  assert.equal(openProxyLogin(sealed, [], proxy), null);
  assert.ok(!JSON.stringify(sealed).includes('ada'));
});

test('a sealed login is of one session and one server', () => {
  const key = makeCredentialsKey();
  const sealed = sealProxyLogin(login, key, proxy);
  for (const change of [{ session: 'default' }, { server: 'http://elsewhere.lan:3128' }]) {
    assert.equal(openProxyLogin(sealed, [key], { ...proxy, ...change }), null);
  }
});

test('what is not as it was sealed does not open', () => {
  const key = makeCredentialsKey();
  const { key_id, data } = sealProxyLogin(login, key, proxy);
  const changed = Buffer.from(data, 'base64');
  changed[20] = (changed[20] ?? 0) ^ 1;
  for (const each of ['', 'AAAA', data.slice(0, -8), changed.toString('base64')]) {
    assert.equal(openProxyLogin({ key_id, data: each }, [key], proxy), null, each);
  }
});
