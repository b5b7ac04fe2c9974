import type { IncomingMessage } from 'node:http';
import { type BoundName, bounds } from '../../contract/bounds.js';
import { ApiError } from '../../contract/errors.js';
import type { BodyMemory, BodyMemoryBound } from './in-flight.js';
import { assertSimpleJson } from './json-complexity.js';
import { invalidRequest } from './validation.js';

/** Bounds on the length of a body. Each route has one of them. */
export type BodyBound = Extract<BoundName, 'body' | 'longBody' | 'formBody'>;

/** A request whose body is to be read. */
interface RequestWithBody {
  readonly request: IncomingMessage;
  readonly bodyMemory: BodyMemory;
  readonly callerName: string;
}

/** The limits of a JSON body, as a sentence. */
export function bodyLimits(bound: BodyBound): string {
  return `At most ${bounds[bound]} bytes, with ${bounds.jsonValues} values in ${bounds.jsonDepth} levels.`;
}

const drainMs = 2_000;

/**
 * Reads the body as a JSON object. An empty body counts as `{}`, an absent `Content-Type` as JSON. Throws, in this order:
 * `unsupported_media_type`, `body_too_large`, `invalid_json`, `invalid_request`; `rate_limited` if too many bytes of bodies are in
 * flight.
 */
export async function readJsonObject(
  exchange: RequestWithBody,
  bound: BodyBound,
): Promise<Record<string, unknown>> {
  const value = await readJson(exchange, bound);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidRequest([{ path: '', message: 'must be a JSON object' }], { beginning: 'the body ' });
  }
  return value as Record<string, unknown>;
}

/** Like {@link readJsonObject}, for any JSON value. */
export async function readJson(exchange: RequestWithBody, bound: BodyBound): Promise<unknown> {
  assertJson(exchange.request);
  const bytes = await readBytes(exchange, bound);
  return bytes.length === 0 ? {} : parseBody(bytes);
}

/** Reads the body that an HTML form sends. `mayBeLong`: which forms may be as long as a JSON body. Throws like {@link readJsonObject}. */
export async function readForm(
  exchange: RequestWithBody,
  mayBeLong?: (form: URLSearchParams) => boolean,
): Promise<URLSearchParams> {
  const { request } = exchange;
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/x-www-form-urlencoded') {
    request.resume();
    throw new ApiError('unsupported_media_type', 'the body must be application/x-www-form-urlencoded');
  }
  const bytes = await readBytes(exchange, mayBeLong === undefined ? 'formBody' : 'body');
  const form = new URLSearchParams(bytes.toString());
  if (bytes.length > bounds.formBody && mayBeLong?.(form) === false) throw bodyTooLarge('formBody');
  return form;
}

function assertJson(request: IncomingMessage): void {
  const type = request.headers['content-type'];
  const encoding = request.headers['content-encoding'];
  const isJson = type === undefined || isJsonInUtf8(type);
  if (isJson && (encoding === undefined || encoding.toLowerCase() === 'identity')) return;
  request.resume();
  const isForm = type?.toLowerCase().startsWith('application/x-www-form-urlencoded') === true;
  const wayOut = isForm ? "; with curl, add -H 'Content-Type: application/json'" : '';
  throw new ApiError(
    'unsupported_media_type',
    `the body must be application/json, UTF-8, not compressed${wayOut}`,
  );
}

function isJsonInUtf8(contentType: string): boolean {
  const [type, ...parameters] = contentType.split(';').map((part) => part.trim().toLowerCase());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))?.slice(8);
  return type === 'application/json' && (charset === undefined || /^"?utf-?8"?$/.test(charset));
}

async function readBytes(exchange: RequestWithBody, bound: BodyBound): Promise<Buffer> {
  const { request, bodyMemory, callerName } = exchange;
  // The client may have left before the read.
  if (request.destroyed) throw cutOff();
  if (Number(request.headers['content-length'] ?? 0) > bounds[bound]) throw tooLarge(request, bound);
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    await new Promise<void>((resolve, reject) => {
      request.on('data', (chunk: Buffer) => {
        const isTooLong = size + chunk.length > bounds[bound];
        const reached = isTooLong ? null : bodyMemory.reserve(callerName, chunk.length);
        if (!isTooLong && reached === null) {
          size += chunk.length;
          chunks.push(chunk);
          return;
        }
        chunks.length = 0;
        request.removeAllListeners('data');
        reject(reached === null ? tooLarge(request, bound) : noRoom(request, reached));
      });
      request.once('end', resolve);
      request.once('error', () => reject(cutOff()));
      request.once('close', () => reject(cutOff()));
    });
    return Buffer.concat(chunks, size);
  } finally {
    bodyMemory.release(callerName, size);
  }
}

function tooLarge(request: IncomingMessage, bound: BodyBound): ApiError {
  drain(request);
  return bodyTooLarge(bound);
}

function bodyTooLarge(bound: BodyBound): ApiError {
  return new ApiError('body_too_large', `a body may have at most ${bounds[bound]} bytes here`, { bound });
}

function noRoom(request: IncomingMessage, bound: BodyMemoryBound): ApiError {
  drain(request);
  const whose = bound === 'bodiesPerCaller' ? ' of one caller' : '';
  const most = `${bounds[bound]} bytes of bodies${whose}`;
  return new ApiError('rate_limited', `more than ${most} arrive at once; try again, or use another replica`, {
    ...{ headers: { 'retry-after': '1' }, bound },
  });
}

/**
 * Discards the rest of the body for {@link drainMs}, then closes the connection. Closing it at once would reset it, and a client
 * that is still uploading would never see the response.
 */
function drain(request: IncomingMessage): void {
  request.resume();
  const timer = setTimeout(() => request.destroy(), drainMs);
  request.once('close', () => clearTimeout(timer));
}

function cutOff(): ApiError {
  return new ApiError('invalid_request', 'the body was cut off', {
    details: { issues: [{ path: '', message: 'ended before its announced length' }] },
  });
}

function parseBody(bytes: Buffer): unknown {
  assertSimpleJson(bytes);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new ApiError('invalid_json', 'the body is not valid JSON in UTF-8', { cause });
  }
}
