import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import polka from 'polka';
import { serve } from './serve.js';

/** The floor: Polka answering the same bytes from memory. Argument: JSON, path -> { type, body }. */
const answers = JSON.parse(process.argv[2] ?? '{}') as Record<string, { type: string; body: string }>;

const app = polka();
for (const [path, { type, body }] of Object.entries(answers)) {
  const bytes = Buffer.from(body);
  const headers = { 'content-type': type, 'content-length': bytes.length };
  app.get(path, (_request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(200, headers);
    response.end(bytes);
  });
}
serve(createServer((request, response) => void app.handler(request as never, response, undefined as never)));
