import { z } from 'zod';
import { messageOf, OperatorError } from '../contract/errors.js';
import { parseJson } from '../contract/json.js';
import { defaultSession, pathOfSession } from '../contract/names.js';
import { operations } from '../contract/operations.js';
import type { PasskeyCredential } from '../contract/passkey.js';
import { abortAfter } from '../platform/deadline.js';

/** How long one call may take. The server lets a POST wait for up to 60 s. */
const deadlinesMs = { GET: 30_000, POST: 70_000 } as const;
type Method = keyof typeof deadlinesMs;
const maxBytes = 256 * 1_024;

const viewSchema = operations.passkey.output;
const statusSchema = z.object({ state: z.string(), last_error: z.string().nullable() });
const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

export type PasskeyView = z.infer<typeof viewSchema>;
type GatewayStatus = z.infer<typeof statusSchema>;

/** The server refused a call; the message is its own. */
export class RefusedError extends Error {
  readonly code: string;
  /** Later the same call may be taken. */
  readonly isTemporary: boolean;

  constructor(code: string, message: string, isTemporary: boolean) {
    super(message);
    this.code = code;
    this.isTemporary = isTemporary;
  }
}

/** The server cannot be reached, or is not able to answer now. */
export class UnavailableError extends OperatorError {}

interface Answer {
  readonly status: number;
  readonly hasRetryAfter: boolean;
  readonly body: unknown;
}

/** The calls of the API that link with a passkey. No error contains the key, an answer or options. */
export class Gateway {
  /** Without a slash at the end. */
  readonly url: string;
  readonly #key: string | undefined;
  readonly #session: string;

  /** Throws an {@link OperatorError} if the URL or the key cannot be used. */
  constructor(url: string, key: string | undefined, session = defaultSession) {
    this.url = parseUrl(url);
    if (key !== undefined && !/^[\x21-\x7e]+$/.test(key)) {
      throw new OperatorError('the key has a character that no key has: copy it again');
    }
    this.#key = key;
    this.#session = session;
  }

  /** The URL of a route of the session, from its path for `default`. */
  urlOf(path: string): string {
    return this.url + pathOfSession(this.#session, path);
  }

  /** WhatsApp's open request; null: there is none. */
  async request(signal: AbortSignal): Promise<PasskeyView | null> {
    try {
      return this.#parse(viewSchema, await this.#call('GET', '/api/auth/passkey', undefined, signal));
    } catch (error) {
      if (error instanceof RefusedError && error.code === 'passkey_not_pending') return null;
      throw error instanceof RefusedError ? this.#explain(error) : error;
    }
  }

  async status(signal: AbortSignal): Promise<GatewayStatus> {
    try {
      return this.#parse(statusSchema, await this.#call('GET', '/api/status', undefined, signal));
    } catch (error) {
      throw error instanceof RefusedError ? this.#explain(error) : error;
    }
  }

  /** This and the next ones throw a {@link RefusedError}, e.g. `passkey_not_acceptable`. */
  async answer(id: string, credential: PasskeyCredential, signal: AbortSignal): Promise<void> {
    await this.#call('POST', '/api/auth/passkey/answer', { id, credential }, signal);
  }

  async confirm(id: string, code: string, signal: AbortSignal): Promise<void> {
    await this.#call('POST', '/api/auth/passkey/confirm', { id, code }, signal);
  }

  async retry(id: string, signal: AbortSignal): Promise<void> {
    await this.#call('POST', '/api/auth/passkey/retry', { id }, signal);
  }

  async cancel(id: string, signal: AbortSignal): Promise<void> {
    await this.#call('POST', '/api/auth/passkey/cancel', { id }, signal);
  }

  #parse<T>(schema: z.ZodType<T>, body: unknown): T {
    const parsed = schema.safeParse(body);
    if (parsed.success) return parsed.data;
    throw new OperatorError(
      `${this.url} answers in a form that this program does not know: give the URL of Holdline, and use the same version of Holdline here and there`,
    );
  }

