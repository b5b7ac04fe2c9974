/** Whatever of these the operator has set, the proxy of the session takes its place. */
const proxyFlag =
  /^--(?:no-proxy-server|proxy-auto-detect|proxy-pac-url|proxy-server|proxy-bypass-list)(?:=|$)/;

const resolverRules = '--host-resolver-rules=';
const enableFeatures = '--enable-features=';

/**
 * Chromium's arguments with the proxy of the session: no request, no DNS query and no WebRTC packet goes past it. `hasLogin`: the
 * proxy wants a user name and a password.
 */
export function withProxy(args: readonly string[], server: string, hasLogin: boolean): string[] {
  const host = new URL(server.replace(/^\w+:/, 'http:')).hostname.replace(/^\[(.*)\]$/, '$1');
  const ownRules = args.findLast((argument) => argument.startsWith(resolverRules));
  // Of the rules for a name the first one counts.
  const rules = [
    ...(ownRules ? [ownRules.slice(resolverRules.length)] : []),
    'MAP * ~NOTFOUND',
    `EXCLUDE ${host}`,
  ];
  const features = args
    .findLast((argument) => argument.startsWith(enableFeatures))
    ?.slice(enableFeatures.length);
  const replaced = hasLogin ? [resolverRules, enableFeatures] : [resolverRules];
  return [
    ...args.filter(
      (argument) => !proxyFlag.test(argument) && !replaced.some((flag) => argument.startsWith(flag)),
    ),
    // Its own process for the network would take the login with it when it crashes, and sockets cannot log in again.
    ...(hasLogin
      ? [`${enableFeatures}${[features, 'NetworkServiceInProcess2'].filter(Boolean).join()}`]
      : []),
    `--proxy-server=${server}`,
    // Without it Chromium would connect to addresses of this machine itself.
    '--proxy-bypass-list=<-loopback>',
    `${resolverRules}${rules.join(', ')}`,
    '--force-webrtc-ip-handling-policy=disable_non_proxied_udp',
    '--webrtc-ip-handling-policy=disable_non_proxied_udp',
  ];
}
