import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { readBrowserBehaviour } from '../theatre.js';

/**
 * Behaves as Chromium does towards a supervisor, without pages: `STAGE --user-data-dir=… …`. It serves the
 * debugging endpoint, ends when its debugging pipe (descriptor 3) closes, and dies of SIGTERM.
 */
const [stage = '', ...flags] = process.argv.slice(2);
const profileDir = flags
  .find((flag) => flag.startsWith('--user-data-dir='))
  ?.slice('--user-data-dir='.length);
const behaviour = readBrowserBehaviour(stage);
if (behaviour === 'fails to start') {
  process.stderr.write('error while loading shared libraries: libnss3.so\n');
  process.exit(127);
}
if (behaviour === 'ignores SIGTERM') process.on('SIGTERM', () => undefined);
writeFileSync(join(profileDir ?? '', 'LastBrowser'), String(process.pid));

let opened = 0;
const startUrl = flags.at(-1);
const pages = new Map([['start', startUrl]]);
const server = createServer((request, response) => {
  const path = request.url ?? '';
  const closed = /^\/json\/close\/(.+)$/.exec(path)?.[1];
  if (path.startsWith('/json/new') && request.method === 'PUT') {
    const id = `page-${++opened}`;
    const url = decodeURIComponent(path.slice('/json/new?'.length));
    pages.set(id, url);
    return response.end(JSON.stringify({ id, type: 'page', url }));
  }
  if (closed !== undefined && behaviour !== 'keeps its pages') pages.delete(closed);
  return response.end(JSON.stringify([...pages].map(([id, url]) => ({ id, type: 'page', url }))));
});

const pipe = new Socket({ fd: 3, readable: true, writable: false });
pipe.on('error', () => process.exit(0));
pipe.on('close', () => process.exit(0));
pipe.resume();

if (behaviour !== 'never listens') {
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo;
    process.stderr.write(`\nDevTools listening on ws://127.0.0.1:${port}/devtools/browser/${randomUUID()}\n`);
  });
}
