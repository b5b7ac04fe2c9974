import { preparedPage } from '../../contract/names.js';

const disabledFeatures = [
  ...['Translate', 'MediaRouter', 'OptimizationHints', 'AcceptCHFrame'],
  // Pages for the pop-ups of an address bar that nobody sees: a process of 50 MB, and a third of what a start computes.
  ...['WebUIOmniboxPopup', 'WebUIOmniboxAimPopup'],
];

const disableFeatures = '--disable-features=';

/** What whatsapp-web.js would pass to a browser that it launched itself, and what a server wants besides. */
export function chromeFlags(options: {
  profileDir: string;
  headless: boolean;
  extra: readonly string[];
}): string[] {
  // The last of two such flags would replace the first: the operator's features come on top of ours.
  const isOfFeatures = (argument: string) => argument.startsWith(disableFeatures);
  const features = options.extra
    .filter(isOfFeatures)
    .map((argument) => argument.slice(disableFeatures.length));
  const isRoot = process.getuid?.() === 0;
  return [
    ...(options.headless ? ['--headless=new'] : []),
    // Chromium refuses to run as root inside its sandbox.
    ...(isRoot ? ['--no-sandbox'] : []),
    `--user-data-dir=${options.profileDir}`,
    // Ends the browser with its supervisor, and is the only way to it.
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
    // A page that nobody looks at must not be throttled.
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
    ...options.extra.filter((argument) => !isOfFeatures(argument)),
    preparedPage,
  ];
}
