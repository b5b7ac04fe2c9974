import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { messageOf } from '../contract/errors.js';
import type { Config } from '../platform/config/config.js';
import { withDeadline } from '../platform/deadline.js';
import { type Check, failure, ok, type Verdict, warning } from './finding.js';

const host = 'web.whatsapp.com';
const stepMs = 5_000;

/** Whether WhatsApp can be reached from here, step by step, as the browser would go. */
export function whatsAppChecks({ chromeArgs }: Config): Check[] {
  return [{ name: 'whatsapp', run: () => reachVerdict(chromeArgs) }];
}

/** What the browser is told of the network in its arguments counts here too. */
export async function reachVerdict(chromeArgs: readonly string[]): Promise<Verdict> {
  if (chromeArgs.some((argument) => /^--proxy-(server|pac-url)=/.test(argument))) {
    return warning(`not looked at: the browser goes to ${host} through a proxy (WHATSAPP_CHROME_ARGS)`);
  }
  const mapped = /MAP web\.whatsapp\.com:443 ([^,\s]+):(\d+)/.exec(chromeArgs.join('\n'));
  const place = { host: mapped?.[1] ?? host, port: Number(mapped?.[2] ?? 443) };
  try {
    const { address } = await step('DNS', lookup(place.host), 'check /etc/resolv.conf and the resolver');
    await step(
      'TCP',
      opened(address, place.port),
      'let this host out to port 443, or name a proxy in WHATSAPP_CHROME_ARGS',
    );
    const isTrusted = !chromeArgs.includes('--ignore-certificate-errors');
    await step(
      'TLS',
      secured(address, place.port, isTrusted),
      'something between here and WhatsApp answers in its place',
    );
  } catch (error) {
    return failure(messageOf(error));
  }
  return ok(`${host} can be reached${mapped ? ` (mapped to ${place.host}:${place.port})` : ''}`);
}

async function step<T>(name: string, work: Promise<T>, wayOut: string): Promise<T> {
  try {
    return await withDeadline(work, stepMs, 'it');
  } catch (error) {
    throw new Error(`${host} cannot be reached, ${name} fails (${messageOf(error)}): ${wayOut}`);
  }
}

async function opened(address: string, port: number): Promise<void> {
  const socket = connect({ host: address, port, timeout: stepMs });
  socket.once('timeout', () => socket.destroy(new Error('no answer')));
  try {
    await once(socket, 'connect');
  } finally {
    socket.destroy();
  }
}

async function secured(address: string, port: number, isTrusted: boolean): Promise<void> {
  const socket = connectTls({ host: address, port, servername: host, rejectUnauthorized: isTrusted });
  socket.setTimeout(stepMs, () => socket.destroy(new Error('no answer')));
  try {
    await once(socket, 'secureConnect');
  } finally {
    socket.destroy();
  }
}
