import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withProxy } from '../../../../src/supervisor/browser/proxy-flags.js';

const ofProxy = [
  '--proxy-bypass-list=<-loopback>',
  '--force-webrtc-ip-handling-policy=disable_non_proxied_udp',
  '--webrtc-ip-handling-policy=disable_non_proxied_udp',
];

test('the proxy of the session takes the place of whatever proxy the operator has set', () => {
  const operators = [
    ...['--lang=de', '--proxy-server=http://other:1', '--no-proxy-server', '--proxy-auto-detect'],
    ...['--proxy-pac-url=http://pac', '--proxy-bypass-list=*', '--mute-audio'],
  ];
  const args = withProxy(operators, 'http://proxy.lan:3128');
  const rules = '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE proxy.lan';
  assert.deepEqual(
    args.toSorted(),
    ['--lang=de', '--mute-audio', '--proxy-server=http://proxy.lan:3128', rules, ...ofProxy].toSorted(),
  );
});

for (const [server, host] of [
  ['socks5://10.0.0.1:1080', '10.0.0.1'],
  ['https://proxy_1.lan:443', 'proxy_1.lan'],
  ['http://[2001:db8::1]:3128', '2001:db8::1'],
]) {
  test(`no name but that of ${server} is looked up`, () => {
    const args = withProxy(
      ['--host-resolver-rules=MAP a b', '--host-resolver-rules=MAP c d'],
      String(server),
    );
    const rules = args.filter((argument) => argument.startsWith('--host-resolver-rules'));
    assert.deepEqual(rules, [`--host-resolver-rules=MAP c d, MAP * ~NOTFOUND, EXCLUDE ${host}`]);
  });
}
