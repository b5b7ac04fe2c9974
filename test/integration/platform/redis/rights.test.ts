import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { absentKey } from '../../../../src/contract/keys.js';
import { connectPatiently } from '../../../../src/platform/redis/connection.js';
import { userProblem } from '../../../../src/platform/redis/rights.js';
import { accessList } from '../../../docs/access-list.js';
import { eventually } from '../../../support/eventually.js';
import { assertNothingLeft, scratchDir } from '../../../support/leftovers.js';
import { Product } from '../../../support/product.js';
import { type RedisNode, startRedisNode } from '../../../support/redis-fleet.js';
import { WholeProduct } from '../../../support/whole-product.js';

const doctor = fileURLToPath(new URL('../../../../src/doctor.js', import.meta.url));

describe('a user of Redis', () => {
  let node: RedisNode;

  before(async () => {
    const file = join(scratchDir(), 'users.acl');
    writeFileSync(file, `${accessList()}user admin on >admin ~* &* +@all\n`);
    node = await startRedisNode({
      settings: [`aclfile ${file}`],
      connection: { username: 'admin', password: 'admin' },
    });
  });
  after(async () => {
    await node.close();
    await assertNothingLeft();
  });

  /** Creates a user with these rights and returns its URL. */
  async function user(...rules: string[]): Promise<string> {
    const name = `user-${++users}`;
    await node.redis.acl('SETUSER', name, 'on', '>secret', ...(rules as [string]));
    return `redis://${name}:secret@127.0.0.1:${node.port}`;
  }
  let users = 0;

  const keys = ['~{wa}:*', 'resetchannels', '&{wa}:*'];
  const remedy = ': give it the rights in docs/redis-users.acl';

  it('is reported with every missing right in one sentence with the remedy', async () => {
    const problemOf = async (...rules: string[]) => userProblem(await user(...rules));
    const lacks = (what: string) => `the user of REDIS_URL may not ${what}${remedy}`;
    assert.equal(await problemOf(...keys, '+@all'), null);
    assert.equal(await userProblem(`redis://holdline:change-me@127.0.0.1:${node.port}`), null);
    assert.equal(await problemOf(...keys, '+@all', '-@admin', '-@dangerous'), lacks('use info'));
    // Commands that only scripts call, that create a key, that block and that have no key.
    assert.equal(
      await problemOf(
        ...keys,
        '+@all',
        '-rpoplpush',
        '-incr',
        '-lpush',
        '-bzpopmin',
        '-publish',
        '-subscribe',
      ),
      lacks('use bzpopmin, incr, lpush, publish, rpoplpush or subscribe'),
    );
    assert.equal(await problemOf(...keys, '+@all', '-@scripting'), lacks('use eval or evalsha'));
    assert.equal(
      await problemOf('~bull:*', 'resetchannels', '&{wa}:*', '+@all'),
      lacks('read or write the keys {wa}:*'),
    );
    assert.equal(
      await problemOf('%R~{wa}:*', 'resetchannels', '&{wa}:*', '+@all'),
      lacks('write the keys {wa}:*'),
    );
    assert.equal(await problemOf('~{wa}:*', 'resetchannels', '+@all'), lacks('use the channels {wa}:*'));
    assert.equal(
      await problemOf('%R~{wa}:*', 'resetchannels', '+@all', '-time'),
      lacks('use time, nor write the keys {wa}:*, nor use the channels {wa}:*'),
    );
    const inADatabase = `${await user(...keys, '+@all', '-select')}/3`;
    assert.equal(await userProblem(inADatabase), lacks('use select'));
    assert.equal(await node.redis.dbsize(), 0, 'the checks have changed nothing');
  });

  it('is reported when Redis refuses its login, unlike an unreachable Redis', async () => {
    for (const login of ['holdline:wrong@', 'nobody:change-me@', '']) {
      assert.match(
        (await userProblem(`redis://${login}127.0.0.1:${node.port}`)) ?? '',
        /^Redis refuses the login of the user in REDIS_URL \((WRONGPASS|NOAUTH) .*\): correct name and password in REDIS_URL/,
      );
    }
    await assert.rejects(userProblem('redis://127.0.0.1:1'), /ECONNREFUSED/);
  });

  const environment = (url: string) => ({
    REDIS_URL: url,
    WHATSAPP_CHROME_EXECUTABLE: process.execPath,
    WHATSAPP_AUTH_DIR: scratchDir(),
  });

  for (const role of ['http', 'supervisor', 'all'] as const) {
    it(`without a right or with a wrong password ends the role ${role} with one sentence and exit code 78`, async () => {
      for (const [url, sentence] of [
        [
          await user(...keys, '+@all', '-@admin', '-@dangerous', '-publish'),
          /may not use info or publish: give/,
        ],
        [
          `redis://holdline:wrong@127.0.0.1:${node.port}`,
          /Redis refuses the login .* \(WRONGPASS .*docs\/redis-users/,
        ],
      ] as const) {
        const product = new Product(role, environment(url));
        await eventually(() => product.exitCode !== null, { timeoutMs: 30_000, message: 'it ends' });
        assert.equal(product.exitCode, 78, product.output);
        const said = product.output.split('\n').filter((line) => line.startsWith('holdline:'));
        assert.equal(said.length, 1, product.output);
        assert.match(said[0] ?? '', sentence);
        assert.doesNotMatch(product.output, /secret|change-me/);
      }
    });
  }

  it('is reported by the doctor in the same words', async () => {
    const asked = async (url: string) => {
      const findings = await new Promise<string>((resolve) => {
        const env = { ...process.env, ...environment(url) };
        execFile(process.execPath, [doctor, 'http', '--json'], { env }, (_, stdout) => resolve(stdout));
      });
      const { findings: all } = JSON.parse(findings) as {
        findings: { check: string; level: string; message: string }[];
      };
      return all.filter(({ check }) => check === 'redis').map(({ level, message }) => `${level}: ${message}`);
    };
    assert.deepEqual(await asked(await user(...keys, '+@all', '-info')), [
      `failure: the user of REDIS_URL may not use info${remedy}`,
    ]);
    assert.match(
      (await asked(`redis://holdline:wrong@127.0.0.1:${node.port}`)).join(),
      /^failure: .*WRONGPASS/,
    );
    assert.ok(
      (await asked(await user(...keys, '+@all'))).includes('ok: its user has all rights that Holdline needs'),
    );
  });

  it('that loses a right at run time is logged once, without a busy loop, and work resumes with the right', async () => {
    const url = await user(...keys, '+@all');
    const name = new URL(url).username;
    const product = await WholeProduct.start(url);
    try {
      const { logLines } = product.replica;
      await product.exercise();
      await node.redis.config('RESETSTAT');
      const startedAt = performance.now();
      await node.redis.acl('SETUSER', name, '-rpush', '-lpush', '-hset');
      await assert.rejects(product.send('two'), /redis_unavailable/);
      const complaints = () => logLines.filter(({ msg }) => String(msg).includes('may not use'));
      await eventually(() => complaints().length === 1);
      await eventually(async () => (await refusedBy(node)) > 3);
      const seconds = (performance.now() - startedAt) / 1_000;
      assert.ok(
        (await refusedBy(node)) < 50 * (seconds + 1),
        `${await refusedBy(node)} refusals in ${seconds} s`,
      );
      await node.redis.acl('SETUSER', name, '+@all');
      await product.sendUntilTaken('two');
      await product.untilReady();
      await eventually(() =>
        logLines.some(({ msg }) => String(msg).includes('no right is missing in Redis')),
      );
      assert.deepEqual(
        complaints().map(({ msg }) => msg),
        [`the user of REDIS_URL may not use hset, lpush or rpush${remedy}`],
      );
    } finally {
      await product.close();
    }
  });

  it('that may no longer select its database is not served from another one', async () => {
    const url = await user(...keys, '+@all');
    const redis = connectPatiently(`${url}/3`, { socketTimeoutMs: 10_000 }, pino({ level: 'silent' }));
    try {
      await redis.set(absentKey, 'before');
      const name = new URL(url).username;
      await node.redis.acl('SETUSER', name, '-select');
      await node.redis.acl('LOG', 'RESET');
      await node.redis.client('KILL', 'USER', name);
      const set = redis.set(absentKey, 'after');
      await eventually(async () => JSON.stringify(await node.redis.acl('LOG')).includes('select'));
      await node.redis.acl('SETUSER', name, '+select');
      await set;
      assert.equal(await node.redis.exists(absentKey), 0, 'nothing in database 0');
      assert.equal(await redis.getdel(absentKey), 'after');
    } finally {
      redis.disconnect();
    }
  });

  it('whose URL names a database that does not exist is reported', async () => {
    const url = await user(...keys, '+@all');
    assert.match(
      (await userProblem(`${url}/99`)) ?? '',
      /^Redis has no database with the number in REDIS_URL: /,
    );
    assert.equal(await userProblem(`${url}/3`), null);
  });

  it('that may run no scripts does not make a supervisor poll without a pause', async () => {
    const url = await user(...keys, '+@all', '-@scripting');
    await node.redis.flushall();
    const product = await WholeProduct.start(url);
    try {
      await node.redis.config('RESETSTAT');
      const startedAt = performance.now();
      await eventually(async () => (await refusedBy(node)) > 25, { intervalMs: 5 });
      const seconds = (performance.now() - startedAt) / 1_000;
      assert.ok(seconds > 2, `${await refusedBy(node)} refusals in ${seconds} s`);
    } finally {
      await product.close();
    }
  });
});

/** How many commands and calls in scripts the node has refused to all users. */
async function refusedBy({ redis }: RedisNode): Promise<number> {
  const stats = await redis.info('all');
  const counts = [...stats.matchAll(/^errorstat_\w+:count=(\d+)/gm)].map(([, count]) => Number(count));
  return counts.reduce((sum, count) => sum + count, 0);
}
