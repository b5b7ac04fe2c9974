import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Redis } from 'ioredis';
import polka from 'polka';
import { serve } from './serve.js';

/**
 * The usual way to write it: Polka, with one HGETALL for each request. Arguments: the URL of a Redis, and the key of a hash
 * with the fields `status` (JSON), `image` (base64), `before` and `after` (HTML).
 */
const [redisUrl = '', key = ''] = process.argv.slice(2);
const redis = new Redis(redisUrl);

const app = polka();
app.get('/api/status', async (_request: IncomingMessage, response: ServerResponse) => {
  const { status = '{}' } = await redis.hgetall(key);
  response.setHeader('content-type', 'application/json; charset=utf-8');
  response.end(JSON.stringify(JSON.parse(status)));
});
app.get('/qr', async (_request: IncomingMessage, response: ServerResponse) => {
  const { before, image, after } = await redis.hgetall(key);
  response.setHeader('content-type', 'text/html; charset=utf-8');
  response.end(`${before}data:image/png;base64,${image}${after}`);
});
serve(createServer((request, response) => void app.handler(request as never, response, undefined as never)));
