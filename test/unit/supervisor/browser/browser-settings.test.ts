import assert from 'node:assert/strict';
import { chmodSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadConfig } from '../../../../src/platform/config/config.js';
import { browserSettings, chromeUserAgent } from '../../../../src/supervisor/browser/browser-settings.js';
import { browserVersion } from '../../../../src/supervisor/browser/browser-version.js';
import { assertNothingLeft, scratchDir } from '../../../support/leftovers.js';

after(assertNothingLeft);

const dir = scratchDir();
let made = 0;

/** A browser that only prints its version and counts how often it was asked. */
function executable(script: string) {
  const file = join(dir, `browser-${++made}`);
  const count = `${file}.asked`;
  const write = (body: string) => {
    writeFileSync(file, `#!/bin/sh\necho asked >> '${count}'\n${body}\n`);
    chmodSync(file, 0o755);
  };
  write(script);
  return { file, write, timesAsked: () => readFileSync(count, 'utf8').split('\n').length - 1 };
}

const question = (file: string, deadlineMs = 30_000) => ({
  executable: file,
  environment: process.env,
  deadlineMs,
});

async function settingsOf(file: string, environment: Record<string, string> = {}) {
  const config = loadConfig('all', {
    PATH: process.env.PATH,
    WHATSAPP_CHROME_EXECUTABLE: file,
    ...environment,
  });
  const warnings: string[] = [];
  const settings = await browserSettings(config, (message) => warnings.push(message));
  return { ...settings, warnings };
}

test('the version is read from the output of Chromium and Chrome', async () => {
  const outputs = [
    ['Chromium 156.0.8078.108 built on Debian GNU/Linux 12 (bookworm)', '156.0.8078.108'],
    ['Google Chrome 140.0.7339.80 ', '140.0.7339.80'],
    ['Google Chrome for Testing 131.0.6778.204', '131.0.6778.204'],
    ['Chromium 120.0.6099.224 snap', '120.0.6099.224'],
  ] as const;
  for (const [output, version] of outputs) {
    assert.equal(await browserVersion(question(executable(`echo '${output}'`).file)), version);
  }
});

test('the version is read once, and again when the file has changed', async () => {
  const browser = executable('echo Chromium 150.0.1.2');
  const answers = await Promise.all([1, 2, 3].map(() => browserVersion(question(browser.file))));
  assert.deepEqual(answers, ['150.0.1.2', '150.0.1.2', '150.0.1.2']);
  await browserVersion(question(browser.file));
  assert.equal(browser.timesAsked(), 1);
  browser.write('echo Chromium 151.0.3.4');
  utimesSync(browser.file, 1_000_000_000, 1_000_000_000);
  assert.equal(await browserVersion(question(browser.file)), '151.0.3.4');
  assert.equal(browser.timesAsked(), 2);
});

test('a hanging browser is killed with its children, and asked again the next time', async () => {
  const browser = executable('sleep 600');
  const sentence = { message: `${browser.file} --version did not answer within 1 s` };
  await assert.rejects(browserVersion(question(browser.file, 1_000)), sentence);
  await assert.rejects(browserVersion(question(browser.file, 1_000)), sentence);
  assert.equal(browser.timesAsked(), 2);
});

test('the output of another program is an error with at most its first words', async () => {
  await assert.rejects(browserVersion(question(executable('echo Brave Browser 140.1.82.166').file)), {
    message: /--version names no Chromium or Chrome: "Brave Browser 140\.1\.82\.166"$/,
  });
  await assert.rejects(browserVersion(question(executable('exit 3').file)), /it said nothing/);
  await assert.rejects(browserVersion(question(executable('yes | head -c 1000000').file)), /: "y"$/);
  await assert.rejects(browserVersion(question(join(dir, 'nowhere'))), /ENOENT/);
});

test('the user agent is the reduced one of the version and platform, and null for an unknown platform', () => {
  assert.equal(
    chromeUserAgent('156.0.8078.108', 'linux'),
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36',
  );
  assert.match(chromeUserAgent('156.0.8078.108', 'darwin') ?? '', /\(Macintosh; Intel Mac OS X 10_15_7\)/);
  assert.equal(chromeUserAgent('156.0.8078.108', 'freebsd'), null);
});

