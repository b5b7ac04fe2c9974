import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';

interface OwnAddress {
  readonly host: string;
  readonly publicUrl: string | null;
  readonly hostName: string;
}

/** The URL for a client on this machine, without a slash at the end. An address that stands for all of them cannot be opened. */
export function localUrl(host: string, port: number): string {
  const isIPv6 = host.includes(':');
  const reachable = isAnyAddress(host) ? (isIPv6 ? '::1' : '127.0.0.1') : host;
  return `http://${isIPv6 ? `[${reachable}]` : reachable}:${port}`;
}

/**
 * URLs for clients on other machines, if `host` stands for all addresses of this machine and no public URL is known: by each
 * IPv4 address and by the machine's name. The Host check admits them all.
 */
export function networkUrls(
  { host, publicUrl, hostName }: OwnAddress,
  port: number,
  interfaces: NodeJS.Dict<NetworkInterfaceInfo[]> = networkInterfaces(),
): string[] {
  if (publicUrl !== null || !isAnyAddress(host)) return [];
  const addresses = Object.values(interfaces)
    .flatMap((entries) => entries ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address);
  const names = ownNames(hostName)
    .slice(0, 1)
    .filter((name) => !/^localhost\b/.test(name));
  return [...addresses, ...names].map((name) => `http://${name}:${port}`);
}

/** Names of this machine under which its own network finds it: its host name, and that name in multicast DNS. */
export function ownNames(hostName: string): string[] {
  const name = hostName.toLowerCase();
  return name.includes('.') ? [name] : [name, `${name}.local`];
}

function isAnyAddress(host: string): boolean {
  return host === '0.0.0.0' || (host.includes(':') && new URL(`http://[${host}]`).hostname === '[::]');
}
