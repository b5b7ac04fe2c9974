import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TargetGoneError } from '../../../../src/supervisor/browser/debugging-pipe.js';
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

const commands = [
  'Emulation.setUserAgentOverride',
  'Target.setAutoAttach',
  'Runtime.runIfWaitingForDebugger',
];

/** A pipe on which each command to a session of `failures` fails in its way. */
function pipeWith(failures: Readonly<Record<string, Error>> = {}) {
  const asked: [method: string, session: string | undefined][] = [];
  const warnings: string[] = [];
  let tell: (event: object) => void = () => {};
  const pipe: Parameters<typeof overrideIdentity>[0] = {
    on: (_, listener) => {
      tell = (event) => listener(event as Record<string, unknown>, undefined);
    },
    command: async (method, _params, _signal, session) => {
      asked.push([method, session]);
      // There before the override began.
      if (session === undefined) attached('old', 'page', false);
      const failure = failures[session ?? ''];
      if (failure !== undefined) throw failure;
      return {};
    },
  };
  function attached(sessionId: string, type: string, waitingForDebugger = true): void {
    tell({ sessionId, targetInfo: { type }, waitingForDebugger });
  }
  const begin = () => overrideIdentity(pipe, identityOf(of), (message) => warnings.push(message));
  return { asked, warnings, attached, begin };
}

test('each target gets it before it runs, and those within it are attached too', async () => {
  const { asked, attached, begin } = pipeWith();
  await begin();
  attached('a', 'page');
  attached('b', 'service_worker');
  attached('c', 'browser');
  // As a command of another part of this process does it.
  attached('d', 'page', false);
  assert.deepEqual(asked, [
    ['Target.setAutoAttach', undefined],
    ...['old', 'a', 'b'].flatMap((session) => commands.map((command) => [command, session])),
  ]);
});

test('who does not take it is told once; who is gone is not', async () => {
  const { warnings, attached, begin } = pipeWith({
    a: new TargetGoneError('Emulation.setUserAgentOverride: the page or worker is gone'),
    b: new Error("Emulation.setUserAgentOverride: 'x' wasn't found"),
    c: new Error('another'),
  });
  await begin();
  for (const session of ['a', 'b', 'c']) attached(session, 'page');
  await new Promise((next) => setImmediate(next));
  assert.deepEqual(warnings, [
    "a page or worker may call itself HeadlessChrome: Emulation.setUserAgentOverride: 'x' wasn't found",
  ]);
});
