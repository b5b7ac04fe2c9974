import type { IncomingMessage } from 'node:http';
import { type BoundName, bounds } from '../../contract/bounds.js';
import { ApiError } from '../../contract/errors.js';
import type { BodyMemory, FullBodyMemory } from './body-memory.js';
import { invalidRequest } from './issues.js';
import { assertSimpleJson } from './json-scan.js';

/** How long the body of a route may be. */
export type BodyBound = Extract<BoundName, 'body' | 'longBody' | 'formBody'>;

/** A request of which the body is to be read. */
export interface Bodied {
  readonly request: IncomingMessage;
  readonly bodyRoom: BodyMemory;
  readonly callerName: string;
}

const drainMs = 2_000;

/**
 * The body as a JSON object; an empty one counts as `{}`, an absent `Content-Type` as JSON.
 * Throws, in this order: `unsupported_media_type`, `body_too_large`, `invalid_json`, `invalid_request`; `rate_limited` where too
 * much is read at once.
 */
export async function readJsonObject(bodied: Bodied, bound: BodyBound): Promise<Record<string, unknown>> {
  const value = await readJson(bodied, bound);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidRequest([{ path: '', message: 'must be a JSON object' }], { beginning: 'the body ' });
  }
  return value as Record<string, unknown>;
}

/** The same, whatever JSON it is. */
export async function readJson(bodied: Bodied, bound: BodyBound): Promise<unknown> {
  assertJson(bodied.request);
  const bytes = await readBytes(bodied, bound);
  return bytes.length === 0 ? {} : parseJson(bytes);
}

/** What a browser's form sends. Throws as the above. */
export async function readForm(bodied: Bodied): Promise<URLSearchParams> {
  const { request } = bodied;
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/x-www-form-urlencoded') {
    request.resume();
    throw new ApiError('unsupported_media_type', 'the body must be application/x-www-form-urlencoded');
  }
  return new URLSearchParams((await readBytes(bodied, 'formBody')).toString());
}

function assertJson(request: IncomingMessage): void {
  const type = request.headers['content-type'];
  const encoding = request.headers['content-encoding'];
  const isJson = type === undefined || isJsonInUtf8(type);
  if (isJson && (encoding === undefined || encoding.toLowerCase() === 'identity')) return;
  request.resume();
  throw new ApiError('unsupported_media_type', 'the body must be application/json, UTF-8, not compressed');
}

function isJsonInUtf8(contentType: string): boolean {
  const [type, ...parameters] = contentType.split(';').map((part) => part.trim().toLowerCase());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))?.slice(8);
  return type === 'application/json' && (charset === undefined || /^"?utf-?8"?$/.test(charset));
}

async function readBytes(bodied: Bodied, bound: BodyBound): Promise<Buffer> {
  const { request, bodyRoom, callerName } = bodied;
  // It may have been cut off while something else was waited for.
  if (request.destroyed) throw cutOff();
  if (Number(request.headers['content-length'] ?? 0) > bounds[bound]) throw tooLarge(request, bound);
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    await new Promise<void>((resolve, reject) => {
      request.on('data', (chunk: Buffer) => {
        const isTooLong = size + chunk.length > bounds[bound];
        const full = isTooLong ? null : bodyRoom.take(callerName, chunk.length);
        if (!isTooLong && full === null) {
          size += chunk.length;
          chunks.push(chunk);
          return;
        }
        chunks.length = 0;
        request.removeAllListeners('data');
        reject(full === null ? tooLarge(request, bound) : noRoom(request, full));
      });
      request.once('end', resolve);
      request.once('error', () => reject(cutOff()));
      request.once('close', () => reject(cutOff()));
    });
    return Buffer.concat(chunks, size);
  } finally {
    bodyRoom.give(callerName, size);
  }
}

function tooLarge(request: IncomingMessage, bound: BodyBound): ApiError {
  drain(request);
  return new ApiError('body_too_large', `a body may have at most ${bounds[bound]} bytes here`, { bound });
}

function noRoom(request: IncomingMessage, bound: FullBodyMemory): ApiError {
  drain(request);
  const whose = bound === 'bodiesPerCaller' ? ' of one caller' : '';
  const most = `${bounds[bound]} bytes of bodies${whose}`;
  return new ApiError('rate_limited', `more than ${most} come in at once; try again, or another replica`, {
    ...{ headers: { 'retry-after': '1' }, bound },
  });
}

/**
 * The rest is thrown away as it comes, for a while: closing at once would reset the connection, and a client
 * in the middle of its upload would never see the answer.
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

function parseJson(bytes: Buffer): unknown {
  assertSimpleJson(bytes);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new ApiError('invalid_json', 'the body is not valid JSON in UTF-8', { cause });
  }
}
