import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ApiError } from '../../../../src/contract/errors.js';
import {
  createHostOriginGuard,
  type GuardedRequest,
  type GuardSettings,
} from '../../../../src/http/core/host-origin-guard.js';
import { parseAuthority } from '../../../../src/platform/authority.js';

const loopback: GuardSettings = {
  ...{
    host: '127.0.0.1',
    publicUrl: null,
    allowedHosts: [],
    allowedOrigins: [],
    apiKeys: [],
    hostName: 'Gateway',
  },
};
const behindProxy: GuardSettings = {
  ...loopback,
  publicUrl: 'https://wa.example.org/hold/',
  allowedHosts: ['Gateway.lan', 'other.lan:8443', '[fd00::1]:80', 'fd00::2'],
  allowedOrigins: ['https://app.example.org'],
};

type Asked = Partial<GuardedRequest> & { host?: string };

function outcome(settings: GuardSettings, request: Asked): string {
  return refusal(settings, request)?.code ?? 'admitted';
}

/** null: admitted. */
function refusal(settings: GuardSettings, request: Asked): ApiError | null {
  const { host = '127.0.0.1:8790', ...rest } = request;
  try {
    createHostOriginGuard(settings).check({
      ...{ method: 'GET', hosts: [host], isHttp10: false, origin: undefined, secFetchSite: undefined },
      ...rest,
    });
    return null;
  } catch (error) {
    assert.ok(error instanceof ApiError, String(error));
    return error;
  }
}

it('a page under https names the setting that is missing, unless it is of another server', () => {
  const sentence = (origin: string) => {
    const request = { method: 'POST', hosts: ['127.0.0.1:8790'], isHttp10: false, secFetchSite: undefined };
    try {
      createHostOriginGuard(loopback).check({ ...request, origin });
      return '';
    } catch (error) {
      return (error as ApiError).message;
    }
  };
  assert.match(sentence('https://127.0.0.1:8790'), /https:\/\/127\.0\.0\.1:8790; set WHATSAPP_PUBLIC_URL/);
  for (const origin of ['https://evil.example', 'https://127.0.0.1', 'null', 'https:']) {
    assert.match(sentence(origin), /WHATSAPP_ALLOWED_ORIGINS/, origin);
  }
});

