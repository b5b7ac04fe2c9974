import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { type BoundName, bounds, type OnBound } from '../../contract/bounds.js';
import { ApiError } from '../../contract/errors.js';
import { rawErrorResponse } from './responses.js';
import { everyMethod } from './router.js';
import { invalidRequest } from './validation.js';

/** Answers a request that the HTTP parser refused, with an error of the usual shape, and closes the connection. */
export function sendClientError(
  error: { code?: string },
  socket: Duplex,
  isReadingBody: boolean,
  onBound: OnBound,
): void {
  if (!socket.writable || hasBegunResponse(socket) || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, reason, refusal] = refusalOf(error.code, isReadingBody);
  if (refusal.bound !== null) onBound(refusal.bound);
  socket.end(rawErrorResponse(status, reason, refusal, randomUUID()), () => socket.destroy());
}

function refusalOf(code: string | undefined, isReadingBody: boolean): [number, string, ApiError] {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return [
        431,
        'Request Header Fields Too Large',
        invalid(`the request header is larger than ${bounds.requestHeader} bytes`, 'requestHeader'),
      ];
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return [408, 'Request Timeout', tooSlow(isReadingBody ? 'requestTime' : 'headerTime')];
    case 'CONNECT':
      return [
        405,
        'Method Not Allowed',
        new ApiError('method_not_allowed', 'this is not a proxy', {
          headers: { allow: everyMethod.join(', ') },
        }),
      ];
    default:
      return [400, 'Bad Request', invalid('this is not a valid HTTP/1.1 request')];
  }
}

function tooSlow(bound: 'requestTime' | 'headerTime'): ApiError {
  const what = bound === 'requestTime' ? 'the request' : 'the header of the request';
  return invalid(`${what} did not arrive within ${bounds[bound] / 1_000} s`, bound);
}

function invalid(message: string, bound?: BoundName): ApiError {
  return invalidRequest([{ path: '', message }], { bound });
}

/** Then no error can be sent: the client would read its status line as part of the first response's body. */
function hasBegunResponse(socket: Duplex): boolean {
  const message = (socket as { _httpMessage?: { headersSent?: boolean } })._httpMessage;
  return message?.headersSent === true;
}
