import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { addAbortSignal, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { Decrypter, Encrypter } from 'age-encryption';
import { messageOf, OperatorError } from '../contract/errors.js';
import { makerMark, removeLeftovers } from './leftovers.js';

/**
 * Encrypts a stream with a passphrase into the format of age (https://age-encryption.org/v1), and decrypts it. The key is made
 * from the passphrase by scrypt. Each chunk of 64 KiB is authenticated, with its place and whether it is the last one. So a
 * file that was changed or cut off is noticed, at the latest at its end: use nothing of it before that.
 */

/** 2^17: some 0.5 s and 128 MiB for each guess of the passphrase. */
const scryptWorkFactor = 17;

/** In place of a file's name: stdout for a backup, stdin for a restore. */
export const standardStream = '-';

/** Of a backup that is being written. */
const draftSuffix = '.new';

type Encrypt = (plain: AsyncIterable<Buffer>) => Promise<void>;

/**
 * Writes what `fill` passes on into a new file that only its owner can read, then moves the file to `target`. So `target` is
 * always complete. An existing file is replaced.
 */
export async function writeSealed(
  target: string,
  passphrase: string,
  fill: (encrypt: Encrypt) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  if (target === standardStream) {
    await fill((plain) => encryptTo(plain, passphrase, process.stdout, signal));
    return;
  }
  await removeLeftovers(dirname(target), `${basename(target)}.`, draftSuffix);
  const draft = `${target}.${makerMark()}${draftSuffix}`;
  // `flush`: after a power cut, too, the file is complete or not there.
  const file = createWriteStream(draft, { flags: 'wx', mode: 0o600, flush: true });
  try {
    await fill((plain) => encryptTo(plain, passphrase, file, signal));
    await rename(draft, target);
  } catch (error) {
    file.destroy();
    await rm(draft, { force: true });
    throw error;
  }
}

/**
 * The decrypted content of a file of {@link writeSealed}. Throws an {@link OperatorError} if the file is not one, if the
 * passphrase is wrong, or if the file was changed or cut off. Stops reading when `signal` aborts.
 */
export async function* readSealed(
  source: string,
  passphrase: string,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const isStdin = source === standardStream;
  const file = addAbortSignal(signal, isStdin ? process.stdin : createReadStream(source));
  const name = isStdin ? 'the backup on stdin' : source;
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase);
  let plain: ReadableStream<Uint8Array> | null = null;
  try {
    const sealed = await checkHeader(file, name);
    plain = (await decrypter.decrypt(webStreamOf(sealed))) as unknown as ReadableStream<Uint8Array>;
    for await (const chunk of plain) yield Buffer.from(chunk);
  } catch (error) {
    signal.throwIfAborted();
    throw describe(error, name, plain !== null);
  } finally {
    file.destroy();
  }
}

const firstLine = Buffer.from('age-encryption.org/v1\n');

/** Several times what {@link writeSealed} writes before the encrypted content. */
const headerMaxBytes = 4_096;

/**
 * Returns the whole content of the file once its header is known to be complete and short. The library reads a header of any
 * length into memory, and repeats its first line in an error.
 */
async function checkHeader(file: AsyncIterable<Buffer>, name: string): Promise<AsyncIterable<Buffer>> {
  const chunks = file[Symbol.asyncIterator]();
  let start: Buffer = Buffer.alloc(0);
  while (!hasWholeHeader(start)) {
    if (start.length >= headerMaxBytes) throw notABackup(name);
    const next = await chunks.next();
    if (next.done)
      throw start.length === 0
        ? new OperatorError(`${name} is empty, so it is not a backup of Holdline: use another one`)
        : notABackup(name);
    start = Buffer.concat([start, next.value]);
  }
  return continued(start, chunks);
}

function hasWholeHeader(start: Buffer): boolean {
  if (!start.subarray(0, firstLine.length).equals(firstLine)) return false;
  const lastLine = start.subarray(0, headerMaxBytes).indexOf('\n--- ');
  return lastLine !== -1 && start.subarray(0, headerMaxBytes).includes('\n', lastLine + 1);
}

async function* continued(start: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield start;
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
}

async function encryptTo(
  plain: AsyncIterable<Buffer>,
  passphrase: string,
  target: NodeJS.WritableStream,
  signal: AbortSignal,
): Promise<void> {
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase);
  encrypter.setScryptWorkFactor(scryptWorkFactor);
  const sealed = (await encrypter.encrypt(webStreamOf(plain))) as unknown as ReadableStream<Uint8Array>;
  await pipeline(Readable.from(sealed), target, { signal, end: target !== process.stdout });
}

type WebStream = globalThis.ReadableStream<Uint8Array>;

function webStreamOf(source: AsyncIterable<Buffer>): WebStream {
  return Readable.toWeb(Readable.from(source, { objectMode: false })) as unknown as WebStream;
}

function describe(error: unknown, name: string, hasHeader: boolean): Error {
  if (error instanceof OperatorError) return error;
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall !== undefined) return new OperatorError(whyNotReadable(name, code));
  const reason = messageOf(error);
  if (hasHeader) {
    return new OperatorError(`${name} is damaged or cut off (${reason}): use another backup`, {
      cause: error,
    });
  }
  if (/no identity matched/.test(reason)) {
    return new OperatorError(`the passphrase does not open ${name}: give the one with which it was made`, {
      cause: error,
    });
  }
  // Without the reason, which may quote the file: it may be any file, and hold a secret.
  return notABackup(name);
}

function notABackup(name: string): OperatorError {
  return new OperatorError(`${name} is not a backup of Holdline: name a file that npm run backup has made`);
}

function whyNotReadable(name: string, code: string | undefined): string {
  if (code === 'ENOENT') return `there is no file ${name}: name a file that npm run backup has made`;
  if (code === 'EISDIR') return `${name} is a directory: name the file of the backup`;
  return `${name} cannot be read (${code}): make it readable for this user, or name another file`;
}
