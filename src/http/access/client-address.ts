import type { IncomingMessage } from 'node:http';
import { BlockList, isIP, isIPv6 } from 'node:net';
import { headerValues } from '../requests/header-values.js';

/** Who a request comes from, as far as limits go: an IPv4 address, or the /64 that one IPv6 household has. */
export type AddressOf = (request: IncomingMessage) => string;

/** `X-Forwarded-For` is believed from these proxies only: anybody else may write what they like into it. */
export function createAddressOf(trustedProxies: readonly string[]): AddressOf {
  const trusted = new BlockList();
  for (const range of trustedProxies) {
    const [address = '', bits] = range.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (bits === undefined) trusted.addAddress(address, family);
    else trusted.addSubnet(address, Number(bits), family);
  }
  const isTrusted = (address: string) => trusted.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');

  return (request) => {
    let address = plain(request.socket.remoteAddress ?? '');
    const hops = headerValues(request, 'x-forwarded-for').join(',').split(',').reverse();
    for (const hop of hops) {
      const next = plain(hop.trim());
      if (isIP(address) === 0 || !isTrusted(address) || isIP(next) === 0) break;
      address = next;
    }
    return isIPv6(address) ? networkOf(address) : address;
  };
}

/** An IPv4 address that came over an IPv6 socket. */
function plain(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
}

/** The first four of the eight groups. */
function networkOf(address: string): string {
  const [head = '', tail] = (address.split('%', 1)[0] ?? '').toLowerCase().split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array<string>(zeros).fill('0'), ...right];
  return `${groups.slice(0, 4).join(':')}::/64`;
}
