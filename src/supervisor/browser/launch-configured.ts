import type { Config } from '../../platform/config/config.js';
import { unlessAborted } from '../../platform/deadline.js';
import type { Logger } from '../../platform/logger.js';
import { type Browser, type BrowserOptions, launchBrowser } from './browser.js';
import { browserSettings } from './browser-settings.js';

type OwnOptions = Pick<BrowserOptions, 'profileDir' | 'proxy' | 'lease' | 'abandon'>;

/** Starts the browser of a session, with the settings of this supervisor. */
export async function launchConfigured(config: Config, own: OwnOptions, log: Logger): Promise<Browser> {
  const warn = (why: string) => log.warn({ why }, 'keeping the user agent that says HeadlessChrome');
  const settings = await unlessAborted(browserSettings(config, warn), own.abandon);
  return launchBrowser({ ...settings, ...own });
}
