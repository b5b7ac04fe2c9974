import { once } from 'node:events';
import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { json } from 'node:stream/consumers';
import type { RegistrationResponseJSON } from '@simplewebauthn/server';
import { WebSocketServer } from 'ws';
import { readAsset } from './assets.js';
import { noteAgent, noteRequest } from './browser-identity.js';
import { type Controls, createControls } from './control.js';
import { createControlServer } from './control-server.js';
import { PageConnection } from './page-connection.js';
import { createWorld, type World, type WorldOptions } from './world.js';

export interface WhatsAppWebOptions extends WorldOptions {
  /** 0, the default, takes a free port. */
  httpsPort?: number;
  controlPort?: number;
  /** The address of this machine on which the page is served, for browsers elsewhere. The phone stays on loopback. */
  httpsHost?: string;
}

export interface WhatsAppWeb extends Controls {
  readonly httpsPort: number;
  readonly controlPort: number;
  readonly controlUrl: string;
  /** Arguments with which Chromium finds this server at https://web.whatsapp.com. */
  readonly chromeArgs: string[];
  close(): Promise<void>;
}

const loopback = '127.0.0.1';

/**
 * The parts of the real page's policy that decide what can be sent from it: nothing can be fetched from other hosts, forms can
 * be sent anywhere, and scripts of the page's own can be run.
 */
const contentPolicy = [
  "default-src 'self' data: blob:",
  "script-src 'self' data: blob: 'unsafe-eval' 'unsafe-inline' https://static.whatsapp.net",
  "style-src 'self' data: blob: 'unsafe-inline'",
  "connect-src 'self' data: blob: https://*.whatsapp.net wss://web.whatsapp.com https://www.whatsapp.com",
].join(';');

function setPolicies(response: ServerResponse): void {
  response.setHeader('content-security-policy', contentPolicy);
  response.setHeader('cross-origin-opener-policy', 'unsafe-none');
}

/** Starts the stand-in for WhatsApp Web and its phone. All its data are in memory. */
export async function startWhatsAppWeb(options: WhatsAppWebOptions = {}): Promise<WhatsAppWeb> {
  const world = createWorld(options);
  const controls = createControls(world);
  const web = await createWebServer(world);
  const control = createControlServer(controls);
  trackSockets(web, world);
  const httpsHost = options.httpsHost ?? loopback;
  const httpsPort = await listen(web, options.httpsPort ?? 0, httpsHost);
  const controlPort = await listen(control, options.controlPort ?? 0, loopback);

  return {
    ...controls,
    httpsPort,
    controlPort,
    controlUrl: `http://127.0.0.1:${controlPort}`,
    chromeArgs: [
      `--host-resolver-rules=MAP web.whatsapp.com:443 ${httpsHost}:${httpsPort}`,
      '--ignore-certificate-errors',
    ],
    close: async () => {
      const closed = [web, control].map((server) => new Promise((resolve) => server.close(resolve)));
      world.timers.cancel();
      for (const socket of world.sockets) socket.destroy();
      control.closeAllConnections();
      await Promise.all(closed);
    },
  };
}

async function createWebServer(world: World): Promise<Server> {
  // Checked in, so that no machine needs openssl to run the tests. Valid for a hundred years, trusted by nobody.
  const [cert, key] = await Promise.all([
    readAsset('certificate/cert.pem'),
    readAsset('certificate/key.pem'),
  ]);
  const server = createServer({ cert, key }, (request, response) => {
    serve(world, request, response).catch(() => response.writeHead(404).end());
  });
  const websockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    if (world.faults.server === 'silent') return;
    if (world.faults.server === 'error-500') {
      socket.destroy();
      return;
    }
    websockets.handleUpgrade(request, socket, head, (websocket) => new PageConnection(world, websocket));
  });
  return server;
}

async function serve(world: World, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { faults } = world;
  const path = new URL(request.url ?? '/', 'https://web.whatsapp.com').pathname;
  if (faults.server === 'silent') return;
  if (faults.server === 'scripts-stall' && path.endsWith('.js')) return;
  if (faults.server === 'error-500') {
    response.writeHead(500).end();
    return;
  }
  response.setHeader('cache-control', 'no-store');
  if (['/', '/frame'].includes(path)) setPolicies(response);
  if (['/', '/sw.js'].includes(path)) noteRequest(world, path, request);
  if (path === '/') {
    const missing = [...world.page.missing, ...faults.missingModules];
    const boot = { ...world.page, missing, withoutDebug: faults.withoutDebug };
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end((await readAsset('page/index.html')).replace('"{{boot}}"', () => JSON.stringify(boot)));
    return;
  }
  if (path === '/frame') {
    response.setHeader('content-type', 'text/html');
    response.end('<!doctype html><title>frame</title>');
    return;
  }
  if (request.method === 'POST' && path.startsWith('/passkey/')) {
    await register(world, path, request, response);
    return;
  }
  if (request.method === 'POST' && path.startsWith('/agents/')) {
    await noteAgent(world, path.slice('/agents/'.length), request);
    response.writeHead(204).end();
    return;
  }
  if (path === '/sw.js') {
    response.setHeader('content-type', 'text/javascript; charset=utf-8');
    response.end(await readAsset('page/sw.js'));
    return;
  }
  const [, script] = /^\/app\/([a-z-]+\.js)$/.exec(path) ?? [];
  if (!script) throw new Error('not found');
  response.setHeader('content-type', 'text/javascript; charset=utf-8');
  response.end(await readAsset(`page/${script}`));
}

/** The owner makes a passkey. A refusal is status 400 with its reason. */
async function register(
  { account, passkey }: World,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const answer = async (): Promise<object> => {
    switch (path) {
      case '/passkey/register-options':
        return passkey.party.registrationOptions(account.pushname);
      case '/passkey/register':
        return passkey.party.register((await json(request)) as RegistrationResponseJSON);
      default:
        throw new Error(`there is no ${path}`);
    }
  };
  response.setHeader('content-type', 'application/json');
  await answer().then(
    (result) => response.end(JSON.stringify(result)),
    (error: Error) => response.writeHead(400).end(JSON.stringify({ error: error.message })),
  );
}

/** Tracks open sockets, so that close() need not wait for a browser, and so that the fault `reset` can cut them. */
function trackSockets(server: Server, { faults, sockets }: World): void {
  server.on('connection', (socket: Socket) => {
    if (faults.server === 'reset') {
      socket.resetAndDestroy();
      return;
    }
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
}

async function listen(server: Server | HttpServer, port: number, host: string): Promise<number> {
  server.listen(port, host);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
