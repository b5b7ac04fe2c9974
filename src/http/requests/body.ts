import type { IncomingMessage } from 'node:http';
import { ApiError } from '../../contract/errors.js';

const bodyLimitBytes = 1024 * 1024;
const formLimitBytes = 4_096;
const drainMs = 2_000;

/**
 * The body as a JSON object; an empty one counts as `{}`, an absent `Content-Type` as JSON.
 * Throws, in this order: `unsupported_media_type`, `body_too_large`, `invalid_json`, `invalid_request`.
 */
export async function readJsonObject(request: IncomingMessage): Promise<Record<string, unknown>> {
  const value = await readJson(request);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ApiError('invalid_request', 'the body must be a JSON object', {
      details: { issues: [{ path: '', message: 'must be a JSON object' }] },
    });
  }
  return value as Record<string, unknown>;
}

/** The same, whatever JSON it is. */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  assertJson(request);
  const bytes = await readBytes(request, bodyLimitBytes);
  return bytes.length === 0 ? {} : parseJson(bytes);
}

/** What a browser's form sends. Throws as the above. */
export async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/x-www-form-urlencoded') {
    request.resume();
    throw new ApiError('unsupported_media_type', 'the body must be application/x-www-form-urlencoded');
  }
  return new URLSearchParams((await readBytes(request, formLimitBytes)).toString());
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

async function readBytes(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  // It may have been cut off while something else was waited for.
  if (request.destroyed) throw cutOff();
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) throw tooLarge(request, limitBytes);
  const chunks: Buffer[] = [];
  let size = 0;
  await new Promise<void>((resolve, reject) => {
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > limitBytes) {
        request.removeAllListeners('data');
        reject(tooLarge(request, limitBytes));
      } else chunks.push(chunk);
    });
    request.once('end', resolve);
    request.once('error', () => reject(cutOff()));
    request.once('close', () => reject(cutOff()));
  });
  return Buffer.concat(chunks, size);
}

/**
 * The rest is thrown away as it comes, for a while: closing at once would reset the connection, and a client
 * in the middle of its upload would never see the answer.
 */
function tooLarge(request: IncomingMessage, limitBytes: number): ApiError {
  request.resume();
  const timer = setTimeout(() => request.destroy(), drainMs);
  request.once('close', () => clearTimeout(timer));
  return new ApiError('body_too_large', `a body may have at most ${limitBytes} bytes`);
}

function cutOff(): ApiError {
  return new ApiError('invalid_request', 'the body was cut off', {
    details: { issues: [{ path: '', message: 'ended before its announced length' }] },
  });
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new ApiError('invalid_json', 'the body is not valid JSON in UTF-8', { cause });
  }
}
