import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'puppeteer';
import type { Terminal } from '../../src/passkey/terminal.js';

/** Arguments for the owner's browser in tests: no screen, and no host outside. */
export const desktopArgs = ['--headless=new', '--disable-gpu', '--disable-background-networking'];

/** Keeps what is said, and answers questions in turn; null: nobody is there. */
export function scriptedTerminal(replies: boolean[] | null): Terminal & { lines: string[] } {
  const lines: string[] = [];
  const ask = async (question: string, signal: AbortSignal): Promise<boolean> => {
    lines.push(question);
    const reply = replies?.shift();
    if (reply !== undefined) return reply;
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
  };
  return { lines, say: (line) => void lines.push(line), ask: replies === null ? null : ask };
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: what the program sent
  readonly body: any;
}

type Reply = readonly [status: number, body: unknown, headers?: Record<string, string>];

/** An HTTP server that plays the API of a session. */
export class ScriptedGateway {
  readonly calls: Call[] = [];
  reply: (call: Call) => Reply;
  readonly #server;

  constructor(reply: (call: Call) => Reply) {
    this.reply = reply;
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const piece of request) text += piece;
    const { method = '', url: path = '', headers } = request;
    const body = text === '' ? null : JSON.parse(text);
    const call = { method, path, authorization: headers.authorization, body };
    this.calls.push(call);
    const [status, content, more = {}] = this.reply(call);
    response.writeHead(status, { 'content-type': 'application/json', ...more });
    response.end(typeof content === 'string' ? content : JSON.stringify(content));
  }
}

/** A page in the place of WhatsApp Web, in a tab with an authenticator that has a passkey for `whatsapp.com`. */
export async function playWhatsApp(page: Page): Promise<void> {
  await page.setRequestInterception(true);
  page.on('request', (request) => {
    const isPage = request.url() === 'https://web.whatsapp.com/';
    const html = { status: 200, contentType: 'text/html', body: '<title>WhatsApp</title><p>QR</p>' };
    (isPage ? request.respond(html) : request.abort()).catch(() => {});
  });
  const cdp = await page.createCDPSession();
  await cdp.send('WebAuthn.enable', { enableUI: false });
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      ...{ protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true },
      ...{ isUserVerified: true, automaticPresenceSimulation: true },
    },
  });
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await cdp.send('WebAuthn.addCredential', {
    authenticatorId,
    credential: {
      credentialId: randomBytes(16).toString('base64'),
      isResidentCredential: true,
      rpId: 'whatsapp.com',
      privateKey: privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64'),
      userHandle: randomBytes(8).toString('base64'),
      signCount: 0,
    },
  });
}

export const passkeyButton = '#holdline-passkey[open] button:not([disabled])';
