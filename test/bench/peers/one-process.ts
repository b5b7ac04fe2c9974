import { createServer } from 'node:http';
import { toDataURL } from 'qrcode';
import { serve } from './serve.js';

/**
 * The reference's design, as described: node:http, everything in one process, the status in memory, and the QR encoded as
 * PNG on each request. Argument: JSON { status, qrText, before, after }.
 */
const { status, qrText, before, after } = JSON.parse(process.argv[2] ?? '{}') as Record<string, string>;
const state = JSON.parse(status ?? '{}') as object;

serve(
  createServer((request, response) => {
    if (request.url === '/qr') void answerQr();
    else response.setHeader('content-type', 'application/json; charset=utf-8').end(JSON.stringify(state));

    async function answerQr(): Promise<void> {
      const image = await toDataURL(qrText ?? '', { width: 360, margin: 2 });
      response.setHeader('content-type', 'text/html; charset=utf-8').end(`${before}${image}${after}`);
    }
  }),
);
