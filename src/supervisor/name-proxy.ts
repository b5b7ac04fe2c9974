import type { IncarnationExit } from '../contract/exit-reasons.js';
import { proxyHost } from '../contract/proxy.js';

/** If WhatsApp was not reached, the sentence names the proxy of the browser. `server`: null without a proxy. */
export function nameProxy(exit: IncarnationExit, server: string | null): IncarnationExit {
  if (server === null || exit.reason !== 'whatsapp_unreachable') return exit;
  const named = `the proxy ${proxyHost(server)}`;
  const message = exit.message.includes('the proxy')
    ? exit.message.replace('the proxy', named)
    : `${exit.message}, through ${named}`;
  return { ...exit, message };
}
