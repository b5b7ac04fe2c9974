import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { type BoundName, bounds, type OnBound } from '../../contract/bounds.js';
import { ApiError } from '../../contract/errors.js';
import { invalidRequest } from './issues.js';
import { rawErrorAnswer } from './responses.js';

/** Answers what the HTTP parser gave up on, in the shape of every other refusal, and closes. */
export function answerClientError(
  error: { code?: string },
  socket: Duplex,
  isReadingBody: boolean,
  onBound: OnBound,
): void {
  if (!socket.writable || hasBegunAnAnswer(socket) || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, reason, refusal] = refusalOf(error.code, isReadingBody);
  if (refusal.bound !== null) onBound(refusal.bound);
  socket.end(rawErrorAnswer(status, reason, refusal, randomUUID()), () => socket.destroy());
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
      return [408, 'Request Timeout', late(isReadingBody ? 'requestTime' : 'headerTime')];
    case 'CONNECT':
      return [
        405,
        'Method Not Allowed',
        new ApiError('method_not_allowed', 'this is not a proxy', {
          headers: { allow: 'GET, HEAD, POST, OPTIONS' },
        }),
      ];
    default:
      return [400, 'Bad Request', invalid('this is not a valid HTTP/1.1 request')];
  }
}

function late(bound: 'requestTime' | 'headerTime'): ApiError {
  const what = bound === 'requestTime' ? 'the request' : 'the header of the request';
  return invalid(`${what} did not arrive within ${bounds[bound] / 1_000} s`, bound);
}

function invalid(message: string, bound?: BoundName): ApiError {
  return invalidRequest([{ path: '', message }], { bound });
}

/** A second status line within an answer would be read as part of its body. */
function hasBegunAnAnswer(socket: Duplex): boolean {
  const message = (socket as { _httpMessage?: { headersSent?: boolean } })._httpMessage;
  return message?.headersSent === true;
}
