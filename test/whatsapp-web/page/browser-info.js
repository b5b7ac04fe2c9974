// What the page detects of this browser and its system. The phone shows the name of the system as that of the device.

/** `modules` returns the current modules, so that replaced ones take effect. */
export function browserModules({ miscBrowserInfo }, modules) {
  if (miscBrowserInfo) {
    return { WAWebMiscBrowserUtils: { info: () => described(parseUserAgent(navigator.userAgent)) } };
  }
  return {
    WAWebUA: { UA: { parser: { getResult: () => parseUserAgent(navigator.userAgent) } } },
    WAWebBrowserInfo: () => described(modules().WAWebUA.UA.parser.getResult()),
    // The module still exists, but without info().
    WAWebMiscBrowserUtils: { isDownloading: () => false },
  };
}

/** The device name for the server; empty if the module throws. */
export function deviceName({ miscBrowserInfo }, modules) {
  try {
    const info = miscBrowserInfo ? modules().WAWebMiscBrowserUtils.info() : modules().WAWebBrowserInfo();
    return String(info.os);
  } catch (error) {
    reportError(error);
    return '';
  }
}

const described = ({ os, browser }) => ({
  os: os.name,
  version: os.version,
  name: browser.name,
  ua: `${browser.name} ${browser.version}`,
});

const SYSTEMS = [
  [/Windows NT ([\d.]+)/, 'Windows'],
  [/Mac OS X ([\d_.]+)/, 'Mac OS'],
  [/CrOS \S+ ([\d.]+)/, 'Chromium OS'],
  [/Android ([\d.]+)/, 'Android'],
  [/Linux ?(\S*?)[;)]/, 'Linux'],
];
const BROWSERS = [
  [/Edg\/([\d.]+)/, 'Edge'],
  [/HeadlessChrome\/([\d.]+)/, 'Chrome Headless'],
  [/Chrome\/([\d.]+)/, 'Chrome'],
  [/Firefox\/([\d.]+)/, 'Firefox'],
  [/Version\/([\d.]+).*Safari/, 'Safari'],
];

function parseUserAgent(userAgent) {
  const find = (table) => {
    for (const [pattern, name] of table) {
      const [found, version = ''] = pattern.exec(userAgent) ?? [];
      if (found) return { name, version: version.replaceAll('_', '.').replace(/^10\.0$/, '10') };
    }
    return { name: undefined, version: undefined };
  };
  return { os: find(SYSTEMS), browser: find(BROWSERS) };
}
