import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { requireBrowser } from '../platform/config/browser-executable.js';
import type { Config } from '../platform/config/config.js';
import { endlessLease, launchBrowser } from '../supervisor/browser/browser.js';
import { browserSettings } from '../supervisor/browser/browser-settings.js';
import { type Check, ok, type Verdict, warning } from './check.js';

const versionTimeoutMs = 10_000;

/** Starts the browser as a supervisor does, on a temporary profile. */
export function browserChecks(config: Config): Check[] {
  return [
    {
      name: 'browser',
      async run() {
        requireBrowser(config);
        return [await versionVerdict(config), ...(await startVerdicts(config))];
      },
    },
    { name: 'sandbox', run: async () => sandboxVerdict(config, process.getuid?.() === 0) },
  ];
}

async function versionVerdict({ browser, chromeExecutable, browserEnvironment }: Config): Promise<Verdict> {
  const options = { timeout: versionTimeoutMs, env: browserEnvironment };
  try {
    const { stdout } = await promisify(execFile)(chromeExecutable, ['--version'], options);
    const kind = browser === 'shell' ? ', headless shell' : '';
    return ok(`${stdout.trim()}${kind} (${chromeExecutable})`);
  } catch {
    return warning(`${chromeExecutable} does not say its version`);
  }
}

async function startVerdicts(config: Config): Promise<Verdict[]> {
  const profileDir = await mkdtemp(join(tmpdir(), 'holdline-doctor-'));
  const warnings: string[] = [];
  const settings = await browserSettings(config, (message) => warnings.push(message));
  const startedAt = performance.now();
  try {
    const browser = await launchBrowser({
      ...settings,
      profileDir,
      lease: endlessLease(),
      abandon: new AbortController().signal,
    });
    const startMs = performance.now() - startedAt;
    await browser.kill();
    return [ok(`it starts, in ${(startMs / 1_000).toFixed(1)} s`), ...warnings.map(warning)];
  } finally {
    await rm(profileDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

export function sandboxVerdict({ chromeArgs }: Pick<Config, 'chromeArgs'>, isRoot: boolean): Verdict {
  if (isRoot) return warning('off, because this user is root: run Holdline as another user');
  if (chromeArgs.includes('--no-sandbox')) {
    return warning(
      'off, because WHATSAPP_CHROME_ARGS has --no-sandbox: leave that out if the browser starts without it',
    );
  }
  return ok('on');
}
