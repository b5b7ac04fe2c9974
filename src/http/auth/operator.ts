import { ApiError } from '../../contract/errors.js';
import { parseAuthority } from '../../platform/authority.js';
import { isLoopbackAddress, isLoopbackHost, isLoopbackUrl } from '../../platform/loopback.js';
import { addressOf } from '../core/client-ip.js';
import type { Exchange } from '../core/exchange.js';

/** With these a proxy says that the request is somebody else's. */
const proxyHeader =
  /^(?:forwarded|via|true-client-ip|x-(?:forwarded|original|real|client|cluster|envoy|scheme).*|(?:cf|fly)-.*)$/;

/** The hosts that a request names: whom it asks, and the page that makes it. */
const hostHeaders = ['origin', 'referer'] as const;

type Request = Pick<Exchange, 'request' | 'caller' | 'admission'>;

/**
 * Whether an admin may do what can give the account to whoever asks. Without configured keys everybody is an admin who reaches the
 * server, for example through a proxy. Then only requests made on this machine are the operator's, as far as they tell: a proxy may hide
 * that it is one.
 */
export function isOperator({ request, caller, admission }: Request): boolean {
  if (caller.scope !== 'admin') return false;
  if (caller.via !== 'configuration') return true;
  const { headers, socket } = request;
  const host = parseAuthority(headers.host ?? '');
  return (
    isLoopbackAddress(addressOf(socket)) &&
    // nginx speaks it to the server behind it, which it names as the host, unless it is told otherwise.
    request.httpVersion !== '1.0' &&
    host !== null &&
    isLoopbackHost(host.name) &&
    [admission.baseUrl, ...hostHeaders.flatMap((name) => headers[name] ?? [])].every(isLoopbackUrl) &&
    !Object.keys(headers).some((name) => proxyHeader.test(name))
  );
}

/** Throws `forbidden`. */
export function requireOperator(request: Request): void {
  if (isOperator(request)) return;
  throw new ApiError(
    'forbidden',
    'without API keys this is allowed only on the machine that runs the server, and not through a proxy; set WHATSAPP_API_KEYS to do it from elsewhere, or where WHATSAPP_PUBLIC_URL is not a loopback URL',
  );
}
