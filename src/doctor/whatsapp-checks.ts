import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { messageOf } from '../contract/errors.js';
import { whatsAppHost } from '../contract/page.js';
import type { Config } from '../platform/config/config.js';
import { withDeadline } from '../platform/deadline.js';
import { type Check, failure, ok, type Verdict, warning } from './check.js';

const stepTimeoutMs = 5_000;

/** Checks whether WhatsApp can be reached from here: name resolution, connection and TLS, in the order of a browser. */
export function whatsAppChecks({ chromeArgs }: Config): Check[] {
  return [{ name: 'whatsapp', run: () => reachVerdict(chromeArgs) }];
}

/** Like the browser, it uses the proxy, the mapped host and the ignored certificate errors in `chromeArgs`. */
export async function reachVerdict(chromeArgs: readonly string[]): Promise<Verdict> {
  if (chromeArgs.some((argument) => /^--proxy-(server|pac-url)=/.test(argument))) {
    return warning(`not checked: the browser reaches ${whatsAppHost} through a proxy (WHATSAPP_CHROME_ARGS)`);
  }
  const mapped = /MAP web\.whatsapp\.com:443 ([^,\s]+):(\d+)/.exec(chromeArgs.join('\n'));
  const target = { host: mapped?.[1] ?? whatsAppHost, port: Number(mapped?.[2] ?? 443) };
  try {
    const { address } = await step('DNS', lookup(target.host), 'check /etc/resolv.conf and the resolver');
    await step(
      'TCP',
      connectTcp(address, target.port),
      'allow this host to connect to port 443, or set a proxy in WHATSAPP_CHROME_ARGS',
    );
    const isTrusted = !chromeArgs.includes('--ignore-certificate-errors');
    await step(
      'TLS',
      connectSecurely(address, target.port, isTrusted),
      'something between this host and WhatsApp answers instead of it',
    );
  } catch (error) {
    return failure(messageOf(error));
  }
  return ok(`${whatsAppHost} can be reached${mapped ? ` (mapped to ${target.host}:${target.port})` : ''}`);
}

async function step<T>(name: string, work: Promise<T>, wayOut: string): Promise<T> {
  try {
    return await withDeadline(work, stepTimeoutMs, 'it');
  } catch (error) {
    throw new Error(`${whatsAppHost} cannot be reached, ${name} fails (${messageOf(error)}): ${wayOut}`);
  }
}

async function connectTcp(address: string, port: number): Promise<void> {
  const socket = connect({ host: address, port, timeout: stepTimeoutMs });
  socket.once('timeout', () => socket.destroy(new Error('no answer')));
  try {
    await once(socket, 'connect');
  } finally {
    socket.destroy();
  }
}

async function connectSecurely(address: string, port: number, isTrusted: boolean): Promise<void> {
  const socket = connectTls({ host: address, port, servername: whatsAppHost, rejectUnauthorized: isTrusted });
  socket.setTimeout(stepTimeoutMs, () => socket.destroy(new Error('no answer')));
  try {
    await once(socket, 'secureConnect');
  } finally {
    socket.destroy();
  }
}
