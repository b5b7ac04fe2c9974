import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { sendRaw } from '../../../support/http-raw.js';
import { type Replica, startReplica } from '../../../support/http-replica.js';
import { type KeyedReplica, makeKeys, startKeyedReplica } from '../../../support/keyed-replica.js';
import { get } from '../../../support/raw-connection.js';
import { openRedis, type RedisForData } from '../../../support/shared-redis.js';

const listed = 'https://app.example.org';
const environment = { WHATSAPP_RATE_LIMIT: '5', WHATSAPP_ALLOWED_ORIGINS: listed };

/** Requests that a page of another site makes with the user's browser. Written by hand: fetch would add its own headers. */
describe('a page of another site', () => {
  const keys = makeKeys();
  let server: RedisForData;
  let redis: Redis;
  let open: Replica;
  let keyed: KeyedReplica;

  before(async () => {
    server = await openRedis();
    redis = new Redis(server.url);
    open = await startReplica(server.url, { environment });
    keyed = await startKeyedReplica(server.url, keys, { environment });
  });
  beforeEach(() => redis.flushdb());
  after(async () => {
    await Promise.all([open.close(), keyed.close()]);
    redis.disconnect();
    await server.stop();
  });

  const fetchHeaders = (site: string, mode: string, dest: string) => [
    ...[`Sec-Fetch-Site: ${site}`, `Sec-Fetch-Mode: ${mode}`, `Sec-Fetch-Dest: ${dest}`],
  ];
  const counted = () => redis.keys('{wa}:limit:*');

  async function ask({ port }: Replica, path: string, headers: readonly string[]) {
    const [answer] = await sendRaw(port, get(path, ...headers));
    const code = /"code":"(\w+)"/.exec(answer?.body ?? '')?.[1];
    return `${answer?.status}${code === undefined ? '' : ` ${code}`}`;
  }

  for (const site of ['cross-site', 'same-site']) {
    it(`cannot use up the limits of the owner by embedding (${site}), where no keys are configured`, async () => {
      for (let i = 0; i < 8; i++) {
        assert.equal(
          await ask(open, '/api/chats', fetchHeaders(site, 'no-cors', 'empty')),
          '403 origin_not_allowed',
        );
      }
      for (const [path, mode, dest] of [
        ['/qr.png', 'no-cors', 'image'],
        ['/api/events', 'no-cors', 'image'],
        ['/api/status', 'no-cors', 'script'],
        ['/qr', 'navigate', 'iframe'],
        ['/api/chats', 'navigate', 'iframe'],
      ] as const) {
        assert.equal(await ask(open, path, fetchHeaders(site, mode, dest)), '403 origin_not_allowed', path);
      }
      assert.deepEqual(await counted(), []);
      assert.equal(await ask(open, '/api/chats', []), '409 session_not_started', 'the owner');
    });

    it(`may link to pages that count for no limit (${site})`, async () => {
      const link = fetchHeaders(site, 'navigate', 'document');
      assert.equal(await ask(open, '/qr', link), '200');
      assert.equal(await ask(open, '/login', link), '303');
      assert.equal(await ask(open, '/api/status', link), '200');
      assert.equal(await ask(keyed, '/login', link), '200');
      assert.deepEqual(await counted(), []);
    });

    it(`may link to a QR link's page (${site})`, async () => {
      const path = await keyed.qrLink();
      assert.equal(await ask(keyed, path, fetchHeaders(site, 'navigate', 'document')), '200');
    });

    it(`may not link to a path that counts for a limit (${site}), since a browser may prefetch it`, async () => {
      const link = fetchHeaders(site, 'navigate', 'document');
      assert.equal(await ask(open, '/api/chats', link), '403 origin_not_allowed');
      const cookie = await keyed.cookieOf(keys.key.admin);
      await redis.del(...(await counted()), 'none');
      assert.equal(await ask(keyed, '/api/chats', [...link, `Cookie: ${cookie}`]), '403 origin_not_allowed');
      assert.deepEqual(await counted(), []);
    });

    it(`cannot use up the login attempts (${site})`, async () => {
      for (let i = 0; i < 11; i++) {
        const response = await sendRaw(
          keyed.port,
          `POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n${fetchHeaders(site, 'no-cors', 'empty').join('\r\n')}\r\nContent-Length: 5\r\n\r\nkey=x`,
        );
        assert.equal(response[0]?.status, 403);
      }
      assert.deepEqual(await counted(), []);
      assert.equal((await keyed.logIn(keys.key.read)).status, 303, 'the owner');
    });

    it(`may call with a key or from an allowed origin (${site})`, async () => {
      const embedded = fetchHeaders(site, 'cors', 'empty');
      const key = [...embedded, `X-API-Key: ${keys.key.read}`];
      assert.equal(await ask(keyed, '/api/status', key), '200');
      assert.equal(await ask(keyed, '/api/chats', key), '409 session_not_started');
      assert.equal(
        await ask(open, '/api/chats', [...embedded, `Origin: ${listed}`]),
        '409 session_not_started',
      );
      assert.equal(
        await ask(open, '/api/chats', fetchHeaders('none', 'navigate', 'document')),
        '409 session_not_started',
      );
      assert.equal(
        await ask(open, '/api/chats', fetchHeaders('same-origin', 'cors', 'empty')),
        '409 session_not_started',
      );
    });
  }
});
