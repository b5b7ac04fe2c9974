import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authenticateToProxy } from '../../../../src/supervisor/browser/proxy-authentication.js';

const login = { username: 'ada', password: 'secret' };

async function authenticated() {
  const listeners = new Map<string, (params: object) => void>();
  const asked: [string, Record<string, unknown>][] = [];
  await authenticateToProxy(
    {
      on: (method, listener) => void listeners.set(method, listener as (params: object) => void),
      command: async (method, params) => {
        asked.push([method, params as Record<string, unknown>]);
        return {};
      },
    },
    login,
  );
  asked.length = 0;
  return { asked, say: (method: string, params: object) => listeners.get(method)?.(params) };
}

const challenge = (requestId: string, source: string) => ({ requestId, authChallenge: { source } });

test('the proxy gets the login once for each request; then it has refused it', async () => {
  const { asked, say } = await authenticated();
  for (const id of ['a', 'b', 'a']) say('Fetch.authRequired', challenge(id, 'Proxy'));
  const given = { response: 'ProvideCredentials', ...login };
  assert.deepEqual(asked, [
    ['Fetch.continueWithAuth', { requestId: 'a', authChallengeResponse: given }],
    ['Fetch.continueWithAuth', { requestId: 'b', authChallengeResponse: given }],
    ['Fetch.continueWithAuth', { requestId: 'a', authChallengeResponse: { response: 'CancelAuth' } }],
  ]);
});

test('a server never gets the login of the proxy', async () => {
  const { asked, say } = await authenticated();
  say('Fetch.authRequired', challenge('a', 'Server'));
  say('Fetch.authRequired', { requestId: 'b', authChallenge: {} });
  const nothing = { response: 'Default' };
  assert.deepEqual(
    asked.map(([, { authChallengeResponse }]) => authChallengeResponse),
    [nothing, nothing],
  );
});

test('a request that waits goes on unchanged', async () => {
  const { asked, say } = await authenticated();
  say('Fetch.requestPaused', { requestId: 'a', request: { url: 'https://web.whatsapp.com/' } });
  assert.deepEqual(asked, [['Fetch.continueRequest', { requestId: 'a' }]]);
});
