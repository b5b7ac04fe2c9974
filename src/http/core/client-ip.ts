import type { IncomingMessage } from 'node:http';
import { BlockList, isIP, isIPv6, type Socket } from 'node:net';
import { headerValues } from './header-values.js';

/** Who somebody is, as far as limits go: an IPv4 address, or the /64 that one IPv6 household has. */
export interface Addresses {
  /** Where a request comes from. */
  of(request: IncomingMessage): string;
  /** Where a connection comes from, whoever is behind it. */
  ofSocket(socket: Socket): string;
  /** Whether a connection comes from one of the trusted proxies. */
  isProxy(socket: Socket): boolean;
}

/** `X-Forwarded-For` is believed from these proxies only: anybody else may write what they like into it. */
export function createAddresses(trustedProxies: readonly string[]): Addresses {
  const trusted = new BlockList();
  for (const range of trustedProxies) {
    const [address = '', bits] = range.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (bits === undefined) trusted.addAddress(address, family);
    else trusted.addSubnet(address, Number(bits), family);
  }
  const isTrusted = (address: string) =>
    isIP(address) !== 0 && trusted.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');

  // Asked for with each request, and always the same.
  const known = new WeakMap<Socket, string>();
  function ofSocket(socket: Socket): string {
    let name = known.get(socket);
    if (name === undefined) {
      name = household(addressOf(socket));
      known.set(socket, name);
    }
    return name;
  }

  return {
    of(request) {
      if (request.headers['x-forwarded-for'] === undefined) return ofSocket(request.socket);
      let address = addressOf(request.socket);
      const hops = headerValues(request, 'x-forwarded-for').join(',').split(',').reverse();
      for (const hop of hops) {
        const next = plain(hop.trim());
        if (isIP(next) === 0 || !isTrusted(address)) break;
        address = next;
      }
      return household(address);
    },
    ofSocket,
    isProxy: (socket) => isTrusted(addressOf(socket)),
  };
}

function addressOf(socket: Socket): string {
  return plain(socket.remoteAddress ?? '');
}

/** Without the port that some proxies write; of an IPv4 address that came over an IPv6 socket that address. */
function plain(text: string): string {
  const [, v4, v6] = /^(\d+\.\d+\.\d+\.\d+):\d+$|^\[([^\]]+)\](?::\d+)?$/.exec(text) ?? [];
  const address = v4 ?? v6 ?? text;
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
}

/** Of an IPv6 address the first four of the eight groups. */
function household(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = '', tail] = (address.split('%', 1)[0] ?? '').toLowerCase().split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array<string>(zeros).fill('0'), ...right];
  return `${groups.slice(0, 4).join(':')}::/64`;
}
