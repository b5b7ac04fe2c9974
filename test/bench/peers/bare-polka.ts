import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import polka from 'polka';
import { serve } from './serve.js';

/** The lower bound: Polka answers with the same headers and body from memory. Argument: JSON, path -> { headers, body }. */
interface Answer {
  /** Name, value, name, value, … */
  readonly headers: string[];
  readonly body: string;
}
const answers = JSON.parse(process.argv[2] ?? '{}') as Record<string, Answer>;

const app = polka();
for (const [path, { headers, body }] of Object.entries(answers)) {
  const bytes = Buffer.from(body);
  app.get(path, (_request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(200, headers);
    response.end(bytes);
  });
}
serve(createServer((request, response) => void app.handler(request as never, response, undefined as never)));
