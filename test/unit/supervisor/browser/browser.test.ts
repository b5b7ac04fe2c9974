import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { preparedPage } from '../../../../src/contract/names.js';
import { loadConfig } from '../../../../src/platform/config/config.js';
import { type Browser, launchBrowser } from '../../../../src/supervisor/browser/browser.js';
import { chromeFlags } from '../../../../src/supervisor/browser/chrome-flags.js';
import { ask } from '../../../support/ask-browser.js';
import { eventually } from '../../../support/eventually.js';
import { assertNothingLeft, scratchDir } from '../../../support/leftovers.js';
import { membersOfGroup, watchdogsOf } from '../../../support/processes.js';
import { type BrowserBehaviour, ScriptedProcesses } from '../../../support/scripted-processes.js';

after(assertNothingLeft);

const unforced = new AbortController().signal;

/** A lease and a scripted browser to be launched under it. */
function prepareLaunch(behaviour: BrowserBehaviour = 'normal', executable?: string) {
  const scripted = new ScriptedProcesses(scratchDir());
  scripted.setBrowsers(behaviour);
  const profileDir = join(scripted.dir, 'profile');
  mkdirSync(profileDir);
  const lost = new AbortController();
  const abandon = new AbortController();
  const lease = { lost: lost.signal, renewed: new Set<() => void>(), isHeld: true, ageMs: 0 };
  const launch = (browserStartMs = 30_000) =>
    launchBrowser({
      executable: executable ?? scripted.browserExecutable,
      profileDir,
      headless: true,
      identity: null,
      warn: assert.fail,
      extraArgs: [],
      environment: process.env,
      timing: { browserStartMs, guardTimeoutMs: 60_000 },
      lease,
      abandon: abandon.signal,
    });
  return { scripted, lease, lost, abandon, launch };
}

/** The pages that an attached client sees. */
async function pagesOf(browser: Browser): Promise<{ targetId: string; url: string }[]> {
  const port = browser.openPort();
  const { targetInfos } = await ask<{ targetInfos: { targetId: string; type: string; url: string }[] }>(
    port,
    'Target.getTargets',
  );
  port.close();
  return targetInfos.filter(({ type }) => type === 'page');
}

/** Whether a watchdog watches the browser. */
function isWatched({ pid }: Browser): boolean {
  return watchdogsOf(process.pid).some(({ commandLine }) => Number(commandLine.at(-2)) === pid);
}

async function assertGone(browser: Browser): Promise<void> {
  await eventually(() => membersOfGroup(browser.pid).length === 0 && !isWatched(browser));
}

test('a browser runs in its own process group with a watchdog, and ends at a stop', async () => {
  const browser = await prepareLaunch().launch();
  assert.deepEqual(
    membersOfGroup(browser.pid).map(({ pid }) => pid),
    [browser.pid],
  );
  await eventually(() => isWatched(browser));
  await browser.stop(10_000, unforced);
  assert.equal(await browser.exited, 'signal SIGTERM');
  assert.equal(browser.isAlive, false);
  await assertGone(browser);
});

test('the loss of the lease kills the browser and its helpers at once', async () => {
  const { scripted, launch, lost } = prepareLaunch();
  // A launcher with a helper in the browser's group.
  const launcher = join(scripted.dir, 'with-helper');
  writeFileSync(launcher, `#!/bin/sh\nsleep 600 &\nexec '${scripted.browserExecutable}' "$@"\n`);
  chmodSync(launcher, 0o755);
  const withHelper = prepareLaunch('normal', launcher);
  const [browser, other] = await Promise.all([withHelper.launch(), launch()]);
  assert.equal(membersOfGroup(browser.pid).length, 2);
  withHelper.lost.abort('the lock is held by another run');
  assert.equal(await browser.exited, 'signal SIGKILL');
  await assertGone(browser);
  assert.equal(other.isAlive, true, 'another lease is not affected');
  lost.abort();
  await assertGone(other);
});

test('each renewal of the lease beats the watchdog, until the browser ends', async () => {
  const { lease, launch } = prepareLaunch();
  const browser = await launch();
  assert.equal(lease.renewed.size, 1);
  for (const renewed of lease.renewed) renewed();
  await browser.kill();
  assert.equal(lease.renewed.size, 0);
  await assertGone(browser);
});

test('without a held lease the browser is not started', async () => {
  const { scripted, lease, launch } = prepareLaunch();
  lease.isHeld = false;
  await assert.rejects(launch(), /the browser is not needed any more/);
  assert.deepEqual(scripted.browsersEver(), []);
});

