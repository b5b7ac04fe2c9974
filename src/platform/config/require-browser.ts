import { OperatorError } from '../../contract/errors.js';
import type { Config } from './config.js';

/** Throws {@link OperatorError} where a supervisor would have no browser to start. */
export function requireBrowser({ chromeExecutable }: Pick<Config, 'chromeExecutable'>): void {
  if (chromeExecutable !== '') return;
  throw new OperatorError(
    'no Chromium or Chrome was found on this machine: install one (apt-get install chromium), or name it in WHATSAPP_CHROME_EXECUTABLE',
  );
}
