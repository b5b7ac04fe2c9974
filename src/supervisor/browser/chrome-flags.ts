import { preparedPage } from '../../contract/names.js';

const disabledFeatures = [
  ...['Translate', 'MediaRouter', 'OptimizationHints', 'AcceptCHFrame'],
  // Pages for the pop-ups of the address bar: a process of 50 MB, and a third of the CPU time of a start.
  ...['WebUIOmniboxPopup', 'WebUIOmniboxAimPopup'],
  // A renderer in stock for a page that never comes: 5 MB.
  'SpareRendererForSitePerProcess',
];

/**
 * The network service runs in the browser's own process: 10 to 20 MB less. As a process of its own it has no sandbox on Linux either.
 * If that process crashed, it would take the login of a proxy with it, and sockets cannot log in again.
 */
const enabledFeatures = ['NetworkServiceInProcess2'];

/** The flags that whatsapp-web.js would use to launch a browser, and those that a server needs in addition. */
export function chromeFlags(options: {
  profileDir: string;
  headless: boolean;
  extra: readonly string[];
}): string[] {
  const [disabled, others] = takeFeatures('--disable-features=', options.extra);
  const [enabled, extra] = takeFeatures('--enable-features=', others);
  const isRoot = process.getuid?.() === 0;
  return [
    ...(options.headless ? ['--headless=new'] : []),
    // Chromium refuses to run as root inside its sandbox.
    ...(isRoot ? ['--no-sandbox'] : []),
    `--user-data-dir=${options.profileDir}`,
    // The only way to control the browser; when it closes with the supervisor, the browser exits.
    '--remote-debugging-pipe',
    '--disable-blink-features=AutomationControlled',
    '--disable-dev-shm-usage',
    '--disable-gpu',
    '--disable-quic',
    '--disable-extensions',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-domain-reliability',
    '--disable-sync',
    '--disable-breakpad',
    '--disable-crash-reporter',
    '--disable-hang-monitor',
    '--disable-default-apps',
    '--disable-popup-blocking',
    '--disable-prompt-on-repost',
    // A page without a viewer must not be throttled.
    '--disable-background-timer-throttling',
    '--disable-backgrounding-occluded-windows',
    '--disable-renderer-backgrounding',
    `--disable-features=${[...disabledFeatures, ...disabled].join()}`,
    `--enable-features=${[...enabledFeatures, ...enabled].join()}`,
    '--metrics-recording-only',
    '--mute-audio',
    '--no-default-browser-check',
    '--no-first-run',
    '--no-service-autorun',
    '--password-store=basic',
    '--use-mock-keychain',
    '--window-size=1280,900',
    ...extra,
    preparedPage,
  ];
}

/**
 * The features that the operator's arguments name, and the other arguments. Of two such arguments only the last one would count, so
 * the operator's features are added to ours. A feature that is both enabled and disabled is disabled.
 */
function takeFeatures(flag: string, extra: readonly string[]): [features: string[], others: string[]] {
  const isFlag = (argument: string) => argument.startsWith(flag);
  return [
    extra.filter(isFlag).map((argument) => argument.slice(flag.length)),
    extra.filter((argument) => !isFlag(argument)),
  ];
}