test('a headless browser gets a user agent, one with a window needs none', async () => {
  const { file } = executable('echo Chromium 156.0.8078.108');
  const headless = await settingsOf(file);
  assert.deepEqual(headless.extraArgs, [`--user-agent=${chromeUserAgent('156.0.0.0', process.platform)}`]);
  assert.deepEqual((await settingsOf(file, { WHATSAPP_HEADLESS: 'false' })).extraArgs, []);
  const byFlag = { WHATSAPP_HEADLESS: 'false', WHATSAPP_CHROME_ARGS: '--headless=new' };
  assert.deepEqual((await settingsOf(file, byFlag)).extraArgs, [...headless.extraArgs, '--headless=new']);
});

test('the headless shell gets no argument that it does not know, and an identity beside its user agent', async () => {
  const { file } = executable('echo Chromium 156.0.8078.108');
  const environment = { WHATSAPP_CHROME_EXECUTABLE: file, WHATSAPP_LANGUAGES: 'de' };
  const settings = async (more: Record<string, string> = {}) => {
    const config = loadConfig('all', { ...environment, ...more });
    return browserSettings({ ...config, browser: 'shell' }, assert.fail);
  };
  const { headless, extraArgs, identity } = await settings();
  assert.equal(headless, false);
  const userAgent = chromeUserAgent('156.0.0.0', process.platform);
  assert.deepEqual(extraArgs, [`--user-agent=${userAgent}`, '--accept-lang=de']);
  assert.deepEqual([identity?.userAgent, identity?.acceptLanguage], [userAgent, 'de']);
  const own = await settings({ WHATSAPP_CHROME_ARGS: '--user-agent=Mine' });
  assert.deepEqual(own.extraArgs, ['--accept-lang=de', '--user-agent=Mine']);
  assert.equal(own.identity?.userAgent, 'Mine');
  assert.equal((await settingsOf(file)).identity, null);
});

test('a user agent of the operator wins, and the version is not read', async () => {
  const browser = executable('echo Chromium 156.0.8078.108');
  const { extraArgs } = await settingsOf(browser.file, { WHATSAPP_CHROME_ARGS: '--user-agent=Mine' });
  assert.deepEqual(extraArgs, ['--user-agent=Mine']);
  assert.throws(browser.timesAsked, /ENOENT/);
});

test('without a version there is no flag, and one warning', async () => {
  const { file } = executable('echo Nothing 1.0');
  const [first, second] = [await settingsOf(file), await settingsOf(file)];
  assert.deepEqual(first.extraArgs, []);
  assert.equal(first.warnings.length, 1);
  assert.match(first.warnings[0] ?? '', /^the browser calls itself HeadlessChrome: .* names no Chromium/);
  assert.deepEqual(second.warnings, []);
});

test('languages and time zone reach the browser by its arguments and environment, before the operator’s arguments', async () => {
  const { file } = executable('echo Chromium 156.0.8078.108');
  const { extraArgs, environment } = await settingsOf(file, {
    WHATSAPP_LANGUAGES: 'de-DE, de,en,zh-Hant-TW',
    WHATSAPP_TIME_ZONE: 'europe/berlin',
    WHATSAPP_HEADLESS: 'false',
    WHATSAPP_CHROME_ARGS: '--accept-lang=fr',
    TZ: 'UTC',
  });
  assert.deepEqual(extraArgs, ['--accept-lang=de-DE,de,en,zh-Hant-TW', '--accept-lang=fr']);
  assert.equal(environment.LANGUAGE, 'de_DE:de:en:zh_TW');
  assert.equal(environment.TZ, 'Europe/Berlin');
});

test('without a configuration the browser has the time zone and language of the machine', async () => {
  const { file } = executable('echo Chromium 156.0.8078.108');
  const { environment } = await settingsOf(file, { TZ: 'Asia/Tokyo', LANGUAGE: 'ja' });
  assert.equal(environment.TZ, 'Asia/Tokyo');
  assert.equal(environment.LANGUAGE, 'ja');
});
