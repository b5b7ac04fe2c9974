import { messageOf } from '../../contract/errors.js';
import { type DebuggingPipe, TargetGoneError } from './debugging-pipe.js';

/** What a browser says of itself: parameters of `Emulation.setUserAgentOverride`. */
export interface Identity {
  readonly userAgent: string;
  /** Languages, separated by commas; left out: the browser's own. */
  readonly acceptLanguage?: string;
  readonly userAgentMetadata: object;
}

interface Attached {
  readonly sessionId: string;
  readonly targetInfo: { readonly type: string };
  readonly waitingForDebugger: boolean;
}

const platformNames: Readonly<Record<string, string>> = {
  linux: 'Linux',
  darwin: 'macOS',
  win32: 'Windows',
};

/** Whatever may hold a script or send a request. */
const types = ['page', 'iframe', 'worker', 'service_worker', 'shared_worker'];

/** The identity of Chromium of this version, with the client hints that it has beside a user agent on its command line. */
export function identityOf(options: {
  version: string;
  userAgent: string;
  languages: readonly string[];
  platform: string;
}): Identity {
  const { version, userAgent, languages, platform } = options;
  return {
    userAgent,
    ...(languages.length > 0 ? { acceptLanguage: languages.join() } : {}),
    userAgentMetadata: {
      brands: brandsOf(Number(version.split('.', 1)[0])),
      fullVersionList: [],
      platform: platformNames[platform] ?? '',
      ...{ platformVersion: '', architecture: '', bitness: '', model: '', mobile: false },
    },
  };
}

/**
 * Gives every page, frame and worker of a browser this identity before its first script runs and its first request is sent. The
 * headless shell needs it: it adds HeadlessChrome to its client hints, and no argument prevents that. `warn`: told at the first one
 * that does not take it.
 */
export async function overrideIdentity(
  pipe: Pick<DebuggingPipe, 'command' | 'on'>,
  identity: Identity,
  warn: (message: string) => void,
): Promise<void> {
  const attach = (session?: string) =>
    pipe.command(
      'Target.setAutoAttach',
      {
        autoAttach: true,
        waitForDebuggerOnStart: true,
        flatten: true,
        filter: types.map((type) => ({ type })),
      },
      undefined,
      session,
    );
  let [isBeginning, hasWarned] = [true, false];
  const onFailed = (error: unknown) => {
    if (hasWarned || error instanceof TargetGoneError) return;
    hasWarned = true;
    warn(`a page or worker may call itself HeadlessChrome: ${messageOf(error)}`);
  };
  pipe.on('Target.attachedToTarget', (event) => {
    const { sessionId, targetInfo, waitingForDebugger } = event as unknown as Attached;
    // Later, one that does not wait has this identity already, and is attached once more.
    if (!types.includes(targetInfo.type) || !(waitingForDebugger || isBeginning)) return;
    // In this order, without waiting.
    pipe.command('Emulation.setUserAgentOverride', identity, undefined, sessionId).catch(onFailed);
    attach(sessionId).catch(() => undefined);
    pipe.command('Runtime.runIfWaitingForDebugger', {}, undefined, sessionId).catch(() => undefined);
  });
  await attach();
  isBeginning = false;
}

/** The brands of Chromium, as it makes them of its version (components/embedder_support/user_agent_utils.cc). */
function brandsOf(major: number): { brand: string; version: string }[] {
  const signs = [' ', '(', ':', '-', '.', '/', ')', ';', '=', '?', '_'];
  const signAt = (index: number) => signs[index % signs.length] ?? '';
  const made = {
    brand: `Not${signAt(major)}A${signAt(major + 1)}Brand`,
    version: ['8', '99', '24'][major % 3] ?? '',
  };
  const own = { brand: 'Chromium', version: String(major) };
  return major % 2 === 0 ? [made, own] : [own, made];
}
