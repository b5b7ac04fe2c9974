import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { Decrypter, Encrypter } from 'age-encryption';
import { messageOf, OperatorError } from '../contract/errors.js';

/**
 * Encrypts a stream with a passphrase into the format of age (https://age-encryption.org/v1), and decrypts it. The key is made
 * from the passphrase by scrypt. Each chunk of 64 KiB is authenticated, with its place and whether it is the last one. So a
 * file that was changed or cut off is noticed, at the latest at its end: use nothing of it before that.
 */

/** 2^17: some 0.5 s and 128 MiB for each guess of the passphrase. */
const scryptWorkFactor = 17;

/** In place of a file's name: stdout for a backup, stdin for a restore. */
export const standardStream = '-';

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
  const draft = `${target}.${randomUUID()}.new`;
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
 * passphrase is wrong, or if the file was changed or cut off.
 */
export async function* readSealed(source: string, passphrase: string): AsyncGenerator<Buffer> {
  const file = source === standardStream ? process.stdin : createReadStream(source);
  const name = source === standardStream ? 'the backup on stdin' : source;
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase);
  let plain: ReadableStream<Uint8Array> | null = null;
  try {
    plain = (await decrypter.decrypt(webStreamOf(file))) as unknown as ReadableStream<Uint8Array>;
    for await (const chunk of plain) yield Buffer.from(chunk);
  } catch (error) {
    throw isSystemError(error) ? error : describe(error, name, plain !== null);
  } finally {
    file.destroy();
  }
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

function describe(error: unknown, name: string, hasHeader: boolean): OperatorError {
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
  return new OperatorError(`${name} is not a backup of Holdline (${reason})`, { cause: error });
}

/** A failure to read the file, and not of its content. */
function isSystemError(error: unknown): boolean {
  return typeof (error as NodeJS.ErrnoException | null)?.syscall === 'string';
}
