import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { inspect } from 'node:util';
import type { SnapshotHeader } from '../../../../src/contract/credentials.js';
import { parseCredentialsKey } from '../../../../src/platform/credentials-keys.js';
import {
  cutIntoPieces,
  decryptPiece,
  encryptPiece,
  pieceBytes,
} from '../../../../src/supervisor/credentials/encryption.js';
import { DamagedSnapshotError } from '../../../../src/supervisor/credentials/errors.js';
import { makeCredentialsKey } from '../../../support/credentials.js';

const header: SnapshotHeader = {
  version: 1,
  session: 'default',
  id: '2b6f0cc9-04d1-4a7c-9c3e-6a3a0f1d7b11',
  epoch: 1_700_000_000_000,
  wipedEpoch: 0,
  keyId: 'abc',
  takenAt: '2026-01-02T03:04:05.678Z',
};
const key = makeCredentialsKey();
const identity = { header, index: 3, isLast: false };
const plain = randomBytes(1_000);

test('a piece decrypts to its plain text, and two encryptions of it differ', () => {
  const [one, two] = [encryptPiece(plain, key, identity), encryptPiece(plain, key, identity)];
  assert.deepEqual(decryptPiece(one, key, identity), plain);
  assert.notDeepEqual(one, two);
  assert.equal(one.includes(plain.subarray(0, 16)), false);
});

test('a piece with a flipped bit in IV, text or tag is refused', () => {
  const encrypted = encryptPiece(plain, key, identity);
  for (const at of [0, 11, 12, 500, encrypted.length - 17, encrypted.length - 16, encrypted.length - 1]) {
    const flipped = Buffer.from(encrypted);
    flipped[at] = (flipped[at] ?? 0) ^ 1;
    assert.throws(() => decryptPiece(flipped, key, identity), DamagedSnapshotError, `byte ${at}`);
  }
});

test('a truncated piece is refused', () => {
  const encrypted = encryptPiece(plain, key, identity);
  for (const length of [0, 1, 12, 27, 28, 500, encrypted.length - 1]) {
    assert.throws(() => decryptPiece(encrypted.subarray(0, length), key, identity), DamagedSnapshotError);
  }
});

const elsewhere: readonly [string, Parameters<typeof decryptPiece>[2]][] = [
  ['at another index', { ...identity, index: 4 }],
  ['as the last piece', { ...identity, isLast: true }],
  ['of another session', { ...identity, header: { ...header, session: 'other' } }],
  ['of another snapshot', { ...identity, header: { ...header, id: '11111111-04d1-4a7c-9c3e-6a3a0f1d7b11' } }],
  ['of another run', { ...identity, header: { ...header, epoch: header.epoch + 1 } }],
  ['after a wipe', { ...identity, header: { ...header, wipedEpoch: 1 } }],
  ['with another key id', { ...identity, header: { ...header, keyId: 'abd' } }],
  ['with another time', { ...identity, header: { ...header, takenAt: '2026-01-02T03:04:05.679Z' } }],
];
for (const [what, other] of elsewhere) {
  test(`a piece is refused ${what}`, () => {
    assert.throws(() => decryptPiece(encryptPiece(plain, key, identity), key, other), DamagedSnapshotError);
  });
}

test('a piece is refused with another key', () => {
  assert.throws(
    () => decryptPiece(encryptPiece(plain, key, identity), makeCredentialsKey(), identity),
    DamagedSnapshotError,
  );
});

test('a stream of any parts is cut into pieces of one size, with the last one marked', async () => {
  for (const [bytes, partSize] of [
    [4 * pieceBytes, 10_000],
    [4 * pieceBytes, 4 * pieceBytes - 1],
    [pieceBytes, pieceBytes],
    [3 * pieceBytes + 1, 5 * pieceBytes],
    [1_000, 1_000],
  ] as const) {
    const whole = randomBytes(bytes);
    const pieces = await all(cutIntoPieces(partsOf(whole, partSize)));
    assert.ok(Buffer.concat(pieces.map((piece) => piece.plain)).equals(whole));
    assert.equal(pieces.length, Math.ceil(bytes / pieceBytes));
    assert.deepEqual(
      pieces.map((piece) => piece.isLast),
      pieces.map((_, i) => i === pieces.length - 1),
    );
  }
  const [only, ...none] = await all(cutIntoPieces(partsOf(Buffer.alloc(0), 1)));
  assert.deepEqual([only, none], [{ plain: Buffer.alloc(0), isLast: true }, []]);
});

test('a key is base64 of 32 bytes, has an id that does not reveal it, and is never printed', () => {
  const text = randomBytes(32).toString('base64');
  const parsed = parseCredentialsKey(text);
  assert.equal(parsed?.id, parseCredentialsKey(text)?.id);
  assert.match(parsed?.id ?? '', /^[\da-f]{16}$/);
  const printed = inspect(parsed, { depth: 9, showHidden: true }) + JSON.stringify(parsed);
  assert.equal(
    printed.includes(text) || printed.includes(Buffer.from(text, 'base64').toString('hex')),
    false,
  );
  for (const wrong of ['', 'secret', randomBytes(31).toString('base64'), `${text}x`, ` ${text}`]) {
    assert.equal(parseCredentialsKey(wrong), null);
  }
});

async function* partsOf(whole: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < whole.length; at += size) yield whole.subarray(at, at + size);
}

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const one of source) found.push(one);
  return found;
}