describe('the Host check', () => {
  for (const host of [
    ...['localhost', 'LOCALHOST:8790', 'localhost:1', '127.0.0.1', '127.0.0.1:8790', '127.8.9.1:80'],
    ...['[::1]', '[::1]:8790', '[::1]:65535'],
  ]) {
    it(`admits ${host}, which means this machine`, () => {
      assert.equal(outcome(loopback, { host }), 'admitted');
    });
  }

  for (const host of [
    ...['', 'evil.example', 'evil.example:8790', '192.168.1.5', '10.0.0.1:8790', '0.0.0.0:8790'],
    ...['localhost.', 'localhost.evil.example', '127.0.0.1.evil.example', 'xn--localhost', '::1', '[::2]'],
    ...['127.1', '0x7f.0.0.1', '2130706433', '127.0.0.1:99999', '127.0.0.1:', '127.0.0.1:80:80'],
    ...['user@localhost', 'localhost/path', 'localhost evil', ' localhost', '[127.0.0.1]', '[localhost]'],
    ...['1270.0.0.1', '[::ffff:10.0.0.1]', 'localhost#', 'localhost,evil.example', '127.0.0.256'],
  ]) {
    it(`refuses ${JSON.stringify(host)}`, () => {
      assert.equal(outcome(loopback, { host }), 'host_not_allowed');
    });
  }

  it('admits the name of the machine, and that name in multicast DNS, only beyond loopback with keys', () => {
    const exposed = { ...loopback, host: '0.0.0.0', apiKeys: [{}] };
    const names = ['gateway', 'GATEWAY:8790', 'gateway.local'];
    for (const host of names) {
      assert.equal(outcome(exposed, { host }), 'admitted', host);
      assert.equal(outcome(loopback, { host }), 'host_not_allowed', host);
      assert.equal(outcome({ ...loopback, apiKeys: [{}] }, { host }), 'host_not_allowed', host);
    }
    for (const host of ['gateway.lan', 'a.gateway', 'gateway.local.evil.example']) {
      assert.equal(outcome(exposed, { host }), 'host_not_allowed', host);
    }
    const full = { ...exposed, hostName: 'gateway.example.org' };
    assert.equal(outcome(full, { host: 'gateway.example.org' }), 'admitted');
    assert.equal(outcome(full, { host: 'gateway.example.org.local' }), 'host_not_allowed');
  });

  it('names the setting in its refusal, and what to list there, if that may be shown', () => {
    const messageFor = (host: string) => refusal(loopback, { host })?.message ?? '';
    assert.equal(
      messageFor('Gateway.lan:8790'),
      'this Host is not served here: gateway.lan; list it in WHATSAPP_ALLOWED_HOSTS if it is yours',
    );
    for (const host of ['<script>.lan', 'a b', '', 'x'.repeat(101)]) {
      assert.equal(
        messageFor(host),
        'this Host is not served here; list it in WHATSAPP_ALLOWED_HOSTS if it is yours',
      );
    }
    const origin = 'https://app.example.org';
    const messageOf = (from: string) => refusal(loopback, { origin: from })?.message ?? '';
    assert.match(
      messageOf(origin),
      /^web pages of this origin may not call here: https:\/\/app\.example\.org; list it in WHATSAPP_ALLOWED_ORIGINS/,
    );
    for (const from of ['null', `https://${'a'.repeat(100)}.example`, 'https://a/<b>']) {
      assert.match(messageOf(from), /^web pages of this origin may not call here; list it/);
    }
  });

  it('admits any IP address and no other name when it is bound beyond loopback with keys', () => {
    const exposed = { ...loopback, host: '0.0.0.0', apiKeys: [{}] };
    for (const host of ['192.168.1.5:8790', '[fd00::1]', 'localhost']) {
      assert.equal(outcome(exposed, { host }), 'admitted', host);
    }
    assert.equal(outcome(exposed, { host: 'evil.example' }), 'host_not_allowed');
    const keysOnLoopback = { ...loopback, apiKeys: [{}] };
    assert.equal(outcome(keysOnLoopback, { host: '192.168.1.5' }), 'host_not_allowed');
  });

  for (const [host, expected] of [
    ['wa.example.org', 'admitted'],
    ['WA.example.org:443', 'admitted'],
    ['gateway.lan', 'admitted'],
    ['gateway.lan:1234', 'admitted'],
    ['other.lan:8443', 'admitted'],
    ['other.lan', 'host_not_allowed'],
    ['other.lan:8444', 'host_not_allowed'],
    ['[fd00::1]:80', 'admitted'],
    ['[fd00::1]:81', 'host_not_allowed'],
    ['[fd00::2]:81', 'admitted'],
    ['sub.gateway.lan', 'host_not_allowed'],
    ['app.example.org', 'host_not_allowed'],
    ['127.0.0.1', 'admitted'],
  ] as const) {
    it(`with a public URL and allowed hosts answers ${host} with ${expected}`, () => {
      assert.equal(outcome(behindProxy, { host }), expected);
    });
  }

  it('admits the address it is bound to', () => {
    assert.equal(outcome({ ...loopback, host: '10.1.2.3' }, { host: '10.1.2.3:8790' }), 'admitted');
    assert.equal(outcome({ ...loopback, host: 'fd00::7' }, { host: '[fd00::7]:8790' }), 'admitted');
  });

  it('refuses a request without exactly one Host', () => {
    assert.equal(outcome(loopback, { hosts: [] }), 'invalid_request');
    assert.equal(outcome(loopback, { hosts: ['localhost', 'localhost'] }), 'invalid_request');
    assert.equal(outcome(loopback, { hosts: [], isHttp10: true }), 'host_not_allowed');
  });
});

