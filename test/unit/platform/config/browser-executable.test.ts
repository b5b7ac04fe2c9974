import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { chooseBrowser, requireBrowser } from '../../../../src/platform/config/browser-executable.js';
import { assertNothingLeft, scratchDir } from '../../../support/leftovers.js';

after(assertNothingLeft);

const dir = scratchDir();

function executable(path: string, text: string): string {
  const file = join(dir, path);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, text);
  chmodSync(file, 0o755);
  return file;
}

const chromium = executable('bin/chromium', '\x7fELF');
const program = executable('lib/chromium/chromium-headless-shell', '\x7fELF');
/** As Debian's package has it. */
const wrapper = executable('bin/chromium-headless-shell', `#!/bin/sh -e\n\n${program} "$@"\n`);
const both = join(dir, 'bin');
const unset = { kind: undefined, executable: undefined, headless: true };

function chosen(variables: Partial<Parameters<typeof chooseBrowser>[0]>, path = both) {
  return chooseBrowser({ ...unset, ...variables }, path);
}

describe('the browser', () => {
  it('is Chromium from the PATH, unless the shell is asked for', () => {
    assert.deepEqual(chosen({}), { kind: 'chromium', executable: chromium, problems: [] });
    assert.deepEqual(chosen({ kind: 'chromium' }), chosen({}));
    assert.equal(chosen({ kind: 'shell' }).kind, 'shell');
    assert.deepEqual(chosen({ kind: 'shell' }, '/nowhere'), { kind: 'shell', executable: '', problems: [] });
  });

  it('is the program that the wrapper of the shell starts, not the wrapper', () => {
    assert.equal(chosen({ kind: 'shell' }).executable, program);
    assert.equal(chosen({ executable: wrapper }).executable, program);
    assert.equal(chosen({ executable: program }).executable, program);
    const forms = [`exec ${program} "$@"`, `  exec '${program}' "$@"`, `A=1\n"${program}" --flag`];
    for (const [i, form] of forms.entries()) {
      const script = executable(`forms/${i}/chromium-headless-shell`, `#!/bin/sh\n${form}\n`);
      assert.equal(chosen({ executable: script }).executable, program, form);
    }
  });

  it('is none if the wrapper names no program', () => {
    const texts = [
      '#!/bin/sh\necho hello\n',
      '#!/bin/sh\n/no/such/chromium-headless-shell "$@"\n',
      `#!/bin/sh\n# ${program} "$@"\n`,
      `#!/bin/sh\n${wrapper} "$@"\n`,
    ];
    for (const [i, text] of texts.entries()) {
      const script = executable(`none/${i}/chromium-headless-shell`, text);
      assert.equal(chosen({ kind: 'shell' }, join(script, '..')).executable, '', text);
      assert.deepEqual(chosen({ executable: script }).problems, [
        `WHATSAPP_CHROME_EXECUTABLE: ${script} is a script, and the headless shell that it starts was not found; name the program itself, or leave the variable out to have one found`,
      ]);
    }
  });

  it('is of the kind that the name of a named file tells', () => {
    const named = executable('other/chrome-headless-shell', '\x7fELF');
    assert.deepEqual(chosen({ executable: named }), { kind: 'shell', executable: named, problems: [] });
    assert.deepEqual(chosen({ executable: named, kind: 'shell' }), chosen({ executable: named }));
    assert.equal(chosen({ executable: chromium }).kind, 'chromium');
  });

  it('contradicts no other variable', () => {
    // Debian's /usr/bin/chromium is a script.
    const script = executable('debian/chromium', '#!/bin/bash\nexec /usr/lib/chromium/chromium "$@"\n');
    for (const file of [chromium, script]) {
      assert.deepEqual(chosen({ executable: file, kind: 'shell' }).problems, [
        `WHATSAPP_CHROME_EXECUTABLE: by its name, ${file} is Chromium and not its headless shell, but WHATSAPP_BROWSER is shell; leave WHATSAPP_CHROME_EXECUTABLE out to have the shell found, name a file like chromium-headless-shell, or set WHATSAPP_BROWSER=chromium`,
      ]);
    }
    for (const file of [program, wrapper]) {
      assert.deepEqual(chosen({ executable: file, kind: 'chromium' }).problems, [
        `WHATSAPP_CHROME_EXECUTABLE: by its name, ${file} is the headless shell and not Chromium, but WHATSAPP_BROWSER is chromium; leave WHATSAPP_CHROME_EXECUTABLE out to have Chromium found, name a Chromium or Chrome, or set WHATSAPP_BROWSER=shell`,
      ]);
    }
    assert.deepEqual(chosen({ executable: '/nowhere/chromium', kind: 'shell' }).problems, [
      'WHATSAPP_CHROME_EXECUTABLE: /nowhere/chromium is not an executable file; name a headless shell, or leave the variable out to have one found',
    ]);
    assert.deepEqual(chosen({ kind: 'shell', headless: false }).problems, [
      'WHATSAPP_HEADLESS: the headless shell cannot have a window; leave it out, or use Chromium (WHATSAPP_BROWSER=chromium)',
    ]);
    assert.deepEqual(chosen({ headless: false }).problems, []);
  });

  it('must be there; the sentence says how to get it', () => {
    const missing = (browser: 'chromium' | 'shell') => () =>
      requireBrowser({ browser, chromeExecutable: '' });
    assert.throws(missing('shell'), /apt-get install chromium-headless-shell.*WHATSAPP_BROWSER=chromium/);
    assert.throws(missing('chromium'), /apt-get install chromium\)/);
    requireBrowser({ browser: 'shell', chromeExecutable: program });
  });
});
