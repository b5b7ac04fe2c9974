import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import type { Finding } from '../../../src/doctor/check.js';
import { reachVerdict } from '../../../src/doctor/whatsapp-checks.js';
import { putSession } from '../../../src/platform/store/session-register.js';
import { registerSupervisor } from '../../../src/platform/store/supervisor-registry.js';
import { claimToWrite } from '../../support/event-writer.js';
import { freePort } from '../../support/free-port.js';
import { findHeadlessShell, headlessShellMissing } from '../../support/headless-shell.js';
import { startReplica } from '../../support/http-replica.js';
import { assertNothingLeft, scratchDir } from '../../support/leftovers.js';
import { startRedis } from '../../support/redis-server.js';
import { ScriptedProcesses } from '../../support/scripted-processes.js';
import { supervisorFacts } from '../../support/supervisor-facts.js';
import { startWhatsAppWeb } from '../../whatsapp-web/index.js';

const doctor = fileURLToPath(new URL('../../../src/doctor.js', import.meta.url));
const dir = scratchDir();
const scripted = new ScriptedProcesses(dir);
const redis = await startRedis({ appendOnly: true });
const client = new Redis(redis.url);
const whatsApp = await startWhatsAppWeb();
/** No server listens on this port. */
const closedPort = 1;
const nowhere = `--host-resolver-rules=MAP web.whatsapp.com:443 127.0.0.1:${closedPort}`;

after(async () => {
  await whatsApp.close();
  client.disconnect();
  await redis.stop();
  await assertNothingLeft();
});

interface Examination {
  readonly code: number;
  readonly output: string;
  findings(): Finding[];
}

/** Runs the program with the scripted browser, a stand-in for WhatsApp and a running Redis. */
async function examine(args: string[], environment: Record<string, string> = {}): Promise<Examination> {
  const chromeArgs = whatsApp.chromeArgs.map((argument) => `"${argument}"`).join(' ');
  return new Promise((settle) => {
    const env = {
      PATH: process.env.PATH,
      REDIS_URL: redis.url,
      WHATSAPP_AUTH_DIR: join(dir, 'auth'),
      WHATSAPP_MCP_PORT: '0',
      WHATSAPP_CHROME_EXECUTABLE: scripted.browserExecutable,
      WHATSAPP_CHROME_ARGS: chromeArgs,
      ...environment,
    };
    execFile(process.execPath, [doctor, ...args], { env, timeout: 60_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code);
      settle({
        code,
        output: stdout + stderr,
        findings: () => (JSON.parse(stdout) as { findings: Finding[] }).findings,
      });
    });
  });
}

const levelsOf = (findings: readonly Finding[]) =>
  Object.fromEntries(findings.map(({ check, level }) => [check, level]));

