import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Status } from '../../src/contract/status.js';
import { eventually } from '../support/eventually.js';
import { membersOfGroup } from '../support/processes.js';
import { Stage } from '../support/stage.js';
import { type LibraryClient, startLibrary } from '../whatsapp-web/library-client.js';

/** The import of a plain whatsapp-web.js program's login. Each test continues where the one before ended. */
const tool = fileURLToPath(new URL('../../src/import-session.js', import.meta.url));

let stage: Stage;
let program: LibraryClient;

before(async () => {
  stage = await Stage.open();
  program = startLibrary(stage.whatsApp, join(stage.dir, '.wwebjs_auth', 'session-shop'), {
    localAuth: true,
  });
});
after(() => stage.close());

async function runImport(...words: string[]): Promise<{ code: number; output: string }> {
  const env = { PATH: process.env.PATH ?? '', ...stage.environment };
  return new Promise((settle) => {
    execFile(process.execPath, [tool, ...words], { env, cwd: stage.dir }, (error, stdout, stderr) =>
      settle({ code: error === null ? 0 : Number(error.code), output: stdout + stderr }),
    );
  });
}

/** A hash of every name, content, link target and time of change below `dir`. */
function fingerprint(dir: string): string {
  const hash = createHash('sha256');
  for (const name of (readdirSync(dir, { recursive: true }) as string[]).sort()) {
    const file = join(dir, name);
    const facts = lstatSync(file);
    hash.update(`${name} ${facts.mode} ${facts.mtimeMs} ${facts.ctimeMs}\n`);
    if (facts.isFile()) hash.update(readFileSync(file));
    if (facts.isSymbolicLink()) hash.update(readlinkSync(file));
  }
  return hash.digest('hex');
}

test('the login of a running program cannot be imported', async () => {
  // The first QR comes before the library listens for the sync; a scan that is too quick would miss `ready`.
  await program.initialized;
  assert.equal((await stage.whatsApp.phone.scanCurrent()).linked, true);
  await program.next('ready');
  const refused = await runImport('.wwebjs_auth');
  assert.equal(refused.code, 78);
  assert.match(refused.output, /^holdline: \S+session-shop is in use by the browser with pid \d+/);
});

test('the login of a stopped program is ready without a QR, and the source is unchanged', async () => {
  const browser = program.client.pupBrowser?.process()?.pid ?? 0;
  await program.closeBrowser();
  // Chromium's last child may still write after its main process has ended.
  await eventually(() => membersOfGroup(browser).length === 0, { message: 'nothing of the browser is left' });
  const source = join(stage.dir, '.wwebjs_auth');
  const before = fingerprint(source);
  const imported = await runImport('.wwebjs_auth', '--session-id', 'shop');
  assert.equal(imported.code, 0, imported.output);

  const product = stage.start();
  const seen = new Set([(await product.post<Status>('/api/auth/start')).state]);
  await product.until((status) => {
    seen.add(status.state);
    return status.ready;
  }, 'ready with the login of the program');
  assert.ok(!seen.has('qr'), `states seen: ${[...seen]}`);
  assert.equal((await stage.whatsApp.phone.state()).devices.length, 1);
  assert.equal(fingerprint(source), before);

  const running = await runImport('.wwebjs_auth');
  assert.equal(running.code, 78);
  assert.match(running.output, /another Holdline .* is running/);
  assert.equal(await product.end('SIGTERM'), 0);
});

test('an existing login is not replaced, and wrong arguments print the usage', async () => {
  const again = await runImport('.wwebjs_auth');
  assert.equal(again.code, 78);
  assert.match(again.output, /has a login already/);
  for (const words of [[], ['a', 'b'], ['.wwebjs_auth', '--sesion-id', 'shop']]) {
    const { code, output } = await runImport(...words);
    assert.equal(code, 64);
    assert.match(output, /npm run import-session -- DIR/);
  }
});
