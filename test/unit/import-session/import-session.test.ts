import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type ImportOptions, importSession } from '../../../src/import-session/import-session.js';
import { Profile } from '../../../src/supervisor/browser/profile.js';
import { eventually } from '../../support/eventually.js';
import { assertNothingLeft, scratchDir } from '../../support/leftovers.js';
import { processFacts } from '../../support/processes.js';

after(assertNothingLeft);

const database = 'Default/IndexedDB/https_web.whatsapp.com_0.indexeddb.leveldb';

/** A profile as Chromium leaves it, with a cache that is not part of the login. */
function makeLogin(profile: string): void {
  for (const [folder, file] of [
    [database, '000003.log'],
    ['Default/Local Storage/leveldb', 'CURRENT'],
    ['Default/Cache', 'data_0'],
  ] as const) {
    mkdirSync(join(profile, folder), { recursive: true });
    writeFileSync(join(profile, folder, file), `${folder} of ${profile}`);
  }
}

interface Workspace {
  readonly from: string;
  readonly authDir: string;
  import(options?: Partial<ImportOptions>): Promise<{ from: string; to: string }>;
}

function workspace(...sessions: string[]): Workspace {
  const dir = scratchDir();
  const [from, authDir] = [join(dir, '.wwebjs_auth'), join(dir, 'ours')];
  mkdirSync(from);
  for (const name of sessions) makeLogin(join(from, name));
  const defaults = { from, sessionId: null, assumeUnused: false, authDir, session: 'default' };
  return { from, authDir, import: (options = {}) => importSession({ ...defaults, ...options }) };
}

function lock(profile: string, host: string, pid: number): void {
  symlinkSync(`${host}-${pid}`, join(profile, 'SingletonLock'));
}

for (const name of ['session', 'session-shop_1']) {
  test(`the only session, ${name}, is imported: its login, and a note that says linked`, async () => {
    const { from, authDir, import: run } = workspace(name);
    const before = Date.now();
    assert.deepEqual(await run(), { from: join(from, name), to: join(authDir, 'session-default') });
    const copied = readFileSync(join(authDir, 'session-default', database, '000003.log'), 'utf8');
    assert.equal(copied, `${database} of ${join(from, name)}`);
    assert.ok(existsSync(join(authDir, 'session-default/Default/Local Storage/leveldb/CURRENT')));
    assert.ok(!existsSync(join(authDir, 'session-default/Default/Cache')), 'caches are not copied');
    const note = await new Profile(authDir, 'default').readNote();
    assert.deepEqual([note?.session, note?.isLinked, note?.isWanted], ['default', true, false]);
    assert.ok((note?.wipedEpoch ?? 0) >= before, 'no earlier logout invalidates it');
    assert.deepEqual(readdirSync(authDir).sort(), ['session-default', 'session-default.json']);
  });
}

test('with several sessions one must be named by its id or path', async () => {
  const { from, import: run } = workspace('session', 'session-a', 'session-b');
  await assert.rejects(run(), /several sessions.*--session-id.*session, session-a, session-b/);
  await assert.rejects(run({ sessionId: 'c' }), /has no session-c; it has session, session-a, session-b/);
  assert.equal((await run({ sessionId: 'b' })).from, join(from, 'session-b'));
  const other = workspace('session', 'session-a');
  assert.equal((await other.import({ from: join(other.from, 'session') })).from, join(other.from, 'session'));
});

test('a directory without a profile or without a login is refused', async () => {
  const { from, authDir, import: run } = workspace();
  await assert.rejects(run(), /no \.wwebjs_auth directory and no profile/);
  await assert.rejects(run({ from: join(from, 'gone') }), /cannot be read \(ENOENT/);
  mkdirSync(join(from, 'session', 'Default'), { recursive: true });
  await assert.rejects(run(), /has no login of WhatsApp Web/);
  assert.ok(!existsSync(authDir));
});

test('a source in use by a browser is refused; the lock of a dead browser is ignored', async () => {
  const { from, import: run } = workspace('session');
  const profile = join(from, 'session');
  const browser = spawn(
    process.execPath,
    ['-e', 'setInterval(() => {}, 60_000)', '--', `--user-data-dir=${profile}`],
    { stdio: 'ignore' },
  );
  await once(browser, 'spawn');
  const pid = browser.pid as number;
  await eventually(() => processFacts(pid)?.commandLine.includes(`--user-data-dir=${profile}`));
  lock(profile, hostname(), pid);
  await assert.rejects(run(), new RegExp(`in use by the browser with pid ${pid}`));
  await assert.rejects(run({ assumeUnused: true }), /in use/);
  browser.kill('SIGKILL');
  await once(browser, 'exit');
  await run();
});

test('a lock of another host is refused, unless the operator says that the profile is not in use', async () => {
  const { from, authDir, import: run } = workspace('session');
  lock(join(from, 'session'), '3f0c5d1b9a7e', process.pid);
  await assert.rejects(run(), /3f0c5d1b9a7e, pid \d+.*--not-in-use/);
  assert.ok(!existsSync(authDir));
  await run({ assumeUnused: true });
  assert.ok(!existsSync(join(authDir, 'session-default', 'SingletonLock')));
});

test('an import replaces a profile that was never linked, but no login and no unknown profile', async () => {
  const { from, authDir, import: run } = workspace('session');
  const profile = new Profile(authDir, 'default');
  await profile.prepare(0, 7);
  writeFileSync(join(profile.dir, 'old'), '');
  await run();
  assert.ok(!existsSync(join(profile.dir, 'old')));
  await assert.rejects(run(), /has a login already/);

  const other = workspace('session');
  mkdirSync(join(other.authDir, 'session-default'), { recursive: true });
  await assert.rejects(other.import(), /was not made by Holdline/);
  makeLogin(join(from, 'session-default'));
  await assert.rejects(
    run({ sessionId: 'default', authDir: from }),
    /where Holdline keeps the session itself/,
  );
});