  async #call(method: Method, path: string, body: object | undefined, signal: AbortSignal) {
    const answer = await this.#fetch(method, path, body, signal);
    if (answer.status >= 200 && answer.status < 300) return answer.body;
    if (answer.status >= 300 && answer.status < 400) {
      throw new OperatorError(`${this.url} redirects to another URL: give that one with --url`);
    }
    const parsed = errorSchema.safeParse(answer.body);
    const isTemporary = answer.status >= 500 || (answer.status === 429 && method === 'GET');
    if (isTemporary) {
      const why = parsed.success ? `: ${plain(parsed.data.error.message)}` : '';
      throw new UnavailableError(`${this.url} answers ${answer.status} now${why}`);
    }
    if (!parsed.success) {
      throw new OperatorError(
        `${this.url} answers ${answer.status}, and not as Holdline does: give the URL of Holdline with --url, with the path of a proxy if there is one`,
      );
    }
    const { code, message } = parsed.data.error;
    throw new RefusedError(code, plain(message), answer.hasRetryAfter);
  }

  async #fetch(method: Method, path: string, body: object | undefined, signal: AbortSignal): Promise<Answer> {
    const headers: Record<string, string> = { accept: 'application/json' };
    if (this.#key !== undefined) headers.authorization = `Bearer ${this.#key}`;
    if (body !== undefined) headers['content-type'] = 'application/json';
    const limit = abortAfter(deadlinesMs[method], signal);
    try {
      const response = await fetch(this.urlOf(path), {
        ...{ method, headers },
        body: body === undefined ? null : JSON.stringify(body),
        // The key must not go elsewhere.
        redirect: 'manual',
        signal: limit.signal,
      });
      const hasRetryAfter = response.headers.has('retry-after');
      return { status: response.status, hasRetryAfter, body: parseJson(await readText(response)) };
    } catch (error) {
      signal.throwIfAborted();
      throw new UnavailableError(
        `${this.url} cannot be reached (${causeOf(error, method)}): ${wayOut(error)}`,
      );
    } finally {
      limit.clear();
    }
  }

  #explain({ code, message }: RefusedError): OperatorError {
    switch (code) {
      case 'unauthorized':
        return new OperatorError(
          `${this.url} does not take ${this.#key === undefined ? 'calls without a key' : 'this key'}: give an admin key in HOLDLINE_KEY, or with --key`,
        );
      case 'not_found':
        return new OperatorError(
          `${this.url} knows no passkeys: its Holdline is too old, or --url has a wrong path`,
        );
      default:
        return new OperatorError(`${this.url} refuses this: ${message} (${plain(code)})`);
    }
  }
}

function parseUrl(text: string): string {
  const form = 'give the URL of the server with --url, like https://gateway.example';
  if (!URL.canParse(text)) throw new OperatorError(`--url is not a URL: ${form}`);
  const url = new URL(text);
  if (!/^https?:$/.test(url.protocol))
    throw new OperatorError(`--url must begin with https:// or http://: ${form}`);
  if (url.username !== '' || url.password !== '') {
    throw new OperatorError('--url must not have a user or a password: give the key in HOLDLINE_KEY');
  }
  return url.origin + url.pathname.replace(/\/+$/, '');
}

async function readText(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    bytes += piece.length;
    if (bytes > maxBytes) throw new Error('its answer is too long');
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

/** fetch() says only "fetch failed"; its cause says why. */
function causeOf(error: unknown, method: Method): string {
  if ((error as Error).name === 'TimeoutError') return `no answer within ${deadlinesMs[method] / 1_000} s`;
  const { cause } = error as Error;
  const { code, message } = (cause ?? error) as NodeJS.ErrnoException;
  return plain(message || code || messageOf(error));
}

function wayOut(error: unknown): string {
  const { code = '' } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
  if (/CERT|SIGNATURE|ALTNAME|ISSUER/.test(code)) {
    return "its certificate is not valid here; use the name that it is for, or name your own authority's certificate in NODE_EXTRA_CA_CERTS";
  }
  if (/SSL|TLS|EPROTO/.test(code))
    return 'this is not HTTPS; check whether --url begins with the right https:// or http://';
  return 'check --url and that Holdline runs there';
}

/** Foreign text for a terminal: in one line, without control characters. */
export function plain(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim()
    .slice(0, 500);
}
