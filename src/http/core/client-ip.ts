import type { IncomingMessage } from 'node:http';
import { BlockList, isIP, isIPv6, type Socket } from 'node:net';
import { headerValues } from './headers.js';

/** Names clients for limits: by the IPv4 address, or by the /64 network that one IPv6 household has. */
export interface Addresses {
  /** The client of a request. Behind trusted proxies it comes from `X-Forwarded-For`. */
  of(request: IncomingMessage): string;
  /** The peer of a connection. It can be a proxy. */
  ofSocket(socket: Socket): string;
  /** Whether the peer is a trusted proxy. */
  isProxy(socket: Socket): boolean;
}

/** `trustedProxies`: addresses or CIDR ranges. Only these may set `X-Forwarded-For`: others could claim any address. */
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

  // Cached: every request needs the name, and it never changes.
  const names = new WeakMap<Socket, string>();
  function ofSocket(socket: Socket): string {
    let name = names.get(socket);
    if (name === undefined) {
      name = limitGroup(addressOf(socket));
      names.set(socket, name);
    }
    return name;
  }

  return {
    of(request) {
      if (request.headers['x-forwarded-for'] === undefined) return ofSocket(request.socket);
      let address = addressOf(request.socket);
      const hops = headerValues(request, 'x-forwarded-for').join(',').split(',').reverse();
      for (const hop of hops) {
        const next = normalize(hop.trim());
        if (isIP(next) === 0 || !isTrusted(address)) break;
        address = next;
      }
      return limitGroup(address);
    },
    ofSocket,
    isProxy: (socket) => isTrusted(addressOf(socket)),
  };
}

/** The address of the peer. */
export function addressOf(socket: Socket): string {
  return normalize(socket.remoteAddress ?? '');
}

/** Removes the port that some proxies write, and the prefix of an IPv4 address on an IPv6 socket. */
function normalize(text: string): string {
  const [, v4, v6] = /^(\d+\.\d+\.\d+\.\d+):\d+$|^\[([^\]]+)\](?::\d+)?$/.exec(text) ?? [];
  const address = v4 ?? v6 ?? text;
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
}

/** An IPv4 address as it is; of an IPv6 address the first four of its eight groups. */
function limitGroup(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = '', tail] = (address.split('%', 1)[0] ?? '').toLowerCase().split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array<string>(zeros).fill('0'), ...right];
  return `${groups.slice(0, 4).join(':')}::/64`;
}
