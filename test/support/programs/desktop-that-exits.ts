import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { DesktopBrowser } from '../../../src/passkey/desktop-browser.js';
import { desktopArgs } from '../owner-desktop.js';

/** Opens the browser of `npm run passkey`, and ends without closing it. */
await DesktopBrowser.start(
  {
    ...{ executable: '/usr/bin/chromium', profile: undefined, args: desktopArgs, environment: process.env },
    say: () => undefined,
  },
  new AbortController().signal,
);
const profiles = readdirSync(tmpdir()).filter((name) => name.startsWith('holdline-passkey-'));
process.stdout.write(`profiles: ${profiles.length}\n`, () => process.exit(130));