test('an abandoned start leaves no process', async () => {
  const { scripted, abandon, launch } = prepareLaunch('never listens');
  const launched = launch();
  await eventually(() => scripted.browsersAlive().length === 1);
  abandon.abort();
  await assert.rejects(launched, /the browser ended while it started \(signal SIGKILL\)/);
  assert.deepEqual(scripted.browsersAlive(), []);
});

test('a browser that does not answer in time is killed', async () => {
  const { scripted, launch } = prepareLaunch('never listens');
  await assert.rejects(launch(300), { message: 'the starting browser did not answer within 0.3 s' });
  await eventually(() => scripted.browsersAlive().length === 0);
});

test('a missing browser is an error with its path', async () => {
  const { launch } = prepareLaunch('normal', '/nonexistent/chromium');
  await assert.rejects(launch(), {
    code: 'browser_failed_to_start',
    message: 'the browser /nonexistent/chromium cannot be started: ENOENT',
  });
});

test('a stop reaches a frozen browser', async () => {
  const browser = await prepareLaunch().launch();
  process.kill(browser.pid, 'SIGSTOP');
  await browser.stop(10_000, unforced);
  assert.equal(await browser.exited, 'signal SIGTERM');
  await assertGone(browser);
});

test('a browser that ignores SIGTERM is killed after its grace, or at once when forced', async () => {
  const [patient, forced] = await Promise.all([
    prepareLaunch('ignores SIGTERM').launch(),
    prepareLaunch('ignores SIGTERM').launch(),
  ]);
  await Promise.all([patient.stop(50, unforced), forced.stop(600_000, AbortSignal.abort())]);
  assert.deepEqual(await Promise.all([patient.exited, forced.exited]), ['signal SIGKILL', 'signal SIGKILL']);
  await Promise.all([assertGone(patient), assertGone(forced)]);
});

test('a browser that keeps its pages cannot be used again', async () => {
  const browser = await prepareLaunch('keeps its pages').launch();
  assert.equal(await browser.renewPages(300), false);
  await browser.kill();
});

test('the flags open a debugging pipe, which ends the browser with its supervisor, and no port', () => {
  const flags = chromeFlags({ profileDir: '/profiles/a', headless: true, extra: ['--lang=de'] });
  for (const flag of [
    '--remote-debugging-pipe',
    '--user-data-dir=/profiles/a',
    '--headless=new',
    '--lang=de',
  ]) {
    assert.ok(flags.includes(flag), flag);
  }
  assert.ok(!flags.some((flag) => flag.startsWith('--remote-debugging-port')));
  assert.equal(flags.at(-1), preparedPage);
  assert.ok(!chromeFlags({ profileDir: '/p', headless: false, extra: [] }).includes('--headless=new'));
});

test('the flags disable no security check of pages, and add the features that the operator names', () => {
  const of = (which: string, extra: string[]) =>
    chromeFlags({ profileDir: '/p', headless: true, extra }).filter((flag) =>
      flag.startsWith(`--${which}-features=`),
    );
  for (const which of ['disable', 'enable']) {
    const [ours = '', ...more] = of(which, []);
    assert.deepEqual(more, []);
    assert.doesNotMatch(
      ours,
      /LocalNetworkAccess|IsolateOrigins|(?<!SpareRendererFor)SitePerProcess|WebSecurity/,
    );
    assert.deepEqual(of(which, ['--lang=de', `--${which}-features=A,B`, `--${which}-features=C`]), [
      `${ours},A,B,C`,
    ]);
  }
});

test('Chromium opens only the prepared page, also for the next thread', async () => {
  const { chromeExecutable } = loadConfig('all', { PATH: process.env.PATH });
  const browser = await prepareLaunch('normal', chromeExecutable).launch();
  try {
    await eventually(async () => (await pagesOf(browser)).some(({ url }) => url === preparedPage));
    const before = await pagesOf(browser);
    assert.deepEqual(
      before.map(({ url }) => url),
      [preparedPage],
    );
    assert.equal(await browser.renewPages(10_000), true);
    // A page may be listed before it has its URL.
    const after = await eventually(async () => {
      const pages = await pagesOf(browser);
      assert.deepEqual(
        pages.map(({ url }) => url),
        [preparedPage],
      );
      return pages;
    });
    assert.notEqual(after[0]?.targetId, before[0]?.targetId);
  } finally {
    await browser.stop(0, unforced);
  }
  await assertGone(browser);
});

test('without a watchdog the browser is not started, and the error says why', async () => {
  const { PATH } = process.env;
  const stage = prepareLaunch();
  process.env.PATH = stage.scripted.dir;
  try {
    await assert.rejects(stage.launch(), {
      code: 'browser_failed_to_start',
      message: /^the watchdog of the browser cannot run: there is no bash on the PATH/,
    });
  } finally {
    process.env.PATH = PATH;
  }
  assert.deepEqual(stage.scripted.browsersAlive(), []);
});
