import type { IncomingMessage } from 'node:http';
import type { World } from './world.js';

/** What WhatsApp's server can learn about the browser: from its requests, and from scripts that run in it. */

export interface PageRequest {
  readonly path: string;
  readonly userAgent: string | null;
  readonly acceptLanguage: string | null;
  readonly secChUa: string | null;
  readonly secChUaPlatform: string | null;
}

/** Values of `navigator` in a page, a worker or the service worker. */
export interface Agent {
  readonly userAgent: string;
  readonly platform: string;
  readonly languages: readonly string[];
  readonly brands: readonly string[];
}

const MAX_REQUESTS = 20;
const KINDS = ['page', 'worker', 'service-worker'];
const MAX_LENGTH = 10_000;

export function noteRequest({ requests }: World, path: string, { headers }: IncomingMessage): void {
  const value = (name: string) => String(headers[name] ?? '') || null;
  requests.push({
    path,
    userAgent: value('user-agent'),
    acceptLanguage: value('accept-language'),
    secChUa: value('sec-ch-ua'),
    secChUaPlatform: value('sec-ch-ua-platform'),
  });
  if (requests.length > MAX_REQUESTS) requests.shift();
}

/** Stores the body of `POST /agents/<kind>`, which the page's own scripts send. */
export async function noteAgent({ agents }: World, kind: string, request: IncomingMessage): Promise<void> {
  let text = '';
  for await (const chunk of request) text += chunk;
  if (KINDS.includes(kind) && text.length < MAX_LENGTH) agents.set(kind, JSON.parse(text) as Agent);
}
