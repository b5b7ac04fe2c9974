import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { readAsset } from '../whatsapp-web/assets.js';

export interface Answer {
  readonly status?: number;
  readonly type?: string;
  readonly body: string;
}

/** Serves any content at https://web.whatsapp.com, for tests in which the stand-in is too close to the real page. */
export interface ForeignPage {
  /** Arguments with which Chromium finds it. */
  readonly chromeArgs: string[];
  /** Each request: its destination and path, as `document /` or `script /a.js`. */
  readonly requests: string[];
  close(): Promise<void>;
}

export async function startForeignPage(
  answer: (path: string, request: IncomingMessage) => Answer,
): Promise<ForeignPage> {
  const [cert, key] = await Promise.all([
    readAsset('certificate/cert.pem'),
    readAsset('certificate/key.pem'),
  ]);
  const requests: string[] = [];
  const server = createServer({ cert, key }, (request, response) => {
    const path = request.url ?? '/';
    requests.push(`${request.headers['sec-fetch-dest']} ${path}`);
    const { status = 200, type = 'text/html; charset=utf-8', body } = answer(path, request);
    response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    chromeArgs: [
      `--host-resolver-rules=MAP web.whatsapp.com:443 127.0.0.1:${port}`,
      '--ignore-certificate-errors',
    ],
    requests,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
