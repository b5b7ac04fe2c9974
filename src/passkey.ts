import { parseArgs } from 'node:util';
import { runCommand, UsageError } from './backup/command.js';
import { messageOf } from './contract/errors.js';
import { defaultSession, isSessionName } from './contract/names.js';
import { checkProfile, findDesktopBrowser } from './passkey/desktop-browser.js';
import { Gateway } from './passkey/gateway.js';
import { linkWithPasskey } from './passkey/link.js';
import { ownTerminal } from './passkey/terminal.js';
import { typedPath } from './platform/config/config.js';
import { isLoopbackUrl } from './platform/loopback.js';

const usage =
  'usage: npm run passkey -- --url URL [--session NAME] [--key KEY] [--profile DIR] [--browser PATH]';

/** `npm run passkey`, on the owner's own desktop. Exit code 0: linked; 64: called wrongly; 78: not linked; 130: aborted. */
await runCommand(usage, async (signal) => {
  const { help, url, key, session = defaultSession, ...typed } = readArguments();
  if (help) return void process.stdout.write(`${usage}\n`);
  if (url === undefined) throw new UsageError('give the URL of the server with --url');
  if (!isSessionName(session))
    throw new UsageError('the name of a session is 1-64 characters of a-z, 0-9 and -');
  const { HOLDLINE_KEY, WHATSAPP_CHROME_EXECUTABLE, PATH = '' } = process.env;
  const [profile, browser] = [typed.profile, typed.browser].map(
    (path) => path && typedPath(path, process.env),
  );
  const gateway = new Gateway(url, key || HOLDLINE_KEY || undefined, session);
  const executable = findDesktopBrowser(browser ?? (WHATSAPP_CHROME_EXECUTABLE || undefined), PATH);
  if (profile !== undefined) await checkProfile(profile);
  const terminal = ownTerminal();
  if (new URL(url).protocol === 'http:' && !isLoopbackUrl(url)) {
    terminal.say('this server is not called by https: whoever is on the way can read the key and the answer');
  }
  await linkWithPasskey({
    ...{ gateway, terminal, signal },
    browser: { executable, profile, environment: withoutSecrets(process.env), say: terminal.say },
  });
});

function withoutSecrets(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const isOurs = (name: string) => /^(?:HOLDLINE_|WHATSAPP_|REDIS_URL$)/.test(name);
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !isOurs(name)));
}

function readArguments() {
  const string = { type: 'string' } as const;
  try {
    const options = {
      help: { type: 'boolean', short: 'h' },
      url: string,
      key: string,
      session: string,
      profile: string,
      browser: string,
    } as const;
    return parseArgs({ options }).values;
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}
