import { delimiter, join, resolve } from 'node:path';
import { OperatorError } from '../../contract/errors.js';
import { isExecutableFile } from '../files.js';

/** In the order of preference. */
const browserNames = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'chrome'];

/**
 * Finds the browser: the configured one, or else the first of {@link browserNames} on the `PATH`. A configured path becomes
 * absolute. Returns `''` if there is no such executable file.
 */
export function findBrowser(configured: string | undefined, path: string): string {
  const candidates =
    configured !== undefined
      ? [resolve(configured)]
      : browserNames.flatMap((name) =>
          path
            .split(delimiter)
            .filter(Boolean)
            .map((dir) => join(dir, name)),
        );
  return candidates.find(isExecutableFile) ?? '';
}

/** Throws an {@link OperatorError} if no browser was found. Only a supervisor needs one. */
export function requireBrowser({ chromeExecutable }: { readonly chromeExecutable: string }): void {
  if (chromeExecutable !== '') return;
  throw new OperatorError(
    'no Chromium or Chrome was found on this machine: install one (apt-get install chromium), or name it in WHATSAPP_CHROME_EXECUTABLE',
  );
}
