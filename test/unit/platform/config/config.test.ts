import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { OperatorError } from '../../../../src/contract/errors.js';
import { timingSchema } from '../../../../src/contract/timing.js';
import { newApiKey } from '../../../../src/platform/api-key.js';
import { type Config, loadConfig } from '../../../../src/platform/config/config.js';
import { roomByMemory } from '../../../../src/platform/config/session-room.js';

const digest = '5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8';

type Environment = Readonly<Record<string, string>>;

/** Every invalid value, by the variable that the problem must name. */
const refused: readonly (readonly [name: string, value: string, allowed: RegExp])[] = [
  ['REDIS_URL', 'localhost:6379', /must be a URL like redis:\/\//],
  ['REDIS_URL', 'http://localhost:6379', /must be a URL like redis:\/\//],
  ['REDIS_URL', 'redis://', /must be a URL like redis:\/\//],
  ['REDIS_URL', 'unix:', /must be a URL like redis:\/\//],
  ['REDIS_URL', 'redis://a,b', /must be a URL like redis:\/\//],
  ['REDIS_URL', 'redis://host/mymaster', /must be a URL like redis:\/\//],
  ['REDIS_URL', 'redis+sentinel://a,b', /redis\+sentinel:\/\/host:26379,host:26379\/mymaster/],
  ['REDIS_URL', 'redis+cluster://a/1', /redis\+cluster:\/\//],
  ['REDIS_URL', 'redis://h?ca=/etc/hostname', /must be a URL like redis:\/\//],
  ['REDIS_URL', 'redis://h?family=6', /must be a URL like redis:\/\//],
  ['REDIS_URL', 'rediss://h?cert=/etc/hostname', /must be a URL like redis:\/\//],
  ['REDIS_URL', 'rediss://h?ca=/no/such.pem', /the file \/no\/such\.pem cannot be read/],
  ['WHATSAPP_API_KEYS', ',', /entry 1 is empty; leave the variable out/],
  ['WHATSAPP_API_KEYS', 'ops:admin:sha256:abc', /entry 1 must be name:scope:sha256:/],
  ['WHATSAPP_API_KEYS', `ops:admin:md5:${digest}`, /entry 1 must be name:scope:sha256:/],
  ['WHATSAPP_API_KEYS', `ops:root:sha256:${digest}`, /entry 1 has a scope that is none of read, send, admin/],
  ['WHATSAPP_API_KEYS', `Ops:read:sha256:${digest}`, /entry 1 has a name that is not/],
  [
    'WHATSAPP_API_KEYS',
    `a:read:sha256:${digest},b:read:sha256:${digest.toUpperCase()}`,
    /entry 2 has the key of an earlier entry/,
  ],
  [
    'WHATSAPP_API_KEYS',
    `a:read:sha256:${digest},a:read:sha256:${'0'.repeat(64)}`,
    /entry 2 has the name of an earlier entry/,
  ],
  ...(
    [
      [':', /entry 1 must be name:scope:sha256:.*:sessions=NAME\|NAME/],
      [':shop', /entry 1 must be name:scope:sha256:/],
      [':sessions=a:b', /entry 1 must be name:scope:sha256:/],
      [':sessions=', /entry 1 has no session behind sessions=; leave :sessions= out for all sessions/],
      [':sessions=a|', /entry 1 has a session whose name is not 1-64 characters of a-z, 0-9 and -/],
      [':sessions=Shop', /entry 1 has a session whose name is not/],
      [':sessions=a|b|a', /entry 1 has a session twice/],
    ] as const
  ).map(([end, problem]) => ['WHATSAPP_API_KEYS', `a:read:sha256:${digest}${end}`, problem] as const),
  ['WHATSAPP_TRUSTED_PROXIES', 'proxy.lan', /must be addresses or subnets like 10\.0\.0\.2/],
  ['WHATSAPP_TRUSTED_PROXIES', '10.0.0.0/33', /must be addresses or subnets/],
  ['WHATSAPP_RATE_LIMIT', '-1', /must be a whole number from 0 to 1000000/],
  ['WHATSAPP_SEND_QUEUE_MAX', '0', /must be a whole number from 1 to 1000000/],
  ['WHATSAPP_MCP_HOST', 'example.org', /must be an IP address or localhost/],
  ['WHATSAPP_MCP_PORT', '65536', /must be a whole number from 0 to 65535/],
  ['WHATSAPP_MCP_PORT', '80a', /must be a whole number from 0 to 65535/],
  ['WHATSAPP_MCP_PORT', '-1', /must be a whole number from 0 to 65535/],
  ['WHATSAPP_HEADLESS', 'yes', /must be true or false/],
  ['WHATSAPP_CHROME_ARGS', '--a "open', /as a shell splits them; a quote is not closed/],
  ['WHATSAPP_CHROME_ARGS', 'no-sandbox', /must be arguments that begin with -/],
  ['WHATSAPP_CHROME_ARGS', '--a https://example.org', /must be arguments that begin with -/],
  ['WHATSAPP_CHROME_ARGS', '--user-data-dir=/tmp/x', /WHATSAPP_AUTH_DIR names the directory/],
  ['WHATSAPP_BROWSER', 'firefox', /must be chromium or shell$/],
  ['WHATSAPP_CHROME_EXECUTABLE', '/no/such/chrome', /is not an executable file/],
  ['WHATSAPP_CHROME_EXECUTABLE', '/', /is not an executable file/],
  ['WHATSAPP_CREDENTIALS_KEY', 'c2VjcmV0', /key 1 must be base64 of 32 bytes/],
  ['WHATSAPP_CREDENTIALS_KEY', `${Buffer.alloc(32).toString('base64')},x`, /key 2 must be base64 of 32/],
  ['WHATSAPP_INSTALL', 'always', /must be never or auto/],
  ['WHATSAPP_PUBLIC_URL', 'wa.example.org', /must be an http\(s\) URL/],
  ['WHATSAPP_PUBLIC_URL', 'ftp://wa.example.org', /must be an http\(s\) URL/],
  ...[
    'https://u:p@wa.example.org',
    'https://wa.example.org?a',
    'https://wa.example.org/#a',
    'http://a b',
  ].map((url) => ['WHATSAPP_PUBLIC_URL', url, /without a password, a query or a fragment/] as const),
  ...['http://a b', 'http://gateway.lan', 'gateway.lan/', '*', '*.lan', 'a:99999', '[::1', 'a b'].map(
    (host) =>
      [
        'WHATSAPP_ALLOWED_HOSTS',
        `ok.lan, ${host}`,
        /must be host names or addresses like gateway\.lan/,
      ] as const,
  ),
  [
    'WHATSAPP_ALLOWED_HOSTS',
    'ok.lan,http://a b',
    /without http:\/\/ and without a path; "http:\/\/a b" is none$/,
  ],
  ['WHATSAPP_ALLOWED_ORIGINS', '*', /must be origins like https:\/\/app\.example\.org/],
  ['WHATSAPP_ALLOWED_ORIGINS', 'https://a.example.org/path', /without a path/],
  ['WHATSAPP_ALLOWED_ORIGINS', 'https://a.example.org, nonsense', /must be origins/],
  ['WHATSAPP_LOG_LEVEL', 'verbose', /must be one of trace, debug, info/],
  ['WHATSAPP_WEB_VERSION', '../../etc/passwd', /must be a version of WhatsApp Web/],
  ['WHATSAPP_WEB_VERSION', '2.3000.1/../x', /must be a version of WhatsApp Web/],
  ['WHATSAPP_WEB_VERSION', '2.3000.', /must be a version of WhatsApp Web/],
  ['WHATSAPP_WEB_VERSION', '2.3000.1-rc', /must be a version of WhatsApp Web/],
  ['WHATSAPP_WEB_VERSION', `2.${'3'.repeat(80)}`, /must be a version of WhatsApp Web/],
  ['WHATSAPP_DEVICE_NAME', ' ', /must be a name of 1 to 50 printable characters/],
  ['WHATSAPP_DEVICE_NAME', 'x'.repeat(51), /must be a name of 1 to 50 printable characters/],
  ['WHATSAPP_DEVICE_NAME', 'two\nlines', /must be a name of 1 to 50 printable characters/],
  ['WHATSAPP_DEVICE_NAME', 'right\u202eleft', /must be a name of 1 to 50 printable characters/],
  ['WHATSAPP_LANGUAGES', 'de;q=0.9', /must be at most 10 language tags like de-DE,de,en, without weights/],
  ['WHATSAPP_LANGUAGES', 'de,,en', /must be at most 10 language tags/],
  ['WHATSAPP_LANGUAGES', 'de_DE', /must be at most 10 language tags/],
  ['WHATSAPP_LANGUAGES', 'en-US --no-sandbox', /must be at most 10 language tags/],
  ['WHATSAPP_LANGUAGES', 'a,b', /must be at most 10 language tags/],
  ['WHATSAPP_LANGUAGES', Array(11).fill('de').join(), /must be at most 10 language tags/],
  ['WHATSAPP_TIME_ZONE', 'Berlin', /must be a time zone by its IANA name, like Europe\/Berlin/],
  ['WHATSAPP_TIME_ZONE', '+05:30', /must be a time zone by its IANA name/],
  ['WHATSAPP_TIME_ZONE', ':/etc/localtime', /must be a time zone by its IANA name/],
  ['WHATSAPP_SEND_TTL_S', '0', /must be a whole number from 1 to 604800/],
  ['WHATSAPP_PROBE_HOST', 'metrics.internal', /must be an IP address or localhost/],
  ['WHATSAPP_PROBE_PORT', '70000', /must be a whole number from 0 to 65535/],
  ['WHATSAPP_MAX_SESSIONS', '0', /must be a whole number from 1 to 100/],
  ['WHATSAPP_MAX_STARTS', '0', /must be a whole number from 1 to 100/],
  ['WHATSAPP_RESTARTS_MAX', '0', /must be a whole number from 1 to 1000/],
  ['WHATSAPP_RESTART_WINDOW_S', '1.5', /must be a whole number from 1 to 86400/],
  ['WHATSAPP_BACKOFF_MAX_S', '3601', /must be a whole number from 1 to 3600/],
  ['WHATSAPP_START_DEADLINE_S', '60s', /must be a whole number from 1 to 3600/],
  ['WHATSAPP_SYNC_DEADLINE_S', '0', /must be a whole number from 1 to 3600/],
  ['WHATSAPP_STOP_GRACE_S', '601', /must be a whole number from 1 to 600/],
  ['WHATSAPP_TIMING', '{', /must be a JSON object of milliseconds/],
  ['WHATSAPP_TIMING', '[]', /WHATSAPP_TIMING: must be an object/],
  ['WHATSAPP_TIMING', 'null', /WHATSAPP_TIMING: must be an object/],
  ['WHATSAPP_TIMING', '{"lockDuration":1}', /has no field "lockDuration"/],
  ['WHATSAPP_TIMING', '{"lockDurationMs":"15s"}', /lockDurationMs must be a number/],
  ['WHATSAPP_TIMING', '{"lockDurationMs":1.5}', /lockDurationMs must be a whole number/],
  ['WHATSAPP_TIMING', '{"lockDurationMs":0}', /lockDurationMs must be more than 0/],
  ['WHATSAPP_TIMING', '{"lockDurationMs":1e8}', /lockDurationMs must be at most 86400000/],
  ['WHATSAPP_TIMING', '{"lockDurationMs":-1}', /lockDurationMs must be more than 0/],
  ['WHATSAPP_TIMING', '{"lockDurationMs":14500}', /lockDurationMs \(14500\) must be at least/],
  ['WHATSAPP_RESTART_WINDOW_S', '60', /restartWindowMs \(60000\) must exceed/],
  ['WHATSAPP_RESTARTS_MAX', '1000', /restartWindowMs \(1800000\) must exceed the 1000 backoffs/],
];

describe('configuration', () => {
  let folder: string;
  let chrome: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'holdline-config-'));
    chrome = join(folder, 'chromium');
    writeFileSync(chrome, '#!/bin/sh\n');
    chmodSync(chrome, 0o755);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('has the documented defaults in an empty environment', () => {
    const config = loadConfig('all', {});
    const { hostName, ...rest } = config;
    assert.notEqual(hostName, '');
    assert.deepEqual(rest, {
      role: 'all',
      host: '127.0.0.1',
      port: 8790,
      publicUrl: null,
      allowedHosts: [],
      allowedOrigins: [],
      apiKeys: [],
      trustedProxies: [],
      rateLimit: 600,
      sendQueueMax: 1_000,
      redisUrl: null,
      dataDir: resolve('.holdline'),
      authDir: resolve('.wwebjs_auth'),
      browser: 'chromium',
      chromeExecutable: '',
      chromeArgs: [],
      headless: true,
      relaysPasskey: true,
      browserEnvironment: {},
      webVersion: null,
      deviceName: 'Holdline',
      languages: [],
      timeZone: null,
      logLevel: 'info',
      probe: { host: '127.0.0.1', port: 9_790, isGiven: false },
      maxSessions: roomByMemory(totalmem(), process.constrainedMemory(), 'chromium').sessions,
      maxSessionsBy: roomByMemory(totalmem(), process.constrainedMemory(), 'chromium').by,
      maxStarts: availableParallelism(),
      restartsMax: 10,
      recycling: { memoryMb: 2_048, days: 0 },
      sendTtlS: 3_600,
      credentialsKeys: [],
      backupPassphrase: null,
      timing: timingSchema.parse({}),
      warnings: [],
    } satisfies Omit<Config, 'hostName'>);
  });

  it('sets the identity of the browser and of the linked device', () => {
    const config = loadConfig('all', {
      WHATSAPP_WEB_VERSION: '2.3000.1044822804-alpha',
      WHATSAPP_DEVICE_NAME: ' Büro 2 (Köln) ☎ ',
      WHATSAPP_LANGUAGES: 'de-DE, de,en',
      WHATSAPP_TIME_ZONE: 'europe/berlin',
    });
    assert.equal(config.webVersion, '2.3000.1044822804-alpha');
    assert.equal(config.deviceName, 'Büro 2 (Köln) ☎');
    assert.deepEqual(config.languages, ['de-DE', 'de', 'en']);
    assert.equal(config.timeZone, 'Europe/Berlin');
  });

  it('passes the environment to the browser without its own variables', () => {
    const environment = { LANG: 'C', REDIS_URL: 'redis://:secret@localhost', WHATSAPP_LOG_LEVEL: 'warn' };
    assert.deepEqual(loadConfig('http', environment).browserEnvironment, { LANG: 'C' });
  });

  it('cannot be changed afterwards', () => {
    const config = loadConfig('all', {});
    assert.ok(Object.isFrozen(config) && Object.isFrozen(config.timing));
  });

  it('treats an empty variable as not set', () => {
    assert.equal(loadConfig('all', { WHATSAPP_MCP_PORT: '', REDIS_URL: '' }).port, 8790);
  });

  for (const [name, value, allowed] of refused) {
    it(`refuses ${name}=${value}, with the variable and what is allowed`, () => {
      const problems = problemsOf('all', { [name]: value });
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.ok(problems[0]?.startsWith(`${name}: `), problems[0]);
      assert.match(problems[0] ?? '', allowed);
    });
  }

  it('names every problem at once, also those between variables', () => {
    const problems = problemsOf('http', {
      WHATSAPP_MCP_PORT: 'x',
      WHATSAPP_HEADLESS: 'maybe',
      WHATSAPP_MCP_HOST: '0.0.0.0',
      WHATSAPP_TIMING: '{"lockDurationMs":"x","unknownMs":1}',
    });
    const names = problems.map((problem) => problem.split(':', 1)[0]).sort();
    assert.deepEqual(names, [
      'REDIS_URL',
      'WHATSAPP_HEADLESS',
      'WHATSAPP_MCP_HOST',
      'WHATSAPP_MCP_PORT',
      'WHATSAPP_TIMING',
      'WHATSAPP_TIMING',
    ]);
  });

  it('never repeats the value of a variable that can hold a password', () => {
    const problems = problemsOf('all', { REDIS_URL: 'http://:hunter2@localhost' });
    assert.doesNotMatch(problems.join('\n'), /hunter2/);
  });

  it('refuses an unknown role and lists the known ones', () => {
    assert.match(problemsOf('worker', {}).join('\n'), /the role is "worker"; allowed: all, http, supervisor/);
  });

  for (const role of ['http', 'supervisor']) {
    it(`refuses the role ${role} without REDIS_URL, with the remedy`, () => {
      assert.match(
        problemsOf(role, {}).join('\n'),
        /^REDIS_URL: the role .* set REDIS_URL .* or start the role all/,
      );
      assert.equal(loadConfig(role, { REDIS_URL: 'redis://redis:6379' }).redisUrl, 'redis://redis:6379');
    });
  }

  it('accepts Redis over TCP, TLS and a Unix socket', () => {
    for (const url of ['redis://:secret@redis:6379/1', 'rediss://redis', 'unix:///run/redis.sock']) {
      assert.equal(loadConfig('http', { REDIS_URL: url }).redisUrl, url);
    }
  });

  it('refuses to bind beyond loopback without keys, with the remedy', () => {
    for (const host of ['0.0.0.0', '::', '192.168.1.4', '10.127.0.0', '::ffff:10.0.0.1']) {
      const problems = problemsOf('all', { WHATSAPP_MCP_HOST: host });
      assert.match(
        problems.join('\n'),
        /^WHATSAPP_MCP_HOST: .*npm run key -- NAME admin.*bind to 127\.0\.0\.1/,
        host,
      );
    }
  });

  it('binds beyond loopback with keys, with a warning about clear text', () => {
    const environment = { WHATSAPP_MCP_HOST: '0.0.0.0', WHATSAPP_API_KEYS: `ops:admin:sha256:${digest}` };
    const config = loadConfig('all', environment);
    assert.deepEqual(config.apiKeys, [{ name: 'ops', scope: 'admin', sha256: digest, sessions: null }]);
    assert.match(config.warnings.join('\n'), /clear text/);
    const withTls = { ...environment, WHATSAPP_PUBLIC_URL: 'https://wa.example.org' };
    assert.deepEqual(loadConfig('all', withTls).warnings, []);
  });

  it('warns of a public URL without keys', () => {
    const open = { WHATSAPP_PUBLIC_URL: 'https://wa.example.org/holdline' };
    const [warning, ...more] = loadConfig('all', open).warnings;
    assert.match(warning ?? '', /^WHATSAPP_PUBLIC_URL is not a loopback URL.*set WHATSAPP_API_KEYS$/);
    assert.deepEqual(more, []);
    const keys = { WHATSAPP_API_KEYS: `ops:admin:sha256:${digest}` };
    for (const safe of [{ ...open, ...keys }, { WHATSAPP_PUBLIC_URL: 'http://localhost:8080' }]) {
      assert.deepEqual(loadConfig('all', safe).warnings, []);
    }
    const supervisor = { ...open, REDIS_URL: 'redis://localhost' };
    assert.deepEqual(loadConfig('supervisor', supervisor).warnings, []);
  });

  it('never prints a value in the place of a key', () => {
    const secret = 'holdline_not-hashed';
    for (const value of [
      ...[secret, `ops:admin:${secret}`, `ops:admin:sha256:${secret}`, `ops:${secret}:sha256:${digest}`],
      ...[`${secret}!:admin:sha256:${digest}`, `a:read:sha256:${digest},${secret}`, `a:b:c:d:${secret}`],
      ...[`a:read:sha256:${digest}:${secret}`, `a:read:sha256:${digest}:sessions=${secret}`],
    ]) {
      const problems = problemsOf('all', { WHATSAPP_API_KEYS: value, WHATSAPP_MCP_HOST: '0.0.0.0' });
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.match(problems[0] ?? '', /^WHATSAPP_API_KEYS: entry \d/);
      assert.ok(!problems.join('').includes(secret));
    }
  });

  it('accepts the entries of the keys that it generates, which all differ', () => {
    const made = [newApiKey('ops', 'admin'), newApiKey('bot', 'send', ['shop', 'default'])] as const;
    const config = loadConfig('all', { WHATSAPP_API_KEYS: made.map(({ entry }) => entry).join(' , ') });
    assert.deepEqual(
      config.apiKeys.map(({ name, scope, sessions }) => [name, scope, sessions]),
      [
        ['ops', 'admin', null],
        ['bot', 'send', ['shop', 'default']],
      ],
    );
    assert.match(made[0].key, /^holdline_[\w-]{43}$/);
    assert.notEqual(made[0].key, made[1].key);
    assert.ok(!made[0].entry.includes(made[0].key));
    assert.throws(() => newApiKey('Ops', 'admin'), OperatorError);
    assert.throws(() => newApiKey('ops', 'root'), OperatorError);
    for (const sessions of [[], [''], ['Shop'], ['a|b'], ['a', 'a']]) {
      assert.throws(
        () => newApiKey('ops', 'admin', sessions),
        /sessions are different names of 1-64 characters/,
      );
    }
  });

  for (const url of [
    ...[
      'redis://redis',
      'redis://:p%40ss@h:1/2',
      'rediss://u:p@h',
      'redis://[::1]:6379',
      'unix:///tmp/r.sock',
    ],
    ...['redis+sentinel://u:p@a:26379,b,c:26381/mymaster', 'rediss+sentinel://a/set/3?sentinel_password=x'],
    ...['redis+cluster://u:p@a:7000,b:7001', 'rediss+cluster://a'],
  ]) {
    it(`accepts the Redis ${url}`, () => assert.equal(loadConfig('http', { REDIS_URL: url }).redisUrl, url));
  }

  it('binds to any loopback address, and ignores the address for a supervisor', () => {
    for (const host of ['127.0.0.1', '127.0.0.2', '::1', 'localhost']) {
      assert.equal(loadConfig('all', { WHATSAPP_MCP_HOST: host }).host, host);
    }
    const supervisor = { WHATSAPP_MCP_HOST: '0.0.0.0', REDIS_URL: 'redis://redis' };
    assert.equal(loadConfig('supervisor', supervisor).role, 'supervisor');
  });

  it('splits the browser arguments as a shell would', () => {
    const split = (text: string) => loadConfig('all', { WHATSAPP_CHROME_ARGS: text }).chromeArgs;
    assert.deepEqual(split('--no-sandbox  --disable-gpu'), ['--no-sandbox', '--disable-gpu']);
    assert.deepEqual(split('--rules="MAP a.example:443 127.0.0.1:1" --x'), [
      '--rules=MAP a.example:443 127.0.0.1:1',
      '--x',
    ]);
    assert.deepEqual(split("'--rules=MAP a b' --y"), ['--rules=MAP a b', '--y']);
    assert.deepEqual(split('--dir=/a\\ b "--c=\\" d"'), ['--dir=/a b', '--c=" d']);
  });

  it('splits lists at commas and drops empty entries', () => {
    const config = loadConfig('all', {
      WHATSAPP_ALLOWED_HOSTS: 'wa.example.org, localhost:8790,[::1]:80,fd00::2,192.168.1.5,',
      WHATSAPP_ALLOWED_ORIGINS: 'https://a.example.org,http://localhost:3000',
    });
    assert.deepEqual(config.allowedHosts, [
      ...['wa.example.org', 'localhost:8790', '[::1]:80', 'fd00::2', '192.168.1.5'],
    ]);
    assert.deepEqual(config.allowedOrigins, ['https://a.example.org', 'http://localhost:3000']);
  });

  it('sets rows of the timing table in seconds; WHATSAPP_TIMING wins', () => {
    const variables = { WHATSAPP_START_DEADLINE_S: '30', WHATSAPP_BACKOFF_MAX_S: '10' };
    assert.equal(loadConfig('all', variables).timing.startDeadlineMs, 30_000);
    const { timing } = loadConfig('all', { ...variables, WHATSAPP_TIMING: '{"startDeadlineMs":5000}' });
    assert.equal(timing.startDeadlineMs, 5_000);
    assert.equal(timing.backoffMaxMs, 10_000);
    assert.equal(timing.lockDurationMs, 15_000);
  });

  it('sets the time that a message has to be sent', () => {
    assert.equal(loadConfig('all', { WHATSAPP_SEND_TTL_S: '60' }).sendTtlS, 60);
  });

  it('extends the shutdown for a longer stop grace', () => {
    const { timing } = loadConfig('all', { WHATSAPP_STOP_GRACE_S: '60' });
    assert.equal(timing.threadStopGraceMs, 60_000);
    assert.equal(timing.shutdownMs, 75_000);
  });

  it('names every variable behind a contradiction', () => {
    const problems = problemsOf('all', { WHATSAPP_RESTARTS_MAX: '100', WHATSAPP_BACKOFF_MAX_S: '600' });
    assert.match(
      problems.join('\n'),
      /^WHATSAPP_(RESTARTS_MAX|BACKOFF_MAX_S), WHATSAPP_\w+: restartWindowMs/,
    );
  });

  it('warns of variables that it ignores', () => {
    const config = loadConfig('all', { WHATSAPP_MCP_PROT: '9000', HOME: '/root' });
    assert.deepEqual(config.warnings, [
      'WHATSAPP_MCP_PROT is not a variable of this product (did you mean WHATSAPP_MCP_PORT?); ignored',
    ]);
  });

  it('names what is misspelt beside the problem that it causes', () => {
    const misspelt = { WHATSAPP_MCP_HOST: '0.0.0.0', WHATSAPP_API_KEY: 'ops:admin:sha256:0' };
    assert.throws(
      () => loadConfig('all', misspelt),
      /would give the account[\s\S]*WHATSAPP_API_KEY is not a variable of this product \(did you mean WHATSAPP_API_KEYS\?\)/,
    );
  });

  it('finds the browser on the PATH, or takes the configured one', () => {
    mkdirSync(join(folder, 'other', 'chromium'), { recursive: true });
    const path = ['/no/such/folder', join(folder, 'other'), folder].join(':');
    assert.equal(loadConfig('all', { PATH: path }).chromeExecutable, chrome);
    assert.equal(loadConfig('all', { WHATSAPP_CHROME_EXECUTABLE: chrome }).chromeExecutable, chrome);
  });

  it('needs no browser for an HTTP replica', () => {
    const environment = { REDIS_URL: 'redis://redis', WHATSAPP_CHROME_EXECUTABLE: '/usr/bin/elsewhere' };
    assert.equal(loadConfig('http', environment).chromeExecutable, '');
  });

  it('reads exactly the variables of .env.example, with the same defaults', () => {
    const lines = rootFile('.env.example').matchAll(/^#([A-Z_]+)=(.*)$/gm);
    const example = Object.fromEntries([...lines].map(([, name = '', value = '']) => [name, value]));
    const read = rootFile('src/platform/config/variables.ts').matchAll(
      /^ {2}((?:WHATSAPP|REDIS)_[A-Z_]+):/gm,
    );
    assert.deepEqual(Object.keys(example).sort(), [...read].map(([, name = '']) => name).sort());
    const { probe, ...listed } = loadConfig('all', example);
    const { probe: own, ...rest } = loadConfig('all', {});
    assert.deepEqual(listed, rest);
    assert.deepEqual(probe, { ...own, isGiven: true });
  });

  it('is documented in docs/configuration.md, variable by variable, with the defaults of .env.example', () => {
    const rows = rootFile('docs/configuration.md').matchAll(/^\| `([A-Z_]+)` +\| (.*?) +\|/gm);
    const documented = new Map([...rows].map(([, name = '', value]) => [name, value]));
    const example = [...rootFile('.env.example').matchAll(/^#([A-Z_]+)=(.*)$/gm)];
    assert.deepEqual([...documented.keys()].sort(), example.map(([, name]) => name).sort());
    for (const [, name = '', value = ''] of example) {
      if (value !== '') assert.equal(documented.get(name), `\`${value}\``, name);
    }
  });
});

function rootFile(name: string): string {
  return readFileSync(resolve(import.meta.dirname, '../../../../..', name), 'utf8');
}

function problemsOf(role: string, environment: Environment): string[] {
  try {
    loadConfig(role, environment);
  } catch (error) {
    assert.ok(error instanceof OperatorError, String(error));
    const text = error.message.replace(/^configuration:\s*/, '');
    return text.split('\n').map((line) => line.replace(/^\s*- /, ''));
  }
  return assert.fail('accepted');
}
