import assert from 'node:assert/strict';
import { test } from 'node:test';
import { identityOf, overrideIdentity } from '../../../../src/supervisor/browser/identity-override.js';

const of = {
  version: '156.0.8078.108',
  userAgent: 'Mine/1.0',
  languages: ['de-AT', 'de'],
  platform: 'linux',
};

test('the identity has the client hints of Chromium of this version, and no others', () => {
  const { userAgent, acceptLanguage, userAgentMetadata } = identityOf(of);
  assert.deepEqual([userAgent, acceptLanguage], ['Mine/1.0', 'de-AT,de']);
  assert.deepEqual(userAgentMetadata, {
    brands: [
      { brand: 'Not:A-Brand', version: '8' },
      { brand: 'Chromium', version: '156' },
    ],
    fullVersionList: [],
    platform: 'Linux',
    ...{ platformVersion: '', architecture: '', bitness: '', model: '', mobile: false },
  });
  assert.equal('acceptLanguage' in identityOf({ ...of, languages: [] }), false);
});

test('the brands follow the version, as in Chromium', () => {
  const brands = (version: string) =>
    (
      identityOf({ ...of, version }).userAgentMetadata as { brands: { brand: string; version: string }[] }
    ).brands
      .map(({ brand, version }) => `${brand} ${version}`)
      .join(', ');
  // The made names are those that Chrome 131, 138 and 140 sent.
  assert.equal(brands('131.0.6778.204'), 'Chromium 131, Not_A Brand 24');
  assert.equal(brands('138.0.7204.49'), 'Not)A;Brand 8, Chromium 138');
  assert.equal(brands('140.0.7339.80'), 'Not=A?Brand 24, Chromium 140');
});

test('each target gets it before it runs, and those within it are attached too', async () => {
  const asked: [method: string, session: string | undefined][] = [];
  let tell: (event: object) => void = () => {};
  const pipe: Parameters<typeof overrideIdentity>[0] = {
    on: (_, listener) => {
      tell = (event) => listener(event as Record<string, unknown>, undefined);
    },
    command: async (method, _params, _signal, session) => {
      asked.push([method, session]);
      // A target that is gone.
      if (session === 'b') throw new Error('no such session');
      return {};
    },
  };
  await overrideIdentity(pipe, identityOf(of));
  tell({ sessionId: 'a', targetInfo: { type: 'page' } });
  tell({ sessionId: 'b', targetInfo: { type: 'service_worker' } });
  tell({ sessionId: 'c', targetInfo: { type: 'browser' } });
  const commands = [
    'Emulation.setUserAgentOverride',
    'Target.setAutoAttach',
    'Runtime.runIfWaitingForDebugger',
  ];
  assert.deepEqual(asked, [
    ['Target.setAutoAttach', undefined],
    ...['a', 'b'].flatMap((session) => commands.map((command) => [command, session])),
  ]);
});