describe('the Origin check', () => {
  for (const [origin, host, expected] of [
    [undefined, '127.0.0.1:8790', 'admitted'],
    ['http://127.0.0.1:8790', '127.0.0.1:8790', 'admitted'],
    ['http://localhost', 'localhost:80', 'admitted'],
    ['http://localhost', 'localhost', 'admitted'],
    ['http://[::1]:8790', '[::1]:8790', 'admitted'],
    ['http://localhost:8790', '127.0.0.1:8790', 'origin_not_allowed'],
    ['http://127.0.0.1:3000', '127.0.0.1:8790', 'origin_not_allowed'],
    ['https://127.0.0.1:8790', '127.0.0.1:8790', 'origin_not_allowed'],
    ['http://evil.example', '127.0.0.1:8790', 'origin_not_allowed'],
    ['null', '127.0.0.1:8790', 'origin_not_allowed'],
    ['', '127.0.0.1:8790', 'origin_not_allowed'],
    ['http://127.0.0.1:8790/', '127.0.0.1:8790', 'origin_not_allowed'],
    ['chrome-extension://abc', '127.0.0.1:8790', 'origin_not_allowed'],
  ] as const) {
    it(`answers ${origin === undefined ? 'no origin' : JSON.stringify(origin)} on ${host} with ${expected}`, () => {
      for (const method of ['GET', 'POST', 'OPTIONS']) {
        assert.equal(outcome(loopback, { method, origin, host }), expected);
      }
    });
  }

  for (const [origin, host, expected] of [
    ['https://app.example.org', '127.0.0.1:8790', 'admitted'],
    ['http://app.example.org', '127.0.0.1:8790', 'origin_not_allowed'],
    ['https://app.example.org.evil.example', '127.0.0.1:8790', 'origin_not_allowed'],
    ['https://wa.example.org', 'wa.example.org', 'admitted'],
    ['https://wa.example.org', '127.0.0.1:8790', 'admitted'],
    ['http://wa.example.org', 'wa.example.org', 'origin_not_allowed'],
    ['http://gateway.lan:1234', 'gateway.lan:1234', 'admitted'],
  ] as const) {
    it(`with a public URL and an allowed origin answers ${origin} on ${host} with ${expected}`, () => {
      assert.equal(outcome(behindProxy, { origin, host }), expected);
    });
  }

  it('refuses a cross-site change of a browser, unless its origin is allowed', () => {
    const post = { method: 'POST', secFetchSite: 'cross-site' };
    assert.equal(outcome(behindProxy, post), 'origin_not_allowed');
    assert.equal(outcome(behindProxy, { ...post, origin: 'https://app.example.org' }), 'admitted');
    assert.equal(outcome(behindProxy, { ...post, method: 'GET' }), 'admitted');
    assert.equal(outcome(behindProxy, { ...post, secFetchSite: 'same-origin' }), 'admitted');
    assert.equal(outcome(behindProxy, { ...post, secFetchSite: 'none' }), 'admitted');
  });
});

describe('the base URL', () => {
  const of = (settings: GuardSettings, host: string) =>
    createHostOriginGuard(settings).check({
      ...{ method: 'GET', hosts: [host], isHttp10: false, origin: undefined, secFetchSite: undefined },
    }).baseUrl;

  it('is the host of the request', () => {
    assert.equal(of(loopback, 'LocalHost:8790'), 'http://localhost:8790');
    assert.equal(of(loopback, '[::1]:8790'), 'http://[::1]:8790');
  });

  it('is the configured public URL without a trailing slash', () => {
    assert.equal(of(behindProxy, '127.0.0.1:8790'), 'https://wa.example.org/hold');
  });
});

it('an authority is parsed without normalization beyond lower case', () => {
  assert.deepEqual(parseAuthority('[FD00::1]:80'), { name: 'fd00::1', text: '[fd00::1]:80' });
  assert.equal(parseAuthority('a:b'), null);
});