test('on a complete machine no check fails, each line says what was found, and the exit code is 0', async () => {
  await registerSupervisor(client, 'one', supervisorFacts(3), 60_000);
  await registerSupervisor(client, 'two', supervisorFacts(4), 60_000);
  const account = { pushname: null, platform: null };
  for (const [name, wid] of [
    ['shop', '1@c.us'],
    ['shop-2', '1@c.us'],
    ['elsewhere', '2@c.us'],
  ] as const) {
    await putSession(client, name, {});
    await (await claimToWrite(client, name)).publish({ account: { ...account, wid } });
  }
  const { code, output } = await examine(['supervisor']);
  assert.equal(code, 0, output);
  assert.match(output, /^warning +redis +the sessions shop, shop-2 are linked to one account: /m);
  assert.doesNotMatch(output, /elsewhere/);
  assert.match(output, /^ok +browser +Scripted Browser 1\.0 \(/m);
  assert.match(output, /^ok +browser +it starts, in \d/m);
  assert.match(output, /^ok +whatsapp +web\.whatsapp\.com can be reached \(mapped to 127\.0\.0\.1:\d+\)$/m);
  assert.match(output, /^ok +page contract +WhatsApp Web 2\.3000\.\d+ of .*, has what Holdline needs; /m);
  assert.match(output, /^ok +page version +none is pinned: /m);
  assert.match(
    output,
    /^warning +browser +the browser calls itself HeadlessChrome: .*"Scripted Browser 1\.0"$/m,
  );
  assert.match(output, /^ok +redis +Redis \d+\.\S+, evicts nothing$/m);
  assert.match(output, /^ok +redis +keeps its data in an append-only file$/m);
  assert.match(output, /^ok +redis +the clock here is [01]\.\d s /m);
  assert.match(output, /^ok +redis +supervisor one is alive, room for 3 more$/m);
  assert.match(output, /\n\d+ ok, \d+ warnings?, 0 failures\n$/);
  assert.deepEqual(scripted.browsersAlive(), []);
});

test('the headless shell is named, with its version, and says nothing of being headless', {
  skip: findHeadlessShell() === undefined ? headlessShellMissing : false,
}, async () => {
  const { code, output } = await examine(['supervisor'], {
    WHATSAPP_CHROME_EXECUTABLE: '',
    WHATSAPP_BROWSER: 'shell',
  });
  assert.equal(code, 0, output);
  assert.match(output, /^ok +browser +Chromium \S+.*, headless shell \(\/.*\/chromium-headless-shell\)$/m);
  assert.match(output, /^ok +browser +it starts, in \d/m);
  assert.doesNotMatch(output, /HeadlessChrome/);
});

test('a failure names its remedy, the other checks still run, and the exit code is 1', async () => {
  await client.config('SET', 'maxmemory-policy', 'allkeys-lru');
  scripted.setBrowsers('fails to start');
  try {
    const { code, findings } = await examine(['supervisor', '--json'], {
      WHATSAPP_CHROME_ARGS: `"${nowhere}"`,
    });
    assert.equal(code, 1);
    const failed = findings().filter(({ level }) => level === 'failure');
    assert.deepEqual(failed.map(({ check }) => check).sort(), ['browser', 'redis', 'whatsapp']);
    const said = failed.map(({ message }) => message).join('\n');
    assert.match(said, /the browser ended while it started/);
    assert.match(said, /TCP fails \(connect ECONNREFUSED .*\): allow this host to connect to port 443/);
    assert.match(said, /set maxmemory-policy noeviction/);
  } finally {
    scripted.setBrowsers('normal');
    await client.config('SET', 'maxmemory-policy', 'noeviction');
  }
});

test('an unreachable Redis is one line, and the role http needs no browser', async () => {
  const { code, findings } = await examine(['http', '--json'], {
    REDIS_URL: `redis://127.0.0.1:${closedPort}`,
    WHATSAPP_CHROME_EXECUTABLE: '',
  });
  assert.equal(code, 1);
  assert.deepEqual(levelsOf(findings()), { 'api keys': 'ok', node: 'ok', redis: 'failure' });
});

test('the port is free, or Holdline has it, or something else has it, which is a failure', async () => {
  const port = await freePort();
  const environment = { WHATSAPP_MCP_PORT: String(port) };
  const found = async () => {
    const { findings } = await examine(['http', '--json'], environment);
    return findings().find(({ check }) => check === 'port');
  };
  const check = 'port';
  assert.deepEqual(await found(), { check, level: 'ok', message: `127.0.0.1:${port} is free` });
  const replica = await startReplica(redis.url, { environment });
  assert.deepEqual(await found(), { check, level: 'ok', message: `a Holdline serves on 127.0.0.1:${port}` });
  await replica.close();
  const other = createServer((socket) => socket.destroy()).listen(port, '127.0.0.1');
  await once(other, 'listening');
  const failure = await found();
  other.close();
  assert.equal(failure?.level, 'failure');
  assert.match(failure?.message ?? '', /is in use; stop what uses it, or set WHATSAPP_MCP_PORT/);
});

test('what was taken from .env is said, in the words of the script', async () => {
  const said = 'from .env: WHATSAPP_MAX_SESSIONS';
  const { findings } = await examine(['http', '--json'], { HOLDLINE_ENV_FILE: said });
  assert.deepEqual(findings()[0], { check: '.env', level: 'ok', message: said });
});

test('an invalid configuration ends with exit code 78 and the message of the start', async () => {
  const { code, output } = await examine(['supervisor'], { WHATSAPP_MAX_SESSIONS: 'many' });
  assert.equal(code, 78);
  assert.equal(
    output,
    'holdline: configuration: WHATSAPP_MAX_SESSIONS: must be a whole number from 1 to 100\n',
  );
});

test('a server that accepts connections and speaks no TLS does not hang the program', async () => {
  const server = createServer((socket) =>
    socket
      .on('error', () => undefined)
      .resume()
      .end('HTTP/1.1 400\r\n\r\n'),
  ).listen(0);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const verdict = await reachVerdict([`--host-resolver-rules=MAP web.whatsapp.com:443 127.0.0.1:${port}`]);
  server.close();
  assert.equal(verdict.level, 'failure');
  assert.match(verdict.message, /^web\.whatsapp\.com cannot be reached, TLS fails \(.*\): something between/);
});
