import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { assertNothingLeft, scratchDir } from '../../support/leftovers.js';
import { Project } from './project.js';

after(assertNothingLeft);

const dir = scratchDir();
const tools =
  'awk basename bash cat chmod cksum cp dirname find flock grep mkdir mktemp mv rm sed sh sort tr uname'.split(
    ' ',
  );

/** A project on a machine without a browser, where apt-get installs whatever it is asked for. */
function machine() {
  const project = new Project(dir).withPrograms('src/main');
  const bin = join(project.dir, 'bin');
  mkdirSync(bin);
  const path = (name: string) =>
    execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
  for (const tool of tools) symlinkSync(path(tool), join(bin, tool));
  symlinkSync(process.execPath, join(bin, 'node'));
  project.write('bin/apt-get', '#!/bin/sh\n', 0o755);
  project.write('bin/id', '#!/bin/sh\necho 0\n', 0o755);
  project.write(
    'scripts/install-packages.sh',
    `echo "$@" >>installed\nfor name; do cp bin/apt-get "bin/$name"; done\n`,
  );
  const installed = () => {
    const file = join(project.dir, 'installed');
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
  };
  const start = (environment: Record<string, string>) =>
    project.run('start', ['supervisor'], { PATH: bin, REDIS_URL: 'redis://h', ...environment });
  const setUp = (environment: Record<string, string>) =>
    project.runCommand('exec bash scripts/setup.sh', [], { PATH: bin, ...environment });
  return { project, installed, start, setUp };
}

test('the set-up installs the headless shell if it is asked for, once, and Chromium otherwise', async () => {
  const { project, installed, start } = machine();
  project.write('.env', 'WHATSAPP_BROWSER=shell\n');
  const { code, stdout, stderr } = await start({});
  assert.equal(code, 0, stderr);
  assert.match(stderr + stdout, /installing Chromium's headless shell with apt-get/);
  assert.match(stdout, /"WHATSAPP_BROWSER":"shell"/);
  assert.equal((await start({})).code, 0);
  assert.deepEqual(installed(), ['chromium-headless-shell']);
  const { stderr: said } = await start({ WHATSAPP_BROWSER: 'chromium' });
  assert.match(said, /installing Chromium with apt-get/);
  assert.deepEqual(installed(), ['chromium-headless-shell', 'chromium']);
});

test('without permission to install, the sentence says how to get the shell', async () => {
  const { installed, start } = machine();
  const { code, stderr } = await start({ WHATSAPP_BROWSER: 'shell', WHATSAPP_INSTALL: 'never' });
  assert.equal(code, 78);
  assert.match(
    stderr,
    /a browser: install Chromium's headless shell \(apt-get install chromium-headless-shell\), name one in WHATSAPP_CHROME_EXECUTABLE, or set WHATSAPP_BROWSER=chromium$/m,
  );
  assert.deepEqual(installed(), []);
});

test('another word than chromium or shell is refused before anything is installed', async () => {
  const { installed, start } = machine();
  const { code, stderr } = await start({ WHATSAPP_BROWSER: 'firefox' });
  assert.equal(code, 78);
  assert.equal(stderr, "holdline: WHATSAPP_BROWSER is 'firefox'; it must be chromium or shell\n");
  assert.deepEqual(installed(), []);
});

test('the set-up of everything installs the shell too, although the tests find a downloaded Chromium', async () => {
  const { project, installed, setUp } = machine();
  project.write('.cache/puppeteer/chrome/linux-156/chrome-linux64/chrome', '#!/bin/sh\n', 0o755);
  const { code, stderr } = await setUp({ WHATSAPP_BROWSER: 'shell' });
  assert.equal(code, 0, stderr);
  assert.deepEqual(installed(), ['redis-server', 'chromium-headless-shell']);
});

test('the set-up of everything ends with the exit code of the step that fails', async () => {
  const { installed, setUp } = machine();
  const { code, stderr } = await setUp({ WHATSAPP_INSTALL: 'never' });
  assert.equal(code, 78);
  assert.match(stderr, /redis-server: .*\n.* a browser: install Chromium /);
  assert.deepEqual(installed(), []);
});
