import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { logoutResults } from '../../../../src/contract/intent.js';
import { redisRights } from '../../../../src/contract/redis-rights.js';
import { connectFailFast } from '../../../../src/platform/redis/connection.js';
import { makeKeyText } from '../../../support/credentials.js';
import { listenToEvents } from '../../../support/event-client.js';
import { eventually } from '../../../support/eventually.js';
import { startReplica } from '../../../support/http-replica.js';
import { assertNothingLeft, scratchDir } from '../../../support/leftovers.js';
import { type RedisNode, startRedisNode } from '../../../support/redis-fleet.js';
import { commandsUsed } from '../../../support/redis-use.js';
import { WholeProduct } from '../../../support/whole-product.js';

const root = join(import.meta.dirname, '../../../../..');
const tlsFile = (name: string) => join(root, 'test/support/redis-tls', name);

describe('a Redis with access control', () => {
  after(assertNothingLeft);

  async function exercised(url: string, node: RedisNode): Promise<void> {
    const product = await WholeProduct.start(url);
    try {
      await product.exercise();
      await product.end();
    } finally {
      await product.close();
      await node.redis.ping();
    }
  }

  /** Uses what {@link WholeProduct.exercise} leaves out: backups, logins, jobs, metrics, a resumed stream, a logout. */
  async function exercisedToTheEnd(url: string): Promise<void> {
    process.env.WHATSAPP_CREDENTIALS_KEY = makeKeyText();
    const product = await WholeProduct.start(url);
    try {
      const { replica } = product;
      const { admin, read } = replica.keys.key;
      await product.post('/api/auth/start');
      await product.untilReady();
      const sent = await product.post<{ job_id: string }>('/api/send', {
        phone_number: '+15551234567',
        message: 'x',
      });
      assert.ok(sent);
      const cookie = await replica.cookieOf(admin);
      const events = await listenToEvents(replica.url, { headers: { cookie }, lastEventId: '1-0' });
      await eventually(() => events.events.length > 0);
      await eventually(async () => (await redisKeys(url, 'credentials:summary')) === 1, {
        timeoutMs: 30_000,
      });
      assert.equal((await replica.ask(read, '/metrics')).status, 200);
      await replica.post('/signout', { redirect: 'manual', headers: { cookie, origin: replica.url } });
      await events.untilEnd();
      for (const key of ['wrong', admin]) await replica.logIn(key);
      assert.deepEqual(
        Object.keys(await product.post('/api/pairing-code', { phone_number: '15551234567' })),
        ['already_authenticated', 'code', 'status'],
      );
      assert.deepEqual(await product.post('/api/logout'), { ok: true, ...logoutResults.unlinked });
    } finally {
      delete process.env.WHATSAPP_CREDENTIALS_KEY;
      await product.close();
    }
  }

  async function redisKeys(url: string, name: string): Promise<number> {
    const redis = new Redis(url);
    try {
      return await redis.exists(`{wa}:s:default:${name}`);
    } finally {
      redis.disconnect();
    }
  }

  /** The error that a refused replica logs. */
  async function refusal(url: string): Promise<string> {
    const replica = await startReplica(url, { isWithoutRedis: true });
    try {
      assert.equal((await replica.get('/readyz')).status, 503);
      const line = await eventually(() => replica.logLines.find(({ error }) => error !== undefined));
      assert.ok(!JSON.stringify(replica.logLines).includes('change-me'), 'no password in the log');
      return String(line?.error);
    } finally {
      await replica.close();
    }
  }

  /** Closes connections at every moment of a failing handshake. Their late socket errors must end no process. */
  async function giveUpMidway(url: string): Promise<void> {
    const log = pino({ level: 'silent' });
    const model = connectFailFast(url, 1_000, log);
    const ends = Array.from({ length: 200 }, async (_, i) => {
      const ms = Math.floor(i / 2);
      // BullMQ duplicates the connection that it gets.
      const redis = i % 2 === 0 ? connectFailFast(url, 1_000, log) : (model as Redis).duplicate();
      redis.on('error', () => undefined);
      const end = new Promise((resolve) => redis.once('end', resolve));
      setTimeout(() => redis.disconnect(), ms);
      await end;
    });
    await Promise.all(ends);
    model.disconnect();
  }

  /** Hands the session from one supervisor to the next, which also looks for leftovers of a killed one. */
  async function exercisedByTwo(url: string): Promise<void> {
    const one = await WholeProduct.start(url);
    await one.post('/api/auth/start');
    await one.untilReady().finally(() => one.close());
    const two = await WholeProduct.start(url, { isAlone: true });
    await two.untilReady().finally(() => two.close());
  }

  it('works with the access list of docs/redis-users.acl, which allows nothing more', async () => {
    // The file as an operator would use it, and an admin user for the assertions.
    const list = readFileSync(join(root, 'docs/redis-users.acl'), 'utf8');
    const file = join(scratchDir(), 'users.acl');
    writeFileSync(file, `${list}user admin on >admin ~* &* +@all\n`);
    const node = await startRedisNode({
      settings: [`aclfile ${file}`],
      connection: { username: 'admin', password: 'admin' },
    });
    const own = new Redis({ port: node.port, username: 'holdline', password: 'change-me' });
    try {
      const url = `redis://holdline:change-me@127.0.0.1:${node.port}`;
      // Database 1, so that SELECT is used.
      await exercised(`${url}/1`, node);
      await exercisedToTheEnd(url);
      await exercisedByTwo(url);
      assert.deepEqual(await node.redis.acl('LOG'), [], 'nothing was refused');
      const needed = await commandsUsed(node.redis);
      const inACluster = redisRights.filter(({ only }) => only === 'cluster').map(({ name }) => name);
      assert.deepEqual([...needed, ...inACluster].sort(), redisRights.map(({ name }) => name).sort());
      for (const [command, ...args] of [
        ['get', 'another'],
        ['set', 'another', '1'],
        ['keys', '*'],
        ['flushall'],
        ['config', 'get', '*'],
        ['acl', 'list'],
        ['monitor'],
        ['publish', 'another', '1'],
        ['eval', "return redis.call('get', 'another')", '0'],
        // Commands that list foreign keys or end foreign scripts, functions and connections.
        ['scan', '0'],
        ['randomkey'],
        ['dbsize'],
        ['function', 'flush'],
        ['function', 'list'],
        ['script', 'flush'],
        ['script', 'kill'],
        ['client', 'list'],
        ['client', 'kill', 'id', '1'],
        ['client', 'pause', '1'],
        ['swapdb', '0', '1'],
        ['sort', '{wa}:x'],
        ['migrate', '127.0.0.1', '1', '{wa}:x', '0', '1'],
        ['object', 'freq', '{wa}:x'],
        ['copy', '{wa}:x', '{wa}:y'],
        ['eval', "return redis.call('scan', '0')", '0'],
        ['eval', "return redis.call('randomkey')", '0'],
      ] as [string, ...string[]][]) {
        await assert.rejects(
          own.call(command, ...args),
          /NOPERM|ACL failure|permission|access|can.t run this command/i,
          command,
        );
      }
      assert.match(await refusal(`redis://holdline:wrong@127.0.0.1:${node.port}`), /WRONGPASS/);
    } finally {
      own.disconnect();
      await node.close();
    }
  });

  it('works with TLS, a private certificate authority and a client certificate', async () => {
    const files = { ca: tlsFile('ca.pem'), cert: tlsFile('client.pem'), key: tlsFile('client-key.pem') };
    const node = await startRedisNode({
      portSetting: (port) => `port 0\ntls-port ${port}`,
      settings: [
        ...[`tls-cert-file ${tlsFile('server.pem')}`, `tls-key-file ${tlsFile('server-key.pem')}`],
        ...[`tls-ca-cert-file ${files.ca}`, 'tls-auth-clients yes'],
      ],
      connection: {
        tls: Object.fromEntries(Object.entries(files).map(([name, file]) => [name, readFileSync(file)])),
      },
    });
    const url = (query: Record<string, string>) =>
      `rediss://127.0.0.1:${node.port}?${new URLSearchParams(query)}`;
    try {
      await exercised(url(files), node);
      const { ca, ...client } = files;
      assert.match(await refusal(url(client)), /unable to verify|self-signed|unable to get/);
      assert.match(
        await refusal(url({ ...client, ca: tlsFile('other-ca.pem') })),
        /verify|issuer|self-signed/,
      );
      assert.match(await refusal(url({ ca })), /certificate required|closed|alert|ECONNRESET/i);
      await refusal(`redis://127.0.0.1:${node.port}`);
      await giveUpMidway(url({ ...client, ca: tlsFile('other-ca.pem') }));
    } finally {
      await node.close();
    }
  });
});
