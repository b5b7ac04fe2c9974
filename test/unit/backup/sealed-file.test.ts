import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import fs, { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { after, mock, test } from 'node:test';
import { readSealed, writeSealed } from '../../../src/backup/sealed-file.js';
import { OperatorError } from '../../../src/contract/errors.js';
import { assertNothingLeft, scratchDir } from '../../support/leftovers.js';

after(assertNothingLeft);

const passphrase = 'four words of a test';
const never = new AbortController().signal;
const newFile = () => join(scratchDir(), 'backup.age');

function write(file: string, content: () => AsyncGenerator<Buffer>, signal = never): Promise<void> {
  return writeSealed(file, passphrase, (encrypt) => encrypt(content()), signal);
}

async function read(file: string, words = passphrase): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of readSealed(file, words, never)) parts.push(part);
  return Buffer.concat(parts);
}

async function* once(content: Buffer): AsyncGenerator<Buffer> {
  yield content;
}

test('what was written is read with the same passphrase, and only by the owner of the file', async () => {
  for (const size of [0, 1, 65_536, 65_537, 300_000]) {
    const file = newFile();
    const content = randomBytes(size);
    await write(file, () => once(content));
    assert.ok((await read(file)).equals(content), String(size));
    assert.equal(statSync(file).mode & 0o777, 0o600);
  }
});

test('much more than fits into the buffers passes through in pieces', async () => {
  const [file, written, found] = [newFile(), createHash('sha256'), createHash('sha256')];
  await write(file, async function* () {
    for (let n = 0; n < 64; n++) {
      const part = randomBytes(1_048_576);
      written.update(part);
      yield part;
    }
  });
  let largest = 0;
  for await (const part of readSealed(file, passphrase, never)) {
    found.update(part);
    largest = Math.max(largest, part.length);
  }
  assert.equal(found.digest('hex'), written.digest('hex'));
  assert.ok(largest <= 1_048_576, String(largest));
});

test('a file that was changed or cut off anywhere is refused with one sentence', async () => {
  const file = newFile();
  await write(file, () => once(randomBytes(200_000)));
  const whole = readFileSync(file);
  const header = whole.indexOf('\n---') + 48;
  const cut = [0, 1, 20, header, header + 16, header + 16 + 65_552, whole.length - 1].map((length) =>
    whole.subarray(0, length),
  );
  const changed = [5, 40, header - 10, header + 3, header + 100, whole.length - 1].map((at) => {
    const copy = Buffer.from(whole);
    copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
    return copy;
  });
  for (const content of [...cut, ...changed, Buffer.concat([whole, Buffer.from('x')])]) {
    writeFileSync(file, content);
    await assert.rejects(read(file), (error) => {
      assert.ok(error instanceof OperatorError, String(error));
      assert.match(error.message, /damaged or cut off|is not a backup of Holdline|passphrase does not open/);
      return true;
    });
  }
});

test('another passphrase opens nothing, and a missing file is named', async () => {
  const file = newFile();
  await write(file, () => once(Buffer.from('x')));
  await assert.rejects(read(file, `${passphrase}.`), /the passphrase does not open \S+backup\.age/);
});

test('what cannot be read is named in one sentence', async () => {
  const dir = scratchDir();
  writeFileSync(join(dir, 'empty'), '');
  for (const [name, sentence] of [
    ['gone', /^there is no file \S+gone: name a file that npm run backup has made$/],
    ['', /^\S+ is a directory: name the file of the backup$/],
    ['empty', /^\S+empty is empty, so it is not a backup of Holdline: use another one$/],
  ] as const) {
    await assert.rejects(read(join(dir, name)), (error) => {
      assert.ok(error instanceof OperatorError, String(error));
      assert.match(error.message, sentence);
      return true;
    });
  }
});

test('another file is refused without its content, also if its first line is that of age', async () => {
  for (const text of ['WHATSAPP_API_KEYS=secret\n', 'a', 'age-encryption.org/v1\nsecret\n']) {
    const file = newFile();
    writeFileSync(file, text);
    await assert.rejects(read(file), (error) => {
      assert.ok(error instanceof OperatorError, String(error));
      assert.equal(
        error.message,
        `${file} is not a backup of Holdline: name a file that npm run backup has made`,
      );
      return true;
    });
  }
});

test('of a large file without a line break, or with an endless header, only the start is read', async () => {
  for (const start of ['', 'age-encryption.org/v1\n', 'age-encryption.org/v1\n-> scrypt x 17\n']) {
    const file = newFile();
    writeFileSync(file, Buffer.concat([Buffer.from(start), Buffer.alloc(8_388_608, 'A')]));
    const opened = mock.method(fs, 'createReadStream');
    syncBuiltinESMExports();
    try {
      await assert.rejects(read(file), /is not a backup of Holdline/);
      const bytesRead = opened.mock.calls[0]?.result?.bytesRead ?? 0;
      assert.ok(bytesRead > 0 && bytesRead <= 262_144, String(bytesRead));
    } finally {
      opened.mock.restore();
      syncBuiltinESMExports();
    }
  }
});

test('a new backup removes the drafts of dead processes, and no other file', async () => {
  const file = newFile();
  const dead = spawnSync('true').pid;
  const names = [
    `backup.age.${hostname()}-${dead}-0123abcd.new`,
    `backup.age.${hostname()}-${process.pid}-0123abcd.new`,
    `backup.age.another-host-${dead}-0123abcd.new`,
    `other.age.${hostname()}-${dead}-0123abcd.new`,
    'backup.age.mine.new',
  ];
  for (const name of names) writeFileSync(join(dirname(file), name), '');
  await write(file, () => once(Buffer.from('x')));
  assert.deepEqual(readdirSync(dirname(file)).sort(), ['backup.age', ...names.slice(1)].sort());
});

test('a backup that fails or is aborted leaves the older file as it was, and nothing beside it', async () => {
  const file = newFile();
  await write(file, () => once(Buffer.from('older')));
  const before = readFileSync(file);
  async function* failing(): AsyncGenerator<Buffer> {
    yield randomBytes(100_000);
    throw new Error('Redis is gone');
  }
  await assert.rejects(write(file, failing), /Redis is gone/);
  const stopping = new AbortController();
  async function* aborted(): AsyncGenerator<Buffer> {
    yield randomBytes(100_000);
    stopping.abort();
    yield randomBytes(100_000);
  }
  await assert.rejects(write(file, aborted, stopping.signal), { name: 'AbortError' });
  assert.ok(readFileSync(file).equals(before));
  assert.deepEqual(readdirSync(dirname(file)), ['backup.age']);
  const nowhere = join(dirname(file), 'gone', 'backup.age');
  await assert.rejects(
    write(nowhere, () => once(Buffer.from('x'))),
    /ENOENT/,
  );
  assert.ok(!existsSync(dirname(nowhere)));
});
