import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { allNeededNames } from '../../../src/page-contract/capability-report.js';
import { type ExportList, hasOnlyDefault, readKnownExports } from '../../../src/page-contract/export-list.js';
import { readLibraryUses, useName } from '../../../src/page-contract/library-uses.js';
import type { ContractReport } from '../../../src/page-contract/report.js';
import { startForeignPage } from '../../support/foreign-page.js';
import { assertNothingLeft, scratchDir } from '../../support/leftovers.js';
import { startWhatsAppWeb } from '../../whatsapp-web/index.js';

const program = fileURLToPath(new URL('../../../src/page-contract.js', import.meta.url));
const dir = scratchDir();
const known = await readKnownExports();
const library = await readLibraryUses();

after(assertNothingLeft);

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(args: string[], chromeArgs: readonly string[] = [], environment: Record<string, string> = {}) {
  const env = {
    PATH: process.env.PATH,
    HOLDLINE_TEST_MARK: process.env.HOLDLINE_TEST_MARK,
    WHATSAPP_AUTH_DIR: join(dir, 'auth'),
    WHATSAPP_CHROME_ARGS: chromeArgs.map((argument) => `"${argument}"`).join(' '),
    ...environment,
  };
  return new Promise<Result>((settle) => {
    execFile(process.execPath, [program, ...args], { env, timeout: 120_000 }, (error, stdout, stderr) =>
      settle({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

const reportIn = ({ stdout }: Result) => JSON.parse(stdout) as ContractReport;

/** A page whose modules export the bundled list and all that Holdline and the library look for. */
function pageWith(change: (modules: Map<string, Set<string>>) => void): string {
  const modules = new Map<string, Set<string>>();
  for (const [module, names] of Object.entries(known.modules)) {
    if (names !== null) modules.set(module, new Set(hasOnlyDefault(names) ? [] : names));
  }
  const names = [...allNeededNames(), ...library.uses.map(useName)];
  for (const name of names) {
    const [module = '', ...inner] = name.split('.');
    if (known.modules[module] === null) continue;
    const isListed = known.modules[module] !== undefined && !hasOnlyDefault(known.modules[module] ?? []);
    const paths = modules.get(module) ?? modules.set(module, new Set()).get(module);
    if (inner.length > 0 && (!isListed || paths?.has(inner[0] ?? ''))) paths?.add(inner.join('.'));
  }
  change(modules);
  const paths = JSON.stringify(Object.fromEntries([...modules].map(([module, all]) => [module, [...all]])));
  return `<!doctype html><title>ü</title><script>
    const modules = {};
    for (const [module, paths] of Object.entries(${paths})) {
      modules[module] = {};
      for (const path of paths) path.split('.').reduce((place, key) => (place[key] ??= {}), modules[module]);
    }
    window.require = (name) => {
      if (!Object.hasOwn(modules, name)) throw new Error('Requiring unknown module "' + name + '"');
      return modules[name];
    };
    setTimeout(() => { window.Debug = { VERSION: '2.3000.77' }; }, 300);
  </script>`;
}

async function live(html: string, args: string[], status = 200, environment = {}) {
  const server = await startForeignPage(() => ({ status, body: html }));
  try {
    return await run(['--live', ...args], server.chromeArgs, environment);
  } finally {
    await server.close();
  }
}

test('without a browser it compares Holdline and the library with the bundled list', async () => {
  const result = await run([], [], {
    WHATSAPP_CHROME_EXECUTABLE: '/nonexistent',
    WHATSAPP_MAX_SESSIONS: 'x',
  });
  assert.equal(result.code, 0, result.stderr);
  assert.match(
    result.stdout,
    /^the bundled list: WhatsApp Web 2\.3000\.1044822804 of 2026-08-09, 157 modules\n/,
  );
  assert.match(result.stdout, /^ {2}ok {8}send {6}/m);
  assert.match(result.stdout, /^ {2}WAWebGroupInviteV4Job\.joinGroupViaInviteV4 {2}\(Client\.js:\d+\)$/m);
  const { ok, page, capabilities } = reportIn(await run(['--json']));
  assert.deepEqual([ok, page, capabilities.length], [true, null, 9]);
});

test('wrong arguments print the usage, with exit code 64', async () => {
  for (const args of [['--write', 'x'], ['--lives'], ['now']]) {
    const { code, stderr, stdout } = await run(args);
    assert.deepEqual([code, stdout], [64, ''], args.join());
    assert.match(stderr, /^holdline: .*: npm run page-contract -- \[--json\] \[--live/);
  }
});

test('a complete page has no difference, and its start page and list are stored', async () => {
  const html = pageWith(() => undefined);
  const file = join(dir, 'fresh.json');
  const result = await live(html, ['--json', '--write', file]);
  assert.equal(result.code, 0, result.stdout + result.stderr);
  const { ok, page, capabilities, library: asked } = reportIn(result);
  assert.equal(ok, true);
  assert.ok(capabilities.every(({ level, unknown }) => level === 'ok' && unknown.length === 0));
  assert.equal(page?.version, '2.3000.77');
  assert.deepEqual(page?.difference, { gone: [], added: [] });
  assert.equal(page?.start_page, join(dir, 'auth/.web-versions/2.3000.77.html'));
  assert.equal(readFileSync(page?.start_page ?? '', 'utf8'), html);
  assert.ok(asked.missing.some(({ name }) => name === 'WAWebGroupInviteV4Job.joinGroupViaInviteV4'));
  const fresh = JSON.parse(readFileSync(file, 'utf8')) as ExportList;
  assert.equal(fresh.revision, '2.3000.77');
  assert.deepEqual(fresh.modules.WAWebWidFactory, [...(known.modules.WAWebWidFactory ?? [])].sort());
  assert.equal(fresh.modules.WAWebBizGatingUtils, null);
  assert.ok(
    fresh.modules.WAWebCollections?.includes('Chat'),
    'the names of a default export come from the page',
  );
});

test('a changed page lists what is gone and new, with exit code 1 if a capability needs it', async () => {
  const html = pageWith((modules) => {
    modules.delete('WAWebPrepRawMedia');
    modules.get('WAWebCollections')?.delete('Msg.getMessagesById');
    modules.get('WAWebWidFactory')?.add('createSomethingNew');
    modules.get('WAWebSocketModel')?.delete('Socket.logout');
  });
  const result = await live(html, []);
  assert.equal(result.code, 1, result.stdout + result.stderr);
  assert.match(result.stdout, /^today's page: WhatsApp Web 2\.3000\.77, without a login\n/);
  assert.match(result.stdout, /^ {2}broken {4}media {5}missing: WAWebPrepRawMedia\.prepRawMedia$/m);
  assert.match(result.stdout, /^ {2}broken {4}send {6}missing: WAWebCollections\.Msg\.getMessagesById$/m);
  assert.match(result.stdout, /^ {2}broken {4}logout {4}missing: WAWebSocketModel\.Socket\.logout$/m);
  assert.match(result.stdout, /^ {2}ok {8}qr {8}all there$/m);
  assert.match(
    result.stdout,
    /: 1 gone, 1 new\n {2}- WAWebPrepRawMedia\n {2}\+ WAWebWidFactory\.createSomethingNew\n/,
  );
});

test('it can examine the stand-in page', async () => {
  const whatsApp = await startWhatsAppWeb();
  try {
    const result = await run(['--live', '--json'], whatsApp.chromeArgs, {
      WHATSAPP_AUTH_DIR: join(dir, 'other'),
    });
    const { ok, page, capabilities } = reportIn(result);
    assert.equal(result.code, ok ? 0 : 1, result.stderr);
    assert.match(page?.version ?? '', /^2\.3000\.\d+$/);
    assert.match(readFileSync(page?.start_page ?? '', 'utf8'), /<script/);
    assert.equal(capabilities.find(({ capability }) => capability === 'acks')?.level, 'ok');
  } finally {
    await whatsApp.close();
  }
});

test('an unreachable page is one sentence and exit code 69, and nothing is stored', async () => {
  const WHATSAPP_AUTH_DIR = join(dir, 'nothing');
  const nowhere = ['--host-resolver-rules=MAP web.whatsapp.com:443 127.0.0.1:1'];
  const slow = { WHATSAPP_START_DEADLINE_S: '15', WHATSAPP_AUTH_DIR };
  const results = await Promise.all([
    run(['--live'], nowhere, { WHATSAPP_AUTH_DIR }),
    live('<title>sorry</title>', [], 503, { WHATSAPP_AUTH_DIR }),
    live('<title>a page without a version</title>', [], 200, slow),
    live(`${pageWith(() => undefined)}<script>Object.fromEntries = () => 7;</script>`, [], 200, slow),
    run(['--live'], [], { WHATSAPP_AUTH_DIR, WHATSAPP_CHROME_EXECUTABLE: '/bin/false' }),
  ]);
  const said = [
    /: net::ERR_CONNECTION_REFUSED/,
    /: it answered HTTP 503$/,
    /: its page came, but does not say its version$/,
    /: its page gave an answer that cannot be read$/,
    /: the browser ended while it started \(exit code 1\): /,
  ];
  for (const [i, { code, stdout, stderr }] of results.entries()) {
    assert.deepEqual([code, stdout], [69, ''], stderr);
    const lines = stderr.split('\n').filter((line) => line.startsWith('holdline: web'));
    assert.equal(lines.length, 1, stderr);
    assert.match(lines[0] ?? '', /^holdline: web\.whatsapp\.com could not be examined: /);
    assert.match(lines[0] ?? '', said[i] ?? /never/);
  }
  assert.equal(existsSync(WHATSAPP_AUTH_DIR), false);
});

test('an invalid configuration is exit code 78', async () => {
  const { code, stderr } = await run(['--live'], [], { WHATSAPP_MAX_SESSIONS: 'many' });
  assert.equal(code, 78);
  assert.match(stderr, /^holdline: configuration: WHATSAPP_MAX_SESSIONS: /);
});
