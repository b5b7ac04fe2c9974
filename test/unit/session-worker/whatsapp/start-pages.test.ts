import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { StartPages } from '../../../../src/session-worker/whatsapp/start-pages.js';
import { assertNothingLeft, scratchDir } from '../../../support/leftovers.js';

after(assertNothingLeft);

const root = scratchDir();
let made = 0;

/** A directory that does not exist yet. */
const freshDir = () => join(root, `auth-${++made}`, '.web-versions');
const version = (n: number) => `2.3000.${1_000 + n}`;
const html = (n: number) => `<!doctype html><title>${n} ü</title>`;
const fileOf = (dir: string, n: number) => join(dir, `${version(n)}.html`);
const indexOf = (dir: string) => JSON.parse(readFileSync(join(dir, 'index.json'), 'utf8')) as unknown[];

test('a start page is stored whole, with its hash, size and date', async () => {
  const dir = freshDir();
  const pages = new StartPages(dir);
  assert.deepEqual(await pages.list(), []);
  assert.equal(await pages.keep(version(1), html(1)), true);
  assert.equal(readFileSync(fileOf(dir, 1), 'utf8'), html(1));
  const [page, ...more] = await pages.list();
  assert.deepEqual(more, []);
  assert.deepEqual(page, {
    version: version(1),
    sha256: createHash('sha256').update(html(1)).digest('hex'),
    bytes: Buffer.byteLength(html(1)),
    kept_at: page?.kept_at,
  });
  assert.ok(Math.abs(Date.parse(page?.kept_at ?? '') - Date.now()) < 60_000);
  assert.deepEqual(indexOf(dir), [page]);
  assert.deepEqual(readdirSync(dir).sort(), [`${version(1)}.html`, 'index.json']);
  assert.equal(
    statSync(join(dir, '..')).mode & 0o777,
    0o700,
    'only the owner can enter the directory of logins',
  );
});

test('an unchanged page is not written again, a changed page of the same version is', async () => {
  const dir = freshDir();
  const pages = new StartPages(dir);
  await pages.keep(version(1), html(1));
  const longAgo = new Date('2020-01-01');
  utimesSync(fileOf(dir, 1), longAgo, longAgo);
  utimesSync(join(dir, 'index.json'), longAgo, longAgo);
  await pages.keep(version(1), html(1));
  assert.equal(statSync(fileOf(dir, 1)).mtimeMs, longAgo.getTime());
  assert.equal(statSync(join(dir, 'index.json')).mtimeMs, longAgo.getTime());
  await pages.keep(version(1), html(2));
  assert.equal(readFileSync(fileOf(dir, 1), 'utf8'), html(2));
  assert.equal((await pages.list()).length, 1);
});

test('the newest ten are kept, and a pinned one of any age', async () => {
  const dir = freshDir();
  const pages = new StartPages(dir, version(1));
  for (let n = 1; n <= 13; n++) await pages.keep(version(n), html(n));
  const kept = (await pages.list()).map((page) => page.version);
  assert.deepEqual(kept.sort(), [1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13].map(version).sort());
  assert.equal(existsSync(fileOf(dir, 2)), false);
  const unpinned = new StartPages(dir);
  await unpinned.keep(version(14), html(14));
  assert.equal(existsSync(fileOf(dir, 1)), false, 'the control: without the pin it is removed');
});

test('files of an operator are listed, and neither replaced nor removed', async () => {
  const dir = freshDir();
  mkdirSync(dir, { recursive: true });
  writeFileSync(fileOf(dir, 50), 'from elsewhere');
  writeFileSync(join(dir, 'notes.txt'), 'mine');
  mkdirSync(join(dir, 'old.html'));
  const pages = new StartPages(dir);
  assert.equal(await pages.keep(version(50), html(50)), true);
  for (let n = 1; n <= 12; n++) await pages.keep(version(n), html(n));
  assert.equal(readFileSync(fileOf(dir, 50), 'utf8'), 'from elsewhere');
  assert.ok((await pages.list()).some((page) => page.version === version(50) && page.bytes === 14));
  assert.ok(existsSync(join(dir, 'notes.txt')) && existsSync(join(dir, 'old.html')));
});

test('an unreadable index and malformed entries are ignored', async () => {
  const dir = freshDir();
  const pages = new StartPages(dir);
  await pages.keep(version(1), html(1));
  writeFileSync(join(dir, 'index.json'), '{ half');
  assert.deepEqual(
    (await pages.list()).map((page) => page.version),
    [version(1)],
  );
  assert.equal(await pages.keep(version(2), html(2)), true);
  const [entry] = indexOf(dir);
  writeFileSync(
    join(dir, 'index.json'),
    JSON.stringify([null, { version: '../../x' }, { version: 7 }, entry, [], entry]),
  );
  assert.equal(await pages.keep(version(3), html(3)), true);
  assert.deepEqual((await pages.list()).map((page) => page.version).sort(), [1, 2, 3].map(version));
  assert.equal(indexOf(dir).length, 2);
});

test('a page that is empty, too large or without a valid version is not kept', async () => {
  const dir = freshDir();
  const pages = new StartPages(dir);
  for (const name of ['../escape', '', '2', 'index', '2.3/4', '2.3000.1.html']) {
    assert.equal(await pages.keep(name, html(1)), false, name);
  }
  assert.equal(await pages.keep(version(1), ' \n'), false);
  assert.equal(await pages.keep(version(1), 'x'.repeat(4_194_305)), false);
  assert.equal(existsSync(dir), false);
  assert.equal(await pages.keep(version(1), 'x'.repeat(4_194_304)), true, 'the control');
});

test('an unwritable directory does not throw', async () => {
  const file = join(root, 'a-file');
  writeFileSync(file, '');
  const pages = new StartPages(join(file, '.web-versions'));
  assert.equal(await pages.keep(version(1), html(1)), false);
  assert.deepEqual(await pages.list(), []);
});

test('concurrent writers lose no page', async () => {
  const dir = freshDir();
  const kept = await Promise.all(
    [1, 2, 3, 4, 5, 6, 7, 8].map((n) => new StartPages(dir).keep(version(n % 6), html(n % 6))),
  );
  assert.deepEqual(kept, Array(8).fill(true));
  assert.equal(indexOf(dir).length, 6);
  assert.equal(readdirSync(dir).length, 7, 'no temporary file and no lock is left');
});

test('the lock of a killed process is broken', async () => {
  const dir = freshDir();
  mkdirSync(dir, { recursive: true });
  const lock = join(dir, '.index.lock');
  writeFileSync(lock, '');
  const longAgo = new Date(Date.now() - 60_000);
  utimesSync(lock, longAgo, longAgo);
  assert.equal(await new StartPages(dir).keep(version(1), html(1)), true);
  assert.equal(existsSync(lock), false);
});
