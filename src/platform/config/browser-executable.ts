import { delimiter, join, resolve } from 'node:path';
import { OperatorError } from '../../contract/errors.js';
import { isExecutableFile } from '../files.js';

/** In the order of preference. */
const browserNames = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'chrome'];

/**
 * The configured browser, or else the first on the `PATH`, as an absolute path where one was configured. `''` where it is
 * not an executable file.
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

/** Throws {@link OperatorError} where no browser was found: a supervisor needs one. */
export function requireBrowser({ chromeExecutable }: { readonly chromeExecutable: string }): void {
  if (chromeExecutable !== '') return;
  throw new OperatorError(
    'no Chromium or Chrome was found on this machine: install one (apt-get install chromium), or name it in WHATSAPP_CHROME_EXECUTABLE',
  );
}
