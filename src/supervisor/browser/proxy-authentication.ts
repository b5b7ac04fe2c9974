import { whatsAppHost } from '../../contract/page.js';
import type { ProxyLogin } from '../../contract/proxy.js';
import type { DebuggingPipe } from './debugging-pipe.js';

/**
 * Only these requests wait for this process, and of these there are few: a page that loads has some of them, whatever its service
 * worker has stored. Chromium keeps the login of the proxy after the first one, and uses it for all other requests: of pages,
 * workers and service workers, for media and for sockets.
 */
const patterns = [
  { urlPattern: `https://${whatsAppHost}/*` },
  ...['Document', 'Script', 'Other'].map((resourceType) => ({ urlPattern: '*', resourceType })),
];

interface Paused {
  readonly requestId: string;
}

interface AuthRequired extends Paused {
  readonly authChallenge: { readonly source?: string };
}

/**
 * Answers the proxy's questions for a user name and a password, for the whole browser. They are on no command line. A question that
 * is repeated means that they are wrong: then the request gets the proxy's refusal.
 */
export async function authenticateToProxy(
  pipe: Pick<DebuggingPipe, 'command' | 'on'>,
  login: ProxyLogin,
): Promise<void> {
  const asked = new Set<string>();
  // The request may be over.
  const answer = (method: string, params: object) => void pipe.command(method, params).catch(() => undefined);
  pipe.on('Fetch.requestPaused', (event, session) => {
    if (session !== undefined) return;
    const { requestId } = event as unknown as Paused;
    answer('Fetch.continueRequest', { requestId });
  });
  pipe.on('Fetch.authRequired', (event, session) => {
    if (session !== undefined) return;
    const { requestId, authChallenge } = event as unknown as AuthRequired;
    const respond = (response: object) =>
      answer('Fetch.continueWithAuth', { requestId, authChallengeResponse: response });
    if (authChallenge.source !== 'Proxy') return respond({ response: 'Default' });
    if (asked.delete(requestId)) return respond({ response: 'CancelAuth' });
    asked.add(requestId);
    respond({ response: 'ProvideCredentials', ...login });
  });
  await pipe.command('Fetch.enable', { handleAuthRequests: true, patterns });
}
