import { messageOf } from '../../contract/errors.js';
import type { Config } from '../../platform/config/config.js';
import type { BrowserOptions } from './browser.js';
import { browserVersion } from './browser-version.js';
import { type Identity, identityOf } from './identity-override.js';

type Settings = Pick<
  BrowserOptions,
  'executable' | 'headless' | 'identity' | 'warn' | 'extraArgs' | 'environment' | 'timing'
>;

type RelevantConfig = Pick<
  Config,
  | 'browser'
  | 'chromeExecutable'
  | 'chromeArgs'
  | 'headless'
  | 'browserEnvironment'
  | 'languages'
  | 'timeZone'
  | 'timing'
>;

/** Each warning is given once per process. */
const givenWarnings = new Set<string>();

/**
 * Command line and environment of a browser. With them it identifies itself in the same way in pages, workers, service workers
 * and requests, also after a navigation (docs/decisions/0017).
 */
export async function browserSettings(
  config: RelevantConfig,
  warn: (message: string) => void,
): Promise<Settings> {
  const { browser, chromeExecutable, chromeArgs, browserEnvironment, languages, timeZone, timing } = config;
  const { userAgent, identity } = await identify(config, warn);
  const extraArgs = [
    ...userAgent,
    ...(languages.length > 0 ? [`--accept-lang=${languages.join()}`] : []),
    // Last: of two equal flags the last one counts, so the operator's flag wins.
    ...chromeArgs,
  ];
  const environment = {
    ...browserEnvironment,
    ...(languages.length > 0 ? { LANGUAGE: languages.map(localeName).join(':') } : {}),
    ...(timeZone === null ? {} : { TZ: timeZone }),
  };
  // The shell knows no other mode.
  const headless = config.headless && browser !== 'shell';
  return { executable: chromeExecutable, headless, identity, warn, extraArgs, environment, timing };
}

/**
 * `userAgent`: an argument, only for a browser without a window: its user agent would say `HeadlessChrome`. `identity`: only for
 * the shell, whose client hints say it too.
 */
async function identify(
  config: RelevantConfig,
  warn: (message: string) => void,
): Promise<{ userAgent: string[]; identity: Identity | null }> {
  const { browser, chromeArgs, chromeExecutable, browserEnvironment, languages } = config;
  const { platform } = process;
  const isHeadless = config.headless || chromeArgs.some((argument) => argument.startsWith('--headless'));
  const given = chromeArgs.findLast((argument) => argument.startsWith(userAgentFlag));
  if (!isHeadless || (given !== undefined && browser !== 'shell')) return { userAgent: [], identity: null };
  try {
    const version = await browserVersion({ executable: chromeExecutable, environment: browserEnvironment });
    const userAgent = given?.slice(userAgentFlag.length) ?? chromeUserAgent(version, platform);
    if (userAgent === null) throw new Error(`the user agent of Chromium on ${platform} is not known`);
    return {
      userAgent: given === undefined ? [`${userAgentFlag}${userAgent}`] : [],
      identity: browser === 'shell' ? identityOf({ version, userAgent, languages, platform }) : null,
    };
  } catch (error) {
    const message = `the browser calls itself HeadlessChrome: ${messageOf(error)}`;
    if (!givenWarnings.has(message)) warn(message);
    givenWarnings.add(message);
    return { userAgent: [], identity: null };
  }
}

const userAgentFlag = '--user-agent=';

/** The platform in Chromium's user agent. It does not depend on the version or the processor. */
const platformNames: Readonly<Record<string, string>> = {
  linux: 'X11; Linux x86_64',
  darwin: 'Macintosh; Intel Mac OS X 10_15_7',
  win32: 'Windows NT 10.0; Win64; x64',
};

/** The user agent of this version with a window, in the reduced form that Chromium sends since 110; null: unknown platform. */
export function chromeUserAgent(version: string, platform: string): string | null {
  const name = platformNames[platform];
  if (name === undefined) return null;
  const major = version.split('.', 1)[0];
  return `Mozilla/5.0 (${name}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${major}.0.0.0 Safari/537.36`;
}

/** `de_DE` for `de-DE`, as environment variables need it. */
function localeName(tag: string): string {
  const { language, region } = new Intl.Locale(tag);
  return region === undefined ? language : `${language}_${region}`;
}
