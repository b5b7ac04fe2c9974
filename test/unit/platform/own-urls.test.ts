import assert from 'node:assert/strict';
import type { NetworkInterfaceInfo } from 'node:os';
import { test } from 'node:test';
import { localUrl, networkUrls } from '../../../src/platform/own-urls.js';

const entry = (family: 'IPv4' | 'IPv6', address: string, internal = false) =>
  ({ family, address, internal }) as NetworkInterfaceInfo;
const interfaces = {
  lo: [entry('IPv4', '127.0.0.1', true), entry('IPv6', '::1', true)],
  eth0: [entry('IPv4', '192.168.1.5'), entry('IPv6', 'fe80::1')],
  eth1: [entry('IPv4', '10.0.0.2')],
};

test('the URL for this machine can be opened, whatever address is bound', () => {
  for (const [host, url] of [
    ['127.0.0.1', 'http://127.0.0.1:8790'],
    ['localhost', 'http://localhost:8790'],
    ['0.0.0.0', 'http://127.0.0.1:8790'],
    ['::', 'http://[::1]:8790'],
    ['0::0', 'http://[::1]:8790'],
    ['fd00::7', 'http://[fd00::7]:8790'],
    ['192.168.1.5', 'http://192.168.1.5:8790'],
  ] as const) {
    assert.equal(localUrl(host, 8790), url);
  }
});

test('the URLs for other machines are those of all addresses and of the name, if all addresses are bound', () => {
  const urls = (host: string, publicUrl: string | null = null) =>
    networkUrls({ host, publicUrl, hostName: 'Gateway' }, 8790, interfaces);
  const all = ['http://192.168.1.5:8790', 'http://10.0.0.2:8790', 'http://gateway:8790'];
  assert.deepEqual(urls('0.0.0.0'), all);
  assert.deepEqual(urls('::'), all);
  assert.deepEqual(urls('127.0.0.1'), []);
  const unnamed = { host: '0.0.0.0', publicUrl: null, hostName: 'localhost.localdomain' };
  assert.deepEqual(networkUrls(unnamed, 8790, {}), []);
  assert.deepEqual(urls('192.168.1.5'), []);
  assert.deepEqual(urls('0.0.0.0', 'https://wa.example.org'), []);
});
