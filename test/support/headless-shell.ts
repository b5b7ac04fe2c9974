import { existsSync } from 'node:fs';

const HEADLESS_SHELL = '/usr/bin/chromium-headless-shell';

/**
 * The old headless Chromium, a program of its own; undefined: it is not installed. There `navigator.credentials.get()` fails at
 * once, while it stays pending in Chromium with `--headless=new`. Chromium takes `--headless=old` for `--headless=new`.
 */
export function findHeadlessShell(): string | undefined {
  return existsSync(HEADLESS_SHELL) ? HEADLESS_SHELL : undefined;
}

export const headlessShellMissing = 'apt-get install chromium-headless-shell';
