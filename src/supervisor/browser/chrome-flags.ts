import { preparedPage } from '../../contract/names.js';

const disabledFeatures = [
  ...['Translate', 'MediaRouter', 'OptimizationHints', 'AcceptCHFrame'],
  // Pages for the pop-ups of the address bar: a process of 50 MB, and a third of the CPU time of a start.
  ...['WebUIOmniboxPopup', 'WebUIOmniboxAimPopup'],
];

const disableFeatures = '--disable-features=';

/** The flags that whatsapp-web.js would use to launch a browser, and those that a server needs in addition. */
export function chromeFlags(options: {
  profileDir: string;
  headless: boolean;
  extra: readonly string[];
}): string[] {
  // Of two `--disable-features` only the last one would count, so the operator's features are added to ours.
  const isFeaturesFlag = (argument: string) => argument.startsWith(disableFeatures);
  const features = options.extra
    .filter(isFeaturesFlag)
    .map((argument) => argument.slice(disableFeatures.length));
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
    `${disableFeatures}${[...disabledFeatures, ...features].join()}`,
    '--metrics-recording-only',
    '--mute-audio',
    '--no-default-browser-check',
    '--no-first-run',
    '--no-service-autorun',
    '--password-store=basic',
    '--use-mock-keychain',
    '--window-size=1280,900',
    ...options.extra.filter((argument) => !isFeaturesFlag(argument)),
    preparedPage,
  ];
}
