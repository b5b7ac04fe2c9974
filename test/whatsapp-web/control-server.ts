import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { readAsset } from './assets.js';
import type { Controls } from './control.js';

/**
 * Serves the controls over plain HTTP on loopback, for other processes and for people.
 * `POST /<phone|faults|timing|directory|page>/<method>` takes the arguments as a JSON array, or one argument as it is. It
 * answers `{ "result": … }`, or status 400 with `{ "error": "…" }`. `GET /state` is phone.state(). `GET /` is the phone page.
 */
export function createControlServer(controls: Controls): Server {
  return createServer((request, response) => {
    answer(controls, request, response).catch((error: unknown) => {
      sendJson(response, 400, { error: error instanceof Error ? error.message : String(error) });
    });
  });
}

async function answer(controls: Controls, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [path = '/'] = (request.url ?? '/').split('?');
  if (request.method === 'POST') {
    return sendJson(response, 200, { result: (await call(controls, path, await readJson(request))) ?? null });
  }
  if (request.method === 'GET' && path === '/state') {
    return sendJson(response, 200, { result: await controls.phone.state() });
  }
  if (request.method === 'GET' && path === '/') {
    return sendAsset(response, 'index.html');
  }
  const [, file] = /^\/phone-page\/([a-z]+\.(?:js|css))$/.exec(path) ?? [];
  if (request.method === 'GET' && file) return sendAsset(response, file);
  sendJson(response, 404, { error: `there is no ${request.method} ${path}` });
}

async function sendAsset(response: ServerResponse, file: string): Promise<void> {
  const text = await readAsset(`phone-page/${file}`);
  const type = file.endsWith('.js') ? 'javascript' : file.endsWith('.css') ? 'css' : 'html';
  response.writeHead(200, { 'content-type': `text/${type}; charset=utf-8`, 'cache-control': 'no-store' });
  response.end(text);
}

async function call(controls: Controls, path: string, body: unknown): Promise<unknown> {
  const [, target = '', method = ''] = path.split('/');
  const methods = Object.hasOwn(controls, target) ? controls[target as keyof Controls] : {};
  const known = methods as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
  const run = Object.hasOwn(known, method) ? known[method] : undefined;
  if (!run) throw new Error(`there is no ${target}.${method}()`);
  const args = Array.isArray(body) ? body : body === undefined ? [] : [body];
  return run(...args);
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text === '' ? undefined : JSON.parse(text);
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}
