import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import type { BoundName } from '../../../../src/contract/bounds.js';
import { sessionKeys, stagedSnapshotKey } from '../../../../src/contract/keys.js';
import { neverStarted } from '../../../../src/contract/status.js';
import type { CredentialsKey } from '../../../../src/platform/credentials-keys.js';
import {
  commitSnapshot,
  stagedLifeMs,
  stagePiece,
} from '../../../../src/platform/store/credentials-store.js';
import { endRun } from '../../../../src/platform/store/state-store.js';
import { markWiped } from '../../../../src/platform/store/wipe-store.js';
import {
  DamagedSnapshotError,
  SnapshotRefusedError,
  SnapshotTooLargeError,
} from '../../../../src/supervisor/credentials/errors.js';
import { SnapshotStore, type StoredSnapshot } from '../../../../src/supervisor/credentials/snapshot-store.js';
import { makeCredentialsKey } from '../../../support/credentials.js';
import { eventually } from '../../../support/eventually.js';
import { assertNothingLeft, scratchDir } from '../../../support/leftovers.js';
import { onBound } from '../../../support/on-bound.js';
import { type RedisServer, startRedis } from '../../../support/redis-server.js';

/** Snapshots in a real Redis: who may store one, which one it replaces, and which are never used. */
describe('the store of snapshots', () => {
  let server: RedisServer;
  let redis: Redis;
  let session: string;
  let snapshots: SnapshotStore;
  const key = makeCredentialsKey();
  const never = new AbortController().signal;
  const epoch = 1_000;

  before(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
  });
  beforeEach(async () => {
    await redis.flushall();
    session = `v-${randomUUID()}`;
    snapshots = storeWith([key]);
    await redis.set(sessionKeys(session).fence, `${epoch}.0`);
  });
  after(async () => {
    redis.disconnect();
    await server.stop();
    await assertNothingLeft();
  });

  const storeWith = (keys: readonly CredentialsKey[], of = session) =>
    new SnapshotStore({ redis, session: of, keys, onBound });

  /** A folder with this text in one file, and enough other data for several pieces. */
  function folder(text: string, size = 700_000): string {
    const dir = scratchDir();
    mkdirSync(join(dir, 'Default', 'IndexedDB'), { recursive: true });
    writeFileSync(join(dir, 'login'), text);
    writeFileSync(join(dir, 'Default', 'IndexedDB', '000003.log'), randomBytes(size));
    return dir;
  }

  const store = (text: string, facts = {}) =>
    snapshots.store(folder(text), { epoch, wipedEpoch: 0, ...facts }, never);

  async function readable(from = snapshots): Promise<StoredSnapshot[]> {
    return (await from.find(0)).flatMap((found) => (found.type === 'readable' ? [found] : []));
  }

  async function open(snapshot: StoredSnapshot | undefined, from = snapshots): Promise<string> {
    assert.ok(snapshot, 'there is a snapshot');
    const dir = scratchDir();
    await from.fetch(snapshot, dir, () => true, never);
    return readFileSync(join(dir, 'login'), 'utf8');
  }

  async function texts(): Promise<string[]> {
    return Promise.all((await readable()).map((snapshot) => open(snapshot)));
  }

  it('refuses a snapshot above the size limit, and keeps the previous one', async () => {
    const met: BoundName[] = [];
    snapshots = new SnapshotStore({ redis, session, keys: [key], onBound: (bound) => met.push(bound) });
    const dir = folder('one');
    const { bytes } = await snapshots.store(dir, { epoch, wipedEpoch: 0 }, never);
    const again = (most: number) => snapshots.store(dir, { epoch, wipedEpoch: 0 }, never, most);
    await again(bytes);
    const error = await again(bytes - 1).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof SnapshotTooLargeError);
    assert.match(error.message, new RegExp(`${bytes - 1} bytes`));
    assert.deepEqual(met, ['snapshot']);
    await eventually(async () => (await redis.keys('*staged*')).length === 0);
    assert.deepEqual(await texts(), ['one', 'one']);
  });

  it('returns the stored files byte for byte, from several pieces', async () => {
    const dir = folder('one');
    const manifest = await snapshots.store(dir, { epoch, wipedEpoch: 0 }, never);
    assert.equal(manifest.pieces, 3);
    const target = scratchDir();
    const [found] = await readable();
    assert.ok(found);
    await snapshots.fetch(found, target, () => true, never);
    for (const file of ['login', 'Default/IndexedDB/000003.log']) {
      assert.deepEqual(readFileSync(join(target, file)), readFileSync(join(dir, file)));
    }
    assert.deepEqual(await redis.keys('*staged*'), []);
    assert.deepEqual(JSON.parse((await redis.get(sessionKeys(session).backupSummary)) ?? ''), {
      taken_at: manifest.header.takenAt,
      bytes: manifest.bytes,
    });
    assert.equal(await redis.pttl(sessionKeys(session).snapshot), -1, 'it does not expire');
  });

  it('keeps two: the newest and the previous one', async () => {
    for (const text of ['one', 'two', 'three']) await store(text);
    assert.deepEqual(await texts(), ['three', 'two']);
  });

  it('refuses a snapshot of an old run, and leaves nothing of it', async () => {
    await store('ours');
    await redis.set(sessionKeys(session).fence, `${epoch + 1}.0`);
    await assert.rejects(store('stale'), SnapshotRefusedError);
    assert.deepEqual(await texts(), ['ours']);
    await eventually(async () => (await redis.keys('*staged*')).length === 0);
  });

  it('refuses the commit of a run that was fenced out after its last piece', async () => {
    const manifest = await store('ours');
    const id = randomUUID();
    const late = { ...manifest, header: { ...manifest.header, id }, pieces: 1 };
    assert.equal(await stagePiece(redis, { session, epoch }, id, 0, Buffer.from('piece')), true);
    await redis.set(sessionKeys(session).fence, `${epoch + 1}.0`);
    assert.equal(await commitSnapshot(redis, { session, epoch }, late), 'fenced');
    assert.deepEqual(await texts(), ['ours']);
  });

  it('never commits an incomplete snapshot', async () => {
    const manifest = await store('ours');
    const id = randomUUID();
    const half = { ...manifest, header: { ...manifest.header, id }, pieces: 2 };
    await stagePiece(redis, { session, epoch }, id, 0, Buffer.from('piece'));
    assert.equal(await commitSnapshot(redis, { session, epoch }, half), 'incomplete');
    const ttl = await redis.pttl(stagedSnapshotKey(session, id));
    assert.ok(ttl > 0 && ttl <= stagedLifeMs, 'an abandoned upload expires');
    assert.deepEqual(await texts(), ['ours']);
  });

  it('leaves only the previous snapshot after an interrupted upload', async () => {
    await store('ours');
    const interrupted = new AbortController();
    const storing = snapshots.store(folder('half', 20_000_000), { epoch, wipedEpoch: 0 }, interrupted.signal);
    const failed = assert.rejects(storing);
    await eventually(async () => (await redis.keys('*staged*')).length === 1, { intervalMs: 1 });
    interrupted.abort('enough');
    await failed;
    await eventually(async () => (await redis.keys('*staged*')).length === 0);
    assert.deepEqual(await texts(), ['ours']);
  });

  it('leaves only the previous snapshot when Redis is out of memory', async () => {
    await store('ours');
    const used = Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
    await redis.config('SET', 'maxmemory', String(used + 5_000_000));
    try {
      const storing = snapshots.store(folder('big', 30_000_000), { epoch, wipedEpoch: 0 }, never);
      await assert.rejects(storing, /OOM command not allowed/);
    } finally {
      await redis.config('SET', 'maxmemory', '0');
    }
    await eventually(async () => (await redis.keys('*staged*')).length === 0);
    assert.deepEqual(await texts(), ['ours']);
  });

  it('loses both in the same step as a wipe of the login', async () => {
    await store('one');
    await store('two');
    await markWiped(redis, session, epoch);
    assert.deepEqual(await snapshots.find(0), []);
    assert.deepEqual(await redis.keys('*credentials*'), []);
    await assert.rejects(store('of the login before'), /the login was wiped during the backup/);
    const wipedEpoch = Number(await redis.get(sessionKeys(session).wiped));
    await store('of a new login', { wipedEpoch });
    assert.deepEqual(await texts(), ['of a new login']);
  });

  for (const kind of ['logout', 'stop'] as const) {
    it(`${kind === 'logout' ? 'loses' : 'keeps'} both at a ${kind} without an owner`, async () => {
      await store('one');
      await store('two');
      const facts = { auth_dir: '', chrome_executable: '', headless: true, session };
      const isDone = await endRun(redis, {
        session,
        expected: { epoch, incarnation: 0 },
        status: { ...neverStarted(facts), epoch: epoch + 5 },
        startId: '',
        intent: { id: 'intent-1', kind },
        unlinked: false,
        onBound,
      });
      assert.ok(isDone);
      assert.equal((await redis.keys('*credentials*')).length, kind === 'logout' ? 0 : 3);
    });
  }

  it('ignores a snapshot from before the newest wipe', async () => {
    await store('one');
    assert.equal((await snapshots.find(0)).length, 1);
    assert.deepEqual(await snapshots.find(1), []);
  });

  it('decrypts with any of its keys and encrypts with the first, for a key rotation', async () => {
    const next = makeCredentialsKey();
    await store('encrypted with the old');
    const rotating = storeWith([next, key]);
    assert.equal(await open((await readable(rotating))[0], rotating), 'encrypted with the old');
    await rotating.store(folder('encrypted with the new'), { epoch, wipedEpoch: 0 }, never);
    const rotated = storeWith([next]);
    assert.deepEqual(
      (await rotated.find(0)).map(({ type, slot }) => [slot, type]),
      [
        ['newest', 'readable'],
        ['previous', 'unreadable'],
      ],
    );
    assert.equal(await open((await readable(rotated))[0], rotated), 'encrypted with the new');
  });

  describe('never uses', () => {
    const tampered: readonly [string, (snapshot: string) => Promise<unknown>][] = [
      ['one whose first piece is missing', (snapshot) => redis.hdel(snapshot, '0')],
      ['one whose last piece is missing', (snapshot) => redis.hdel(snapshot, '2')],
      ['one whose pieces were swapped', swapPieces],
      ['one with a flipped bit in its first piece', (snapshot) => flip(snapshot, '0', 20_000)],
      ['one with a flipped bit in its last piece', (snapshot) => flip(snapshot, '2', 40)],
      ['one with a truncated piece', truncate],
      ['one with too few pieces in its manifest', (snapshot) => edit(snapshot, (m) => ({ ...m, pieces: 2 }))],
      [
        'one with too many pieces in its manifest',
        (snapshot) => edit(snapshot, (m) => ({ ...m, pieces: 4 })),
      ],
      ['one with another checksum', (snapshot) => edit(snapshot, (m) => ({ ...m, sha256: '0'.repeat(64) }))],
      ['one with another size', (snapshot) => edit(snapshot, (m) => ({ ...m, bytes: 5 }))],
      [
        'one with another epoch',
        (snapshot) => edit(snapshot, (m) => ({ ...m, header: { ...m.header, epoch: 9_999 } })),
      ],
      ['one without a manifest', (snapshot) => redis.hdel(snapshot, 'manifest')],
      ['one whose manifest is not JSON', (snapshot) => redis.hset(snapshot, 'manifest', '{"header":')],
      ['one of another session', fromAnotherSession],
      ['one of another session under this one’s name', fromAnotherSessionRenamed],
    ];
    for (const [what, tamper] of tampered) {
      it(`${what}, but the previous one`, async () => {
        await store('before');
        await store('tampered');
        await tamper(sessionKeys(session).snapshot);
        for (const found of await snapshots.find(0)) {
          if (found.slot === 'previous') {
            assert.ok(found.type === 'readable');
            assert.equal(await open(found), 'before');
          } else if (found.type === 'readable') await assert.rejects(open(found), DamagedSnapshotError);
          else assert.equal(found.type, 'damaged');
        }
        assert.equal((await snapshots.find(0)).length, 2);
      });
    }

    it('one with an unexpected file', async () => {
      await store('one');
      const [found] = await readable();
      assert.ok(found);
      const dir = scratchDir();
      const isExpected = (path: string) => path !== 'login' && path !== './login';
      await assert.rejects(snapshots.fetch(found, dir, isExpected, never), /it holds ".*login"/);
      assert.equal(readdirSync(dir).includes('login'), false);
    });

    async function flip(snapshot: string, piece: string, at: number): Promise<void> {
      const encrypted = (await redis.hgetBuffer(snapshot, piece)) as Buffer;
      encrypted[at] = (encrypted[at] ?? 0) ^ 4;
      await redis.hset(snapshot, piece, encrypted);
    }

    async function truncate(snapshot: string): Promise<void> {
      const encrypted = (await redis.hgetBuffer(snapshot, '1')) as Buffer;
      await redis.hset(snapshot, '1', encrypted.subarray(0, -1));
    }

    async function swapPieces(snapshot: string): Promise<void> {
      const [first, second] = await redis.hmgetBuffer(snapshot, '0', '1');
      await redis.hset(snapshot, { 0: second as Buffer, 1: first as Buffer });
    }

    // biome-ignore lint/suspicious/noExplicitAny: the manifest as Redis has it
    async function edit(snapshot: string, change: (manifest: any) => unknown): Promise<void> {
      const manifest = JSON.parse((await redis.hget(snapshot, 'manifest')) ?? '');
      await redis.hset(snapshot, 'manifest', JSON.stringify(change(manifest)));
    }

    async function fromAnotherSession(snapshot: string): Promise<void> {
      const other = `${session}-b`;
      await redis.set(sessionKeys(other).fence, `${epoch}.0`);
      await storeWith([key], other).store(folder('theirs'), { epoch, wipedEpoch: 0 }, never);
      await redis.copy(sessionKeys(other).snapshot, snapshot, 'REPLACE');
    }

    async function fromAnotherSessionRenamed(snapshot: string): Promise<void> {
      await fromAnotherSession(snapshot);
      await edit(snapshot, (manifest) => ({ ...manifest, header: { ...manifest.header, session } }));
    }
  });
});
