import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
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
  for await (const part of readSealed(file, words)) parts.push(part);
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
  for await (const part of readSealed(file, passphrase)) {
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
  await assert.rejects(read(`${file}.gone`), /ENOENT: .*backup\.age\.gone/);
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
