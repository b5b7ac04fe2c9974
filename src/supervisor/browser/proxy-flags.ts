/** Whatever of these the operator has set, the proxy of the session takes its place. */
const proxyFlag =
  /^--(?:no-proxy-server|proxy-auto-detect|proxy-pac-url|proxy-server|proxy-bypass-list)(?:=|$)/;

const resolverRules = '--host-resolver-rules=';

/** Chromium's arguments with the proxy of the session: no request, no DNS query and no WebRTC packet goes past it. */
export function withProxy(args: readonly string[], server: string): string[] {
  const host = new URL(server.replace(/^\w+:/, 'http:')).hostname.replace(/^\[(.*)\]$/, '$1');
  const ownRules = args.findLast((argument) => argument.startsWith(resolverRules));
  // Of the rules for a name the first one counts.
  const rules = [
    ...(ownRules ? [ownRules.slice(resolverRules.length)] : []),
    'MAP * ~NOTFOUND',
    `EXCLUDE ${host}`,
  ];
  return [
    ...args.filter((argument) => !proxyFlag.test(argument) && !argument.startsWith(resolverRules)),
    `--proxy-server=${server}`,
    // Without it Chromium would connect to addresses of this machine itself.
    '--proxy-bypass-list=<-loopback>',
    `${resolverRules}${rules.join(', ')}`,
    '--force-webrtc-ip-handling-policy=disable_non_proxied_udp',
    '--webrtc-ip-handling-policy=disable_non_proxied_udp',
  ];
}
